//! Says in the log why tokens are refused where somebody can mend it: a client without the right
//! audience, a clock that is off. Once a minute for each reason, whoever sends the tokens.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::AuthError;

const PAUSE: Duration = Duration::from_secs(60);

/// When each reason was said last. One entry per reason at most.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    said_at: Mutex<BTreeMap<AuthError, SystemTime>>,
}

impl Complaints {
    /// Says it unless it was said a moment ago. `issuer`: the name of the one that the token
    /// names, `-` for none of ours.
    pub(super) fn about(&self, issuer: &str, error: AuthError, now: SystemTime) {
        let Some(advice) = advice(error) else {
            return;
        };
        if self.is_due(error, now) {
            tracing::warn!(issuer, %error, advice, "a token is refused");
        }
    }

    fn is_due(&self, error: AuthError, now: SystemTime) -> bool {
        let mut said_at = self.said_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = said_at
            .get(&error)
            .is_none_or(|at| now.duration_since(*at).is_ok_and(|since| since >= PAUSE));
        if is_due {
            said_at.insert(error, now);
        }
        is_due
    }
}

fn advice(error: AuthError) -> Option<&'static str> {
    match error {
        AuthError::Audience => {
            Some("the issuer's client has to put this server's audience into its access tokens")
        }
        AuthError::Party => Some(
            "clients other than the configured one are listed by the issuer's authorized_parties",
        ),
        AuthError::Kind => Some("clients have to send the access token, not the ID token"),
        AuthError::Bound => Some(
            "the issuer's client has to give plain bearer tokens: switch DPoP and mTLS binding off",
        ),
        AuthError::NotYetValid => {
            Some("the issuer's clock is ahead of this machine's by more than the leeway")
        }
        AuthError::Algorithm => {
            Some("the issuer's algorithms have to list the one that it signs with")
        }
        AuthError::UnknownIssuer => {
            Some("`iss` has to be an issuer's configured address, byte for byte")
        }
        AuthError::TooLarge
        | AuthError::Malformed
        | AuthError::UnknownKey
        | AuthError::KeysUnavailable
        | AuthError::KeyNotFetched
        | AuthError::Signature
        | AuthError::Expired => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn each_reason_is_said_once_a_minute() {
        let complaints = Complaints::default();
        let at = |secs| UNIX_EPOCH + Duration::from_secs(secs);
        assert!(complaints.is_due(AuthError::Audience, at(100)));
        assert!(!complaints.is_due(AuthError::Audience, at(159)));
        assert!(complaints.is_due(AuthError::Party, at(159)));
        assert!(complaints.is_due(AuthError::Audience, at(160)));
    }
}
