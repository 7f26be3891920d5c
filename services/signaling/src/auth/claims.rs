//! What a token's payload says, and the checks that need a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gryt_model::{MemberName, UserId};
use serde::Deserialize;

use super::{AuthError, Claims, IssuerConfig};

/// The claims that are read before the signature is checked: they only choose the keys, and
/// whether a key that is missing may be a newer one.
#[derive(Deserialize)]
pub(super) struct Unverified {
    pub(super) iss: String,
    iat: Option<serde_json::Value>,
}

impl Unverified {
    pub(super) fn issued_at(&self) -> Option<SystemTime> {
        numeric_date(self.iat.as_ref()?.as_f64()?).ok()
    }
}

/// A payload with a good signature, for the right audience. Times are NumericDates, which may
/// have a fraction (RFC 7519 section 2).
#[derive(Deserialize)]
pub(super) struct TokenClaims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    /// Keycloak's word for what a token is for.
    typ: Option<String>,
    /// Whom the token was made for: `azp` is Keycloak's, `client_id` RFC 9068's.
    azp: Option<String>,
    client_id: Option<String>,
    /// What only an ID token has (OpenID Connect Core section 3.1.3.6).
    at_hash: Option<serde_json::Value>,
    /// Only whoever holds a key may use the token (RFC 7800, RFC 9449).
    cnf: Option<serde_json::Value>,
    preferred_username: Option<String>,
    name: Option<String>,
}

/// RFC 7519 does not bound `sub`; OpenID Connect Core section 2 does.
const MAX_SUBJECT_BYTES: usize = 255;

impl TokenClaims {
    pub(super) fn check(self, issuer: &IssuerConfig, now: SystemTime) -> Result<Claims, AuthError> {
        self.check_kind()?;
        self.check_party(&issuer.authorized_parties)?;
        let expires_at = numeric_date(self.exp)? + issuer.leeway;
        if now >= expires_at {
            return Err(AuthError::Expired);
        }
        if let Some(nbf) = self.nbf
            && now + issuer.leeway < numeric_date(nbf)?
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
                issuer: issuer.name.clone(),
                subject: self.sub.into(),
            },
            name,
            expires_at,
        })
    }

    /// Only access tokens, and only those that whoever bears them may use: a proof of possession
    /// has no place in a WebSocket's handshake.
    fn check_kind(&self) -> Result<(), AuthError> {
        match self.typ.as_deref() {
            None | Some("Bearer") => {}
            Some("DPoP") => return Err(AuthError::Bound),
            Some(_) => return Err(AuthError::Kind),
        }
        if self.at_hash.is_some() {
            return Err(AuthError::Kind);
        }
        if self.cnf.is_some() {
            return Err(AuthError::Bound);
        }
        Ok(())
    }

    fn check_party(&self, authorized: &[String]) -> Result<(), AuthError> {
        if authorized.is_empty() {
            return Ok(());
        }
        let party = self.azp.as_ref().or(self.client_id.as_ref());
        match party {
            Some(party) if authorized.contains(party) => Ok(()),
            Some(_) | None => Err(AuthError::Party),
        }
    }
}

/// Whether a header's `typ` is that of an access token, or says nothing (RFC 7515 section 4.1.9).
pub(super) fn is_access_token(typ: Option<&str>) -> bool {
    let Some(typ) = typ else {
        return true;
    };
    let typ = typ.to_ascii_lowercase();
    matches!(
        typ.strip_prefix("application/").unwrap_or(&typ),
        "jwt" | "at+jwt"
    )
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
