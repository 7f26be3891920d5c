//! What a token's payload says, and the checks that need a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gryt_model::{MemberName, UserId};
use serde::Deserialize;

use super::{AuthError, Claims};

/// The one claim that is read before the signature is checked: it only chooses the keys.
#[derive(Deserialize)]
pub(super) struct Unverified {
    pub(super) iss: String,
}

/// A payload with a good signature, for the right audience. Times are NumericDates, which may
/// have a fraction (RFC 7519 section 2).
#[derive(Deserialize)]
pub(super) struct TokenClaims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    preferred_username: Option<String>,
    name: Option<String>,
}

/// RFC 7519 does not bound `sub`; OpenID Connect Core section 2 does.
const MAX_SUBJECT_BYTES: usize = 255;

impl TokenClaims {
    pub(super) fn check(
        self,
        issuer: &str,
        leeway: Duration,
        now: SystemTime,
    ) -> Result<Claims, AuthError> {
        let expires_at = numeric_date(self.exp)?;
        if now >= expires_at + leeway {
            return Err(AuthError::Expired);
        }
        if let Some(nbf) = self.nbf
            && now + leeway < numeric_date(nbf)?
        {
            return Err(AuthError::NotYetValid);
        }
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT_BYTES {
            return Err(AuthError::Malformed);
        }
        let name = [self.preferred_username.as_deref(), self.name.as_deref()]
            .into_iter()
            .flatten()
            .chain([self.sub.as_str(), "someone"])
            .find_map(member_name)
            .ok_or(AuthError::Malformed)?;
        Ok(Claims {
            user: UserId {
                issuer: issuer.into(),
                subject: self.sub.into(),
            },
            name,
            expires_at,
        })
    }
}

/// Cuts `text` to what a member may be called; `None` if nothing is left.
fn member_name(text: &str) -> Option<MemberName> {
    let visible: String = text.chars().filter(|c| !c.is_control()).collect();
    let cut: String = visible.trim().chars().take(MAX_NAME_CHARS).collect();
    cut.parse().ok()
}

const MAX_NAME_CHARS: usize = 32;

/// Far enough for any token, near enough that adding a leeway cannot overflow.
const LATEST_SECS: f64 = 253_402_300_799.0;

fn numeric_date(secs: f64) -> Result<SystemTime, AuthError> {
    if secs > LATEST_SECS {
        return Err(AuthError::Malformed);
    }
    Duration::try_from_secs_f64(secs)
        .map(|since_epoch| UNIX_EPOCH + since_epoch)
        .map_err(|_| AuthError::Malformed)
}
