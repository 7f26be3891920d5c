//! Checks bearer tokens: signature against the issuer's published keys, issuer, audience, times.
//! The algorithm comes from the configuration and the key, never from the token. Knows no socket
//! and no session; `now` is an argument.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gryt_model::{MemberName, UserId};
use jsonwebtoken::{Header, Validation, dangerous, decode, decode_header};

mod claims;
mod complaints;
mod fetch;
mod jwks;
#[cfg(test)]
pub(crate) mod tests;

pub use fetch::KeySource;

use claims::TokenClaims;
use complaints::Complaints;
use jwks::Keys;

/// An issuer that the server relies on.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Stable name of the issuer: it becomes the `issuer` of a [`UserId`], so a moved issuer
    /// keeps its people.
    pub name: Box<str>,
    /// The `iss` of its tokens, byte for byte.
    pub issuer: String,
    /// Where its keys are published.
    pub keys: KeySource,
    /// PEM file with the authorities that its certificate may be of, in place of the world's. Read
    /// again at each fetch.
    pub ca_file: Option<PathBuf>,
    /// What `aud` has to name: this server's id, so that a token for another server is useless.
    pub audience: String,
    /// The clients that `azp` or `client_id` may name. None: any.
    pub authorized_parties: Vec<String>,
    /// The algorithms that its keys may have.
    pub algorithms: Vec<Algorithm>,
    /// Tolerated difference between the issuer's clock and ours. Sessions last this much longer
    /// than their tokens, too.
    pub leeway: Duration,
}

impl IssuerConfig {
    /// Reads the file of authorities, for whoever wants to know early that it is of no use.
    ///
    /// # Errors
    /// [`AuthoritiesError`] if it cannot be read, or has no certificate in it.
    pub fn check_files(&self) -> Result<(), AuthoritiesError> {
        match &self.ca_file {
            Some(path) => fetch::authorities(path).map(drop).map_err(AuthoritiesError),
            None => Ok(()),
        }
    }
}

/// A file of authorities is of no use.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct AuthoritiesError(fetch::FetchError);

/// A signature algorithm that is accepted at all (RFC 7518 section 3.1). Asymmetric ones only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// RSASSA-PSS with SHA-256. Only for keys that name it.
    Ps256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    fn in_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
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
    /// When it stops being good, leeway included.
    pub expires_at: SystemTime,
}

/// Why a token was not taken. The text never holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum AuthError {
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Not a JWT, or a claim is missing or of the wrong type.
    #[error("token is not readable")]
    Malformed,
    /// Not an access token: an ID token, a logout token.
    #[error("token is no access token")]
    Kind,
    /// Only good together with a proof that its key is held, which we do not check.
    #[error("token is bound to a key")]
    Bound,
    /// `iss` is none of the configured issuers.
    #[error("token is of an unknown issuer")]
    UnknownIssuer,
    /// `alg` is not what the key is for, or not accepted.
    #[error("token has an algorithm that is not accepted")]
    Algorithm,
    /// `kid` is missing or not among the issuer's keys.
    #[error("token is signed by an unknown key")]
    UnknownKey,
    /// `kid` is not among the issuer's keys, but the token is younger than they are: it may be good
    /// once they could be fetched again.
    #[error("token is signed by a key that could not be fetched yet")]
    KeyNotFetched,
    /// No key of the issuer could be fetched so far.
    #[error("issuer's keys are not available")]
    KeysUnavailable,
    /// The signature does not fit.
    #[error("token's signature does not fit")]
    Signature,
    /// `aud` does not name this server.
    #[error("token is for another audience")]
    Audience,
    /// It was made for a client that is not ours.
    #[error("token was made for another client")]
    Party,
    /// `exp` has passed.
    #[error("token has expired")]
    Expired,
    /// `nbf` is still to come.
    #[error("token is not valid yet")]
    NotYetValid,
}

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Checks tokens of the configured issuers. Cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    issuers: Arc<[Issuer]>,
    complaints: Arc<Complaints>,
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
    /// A verifier that fetches keys when it needs them first.
    #[must_use]
    pub fn new(issuers: Vec<IssuerConfig>) -> Self {
        let issuers = issuers
            .into_iter()
            .map(|config| Issuer {
                keys: Keys::new(&config),
                config,
            })
            .collect();
        Self {
            issuers,
            complaints: Arc::default(),
        }
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
        if !claims::is_access_token(header.typ.as_deref()) {
            return Err(AuthError::Kind);
        }
        let claimed: claims::Unverified =
            dangerous::insecure_decode_claims(token).map_err(|_| AuthError::Malformed)?;
        let issuer = self
            .issuers
            .iter()
            .find(|issuer| issuer.config.issuer == claimed.iss);
        let Some(issuer) = issuer else {
            self.complaints.about("-", AuthError::UnknownIssuer, now);
            return Err(AuthError::UnknownIssuer);
        };
        let checked = issuer.check(token, &header, &claimed, now).await;
        if let Err(error) = &checked {
            self.complaints.about(&issuer.config.name, *error, now);
        }
        checked
    }
}

impl Issuer {
    async fn check(
        &self,
        token: &str,
        header: &Header,
        claimed: &claims::Unverified,
        now: SystemTime,
    ) -> Result<Claims, AuthError> {
        let config = &self.config;
        let accepted = config
            .algorithms
            .iter()
            .any(|algorithm| algorithm.in_library() == header.alg);
        if !accepted {
            return Err(AuthError::Algorithm);
        }
        let kid = header.kid.as_deref().ok_or(AuthError::UnknownKey)?;
        let key = self.keys.find(kid, claimed.issued_at(), now).await?;
        if key.algorithm.in_library() != header.alg {
            return Err(AuthError::Algorithm);
        }
        let validation = validation(config, key.algorithm);
        let token = decode::<TokenClaims>(token, &key.decoding, &validation)
            .map_err(|error| refusal(error.kind()))?;
        token.claims.check(config, now)
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
