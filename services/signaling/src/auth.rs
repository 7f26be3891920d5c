//! Checks bearer tokens: signature against the issuer's published keys, issuer, audience, times.
//! The algorithm comes from the configuration and the key, never from the token. Knows no socket
//! and no session; `now` is an argument.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gryt_model::{MemberName, UserId};
use jsonwebtoken::{Validation, dangerous, decode, decode_header};
use url::Url;

mod claims;
mod jwks;
#[cfg(test)]
pub(crate) mod tests;

use claims::TokenClaims;
use jwks::Keys;

/// An issuer that the server relies on.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Stable name of the issuer: it becomes the `issuer` of a [`UserId`], so a moved issuer
    /// keeps its people.
    pub name: Box<str>,
    /// The `iss` of its tokens, byte for byte.
    pub issuer: String,
    /// Where its keys are published (RFC 7517 section 5).
    pub jwks_url: Url,
    /// What `aud` has to name: this server's id, so that a token for another server is useless.
    pub audience: String,
    /// The algorithms that its keys may have.
    pub algorithms: Vec<Algorithm>,
}

/// A signature algorithm that is accepted at all (RFC 7518 section 3.1). Asymmetric ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    fn in_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who it was made for.
    pub user: UserId,
    /// What they want to be called: `preferred_username`, else `name`, else the subject, cut to
    /// the rules of a [`MemberName`].
    pub name: MemberName,
    /// When it stops being good.
    pub expires_at: SystemTime,
}

/// Why a token was not taken. The text never holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Not a JWT, or a claim is missing or of the wrong type.
    #[error("token is not readable")]
    Malformed,
    /// `iss` is none of the configured issuers.
    #[error("token is of an unknown issuer")]
    UnknownIssuer,
    /// `alg` is not what the key is for, or not accepted.
    #[error("token has an algorithm that is not accepted")]
    Algorithm,
    /// `kid` is missing or not among the issuer's keys.
    #[error("token is signed by an unknown key")]
    UnknownKey,
    /// No key of the issuer could be fetched so far.
    #[error("issuer's keys are not available")]
    KeysUnavailable,
    /// The signature does not fit.
    #[error("token's signature does not fit")]
    Signature,
    /// `aud` does not name this server.
    #[error("token is for another audience")]
    Audience,
    /// `exp` has passed.
    #[error("token has expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("token is not valid yet")]
    NotYetValid,
}

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Tolerated difference between the issuer's clock and ours.
const LEEWAY: Duration = Duration::from_secs(30);

/// Checks tokens of the configured issuers. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<[Issuer]>,
}

struct Issuer {
    config: IssuerConfig,
    keys: Keys,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.issuers.iter().map(|issuer| &issuer.config))
            .finish()
    }
}

impl Verifier {
    /// A verifier that fetches keys with `http` when it needs them first. Redirects and trusted
    /// certificates are the client's.
    #[must_use]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a client is a handle that the verifier keeps"
    )]
    pub fn new(issuers: Vec<IssuerConfig>, http: reqwest::Client) -> Self {
        let issuers = issuers
            .into_iter()
            .map(|config| Issuer {
                keys: Keys::new(
                    config.jwks_url.clone(),
                    config.algorithms.clone(),
                    http.clone(),
                ),
                config,
            })
            .collect();
        Self { issuers }
    }

    /// Checks `token` and returns what it says. Waits for the network only when the key is
    /// unknown and a fetch is due. Dropping the future is safe at any point.
    ///
    /// # Errors
    /// The first reason not to take it.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<Claims, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLarge);
        }
        // An `alg` that the library does not know, such as `none`, ends here.
        let header = decode_header(token).map_err(|_| AuthError::Malformed)?;
        // RFC 7515 section 4.1.11: an extension that is not understood is a refusal.
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        let claimed: claims::Unverified =
            dangerous::insecure_decode_claims(token).map_err(|_| AuthError::Malformed)?;
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| issuer.config.issuer == claimed.iss)
            .ok_or(AuthError::UnknownIssuer)?;
        let accepted = issuer
            .config
            .algorithms
            .iter()
            .any(|algorithm| algorithm.in_library() == header.alg);
        if !accepted {
            return Err(AuthError::Algorithm);
        }
        let kid = header.kid.as_deref().ok_or(AuthError::UnknownKey)?;
        let key = issuer.keys.find(kid, now).await?;
        if key.algorithm.in_library() != header.alg {
            return Err(AuthError::Algorithm);
        }
        let validation = validation(&issuer.config, key.algorithm);
        let token = decode::<TokenClaims>(token, &key.decoding, &validation)
            .map_err(|error| refusal(error.kind()))?;
        token.claims.check(&issuer.config.name, LEEWAY, now)
    }
}

/// Times are checked by [`TokenClaims::check`], because the library would ask its own clock.
fn validation(config: &IssuerConfig, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm.in_library());
    validation.set_issuer(&[&config.issuer]);
    validation.set_audience(&[&config.audience]);
    validation.set_required_spec_claims(&["aud", "iss", "sub"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum is non-exhaustive"
)]
fn refusal(kind: &jsonwebtoken::errors::ErrorKind) -> AuthError {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::InvalidSignature => AuthError::Signature,
        ErrorKind::InvalidAudience => AuthError::Audience,
        ErrorKind::InvalidIssuer => AuthError::UnknownIssuer,
        ErrorKind::InvalidAlgorithm => AuthError::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => AuthError::Audience,
        _ => AuthError::Malformed,
    }
}
