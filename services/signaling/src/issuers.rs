//! Which issuers people sign in at: accounts of the server's own, issuers elsewhere, or both. Read
//! from JSON, in a file or in the environment. Bad values die here, each with what was expected.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use gryt_issuer::CLIENT_ID;
use gryt_model::ServerId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

use crate::auth::{Algorithm, AuthoritiesError, IssuerConfig, KeySource};

#[cfg(test)]
mod tests;

/// The name of the server's own accounts, as it stands in the ids of their people.
pub(crate) const OWN: &str = "local";

/// Where people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Issuers {
    elsewhere: IssuersElsewhere,
    beside_own: bool,
}

/// Issuers elsewhere, in the order in which people are offered them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuersElsewhere(Vec<IssuerElsewhere>);

/// One issuer elsewhere, such as a realm of Keycloak.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerElsewhere {
    /// Part of the ids of its people, so it never changes: `a-z`, `0-9` and `-`, at most 32.
    name: String,
    /// What the sign-in screen calls it. Left out: the issuer's host.
    label: Option<String>,
    /// The `iss` of its tokens, byte for byte, and where browsers find it.
    issuer: String,
    /// The public client that the web client is there.
    #[serde(default = "client_id")]
    client_id: String,
    /// What the `aud` of access tokens has to name. Left out: this server's id.
    audience: Option<String>,
    /// Clients whose tokens are taken, by `azp` or `client_id`. Left out: `client_id` alone.
    authorized_parties: Option<Vec<String>>,
    /// Where this process reads the key set. Left out: by way of the discovery document.
    #[serde(default, deserialize_with = "url")]
    jwks_url: Option<Url>,
    /// Where this process reads the discovery document. Left out: where browsers do.
    #[serde(default, deserialize_with = "url")]
    discovery_url: Option<Url>,
    /// PEM file with the authorities of the issuer's certificate, in place of the world's.
    ca_file: Option<PathBuf>,
    /// Signature algorithms that are accepted. Left out: RS256 and ES256.
    #[serde(default = "algorithms")]
    algorithms: Vec<Named>,
    /// How far the issuer's clock may be off, in seconds, 0 to 300.
    #[serde(default = "leeway_seconds")]
    leeway_seconds: u16,
}

/// An issuer as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerOffer {
    /// Stable name.
    pub name: String,
    /// What the sign-in screen calls it.
    pub label: String,
    /// A URL, or a path such as `/issuer` under the address that the request came to.
    pub url: String,
    /// The client id of the web client there.
    pub client_id: String,
}

/// Issuers could not be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuersError {
    /// The file could not be read.
    #[error("read the issuers \"{}\"", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file's content.
    #[error("use the issuers \"{}\"", path.display())]
    UseFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: InvalidIssuers,
    },
    /// A file of authorities.
    #[error("use issuer \"{name}\"")]
    UseAuthorities {
        /// The issuer's name.
        name: String,
        /// Why.
        #[source]
        source: AuthoritiesError,
    },
}

/// The text does not name issuers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIssuers {
    /// Not the JSON that is expected.
    #[error("expected a JSON list of issuers: {0}")]
    Json(String),
    /// None, or too many.
    #[error("expected 1 to {MOST} issuers")]
    Count,
    /// Two of the same name or address.
    #[error("issuer \"{0}\" stands there twice; names and addresses are unique")]
    Twice(String),
    /// A value of one issuer.
    #[error("issuer \"{name}\", {field}: expected {expected}")]
    Field {
        /// The issuer's name.
        name: String,
        /// Which value.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
    },
}

const MOST: usize = 8;
const MOST_PARTIES: usize = 16;
const LONGEST_LEEWAY_SECONDS: u16 = 300;

impl Issuers {
    /// Those elsewhere; with `Beside::Own` the server's own accounts stay, and come first.
    #[must_use]
    pub fn elsewhere(elsewhere: IssuersElsewhere, beside: Beside) -> Self {
        Self {
            elsewhere,
            beside_own: beside == Beside::Own,
        }
    }

    /// Whether the server has accounts of its own. Without issuers elsewhere it always has.
    #[must_use]
    pub fn has_own(&self) -> bool {
        self.beside_own || self.elsewhere.0.is_empty()
    }

    /// How tokens of those elsewhere are checked at server `server`.
    ///
    /// # Errors
    /// [`IssuersError::UseAuthorities`] if a file of authorities is of no use.
    pub(crate) fn checks(&self, server: &ServerId) -> Result<Vec<IssuerConfig>, IssuersError> {
        self.elsewhere
            .0
            .iter()
            .map(|issuer| issuer.check(server))
            .collect()
    }

    /// What clients are told; the first is for those that know only one. `own`: the address of the
    /// server's own accounts.
    #[must_use]
    pub fn offers(&self, own: String) -> Vec<IssuerOffer> {
        let own = self.has_own().then(|| IssuerOffer {
            name: OWN.to_owned(),
            label: "Account on this server".to_owned(),
            url: own,
            client_id: CLIENT_ID.to_owned(),
        });
        let elsewhere = self.elsewhere.0.iter().map(IssuerElsewhere::offer);
        own.into_iter().chain(elsewhere).collect()
    }
}

/// Whether issuers elsewhere are instead of the server's own accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// The server keeps accounts of its own, too.
    Own,
    /// All accounts are elsewhere.
    Nothing,
}

impl IssuersElsewhere {
    /// Reads them from a JSON file.
    ///
    /// # Errors
    /// If the file cannot be read, or does not name issuers.
    pub fn read(path: &Path) -> Result<Self, IssuersError> {
        let text = std::fs::read_to_string(path).map_err(|source| IssuersError::ReadFile {
            path: path.to_owned(),
            source,
        })?;
        text.parse().map_err(|source| IssuersError::UseFile {
            path: path.to_owned(),
            source,
        })
    }
}

impl FromStr for IssuersElsewhere {
    type Err = InvalidIssuers;

    fn from_str(text: &str) -> Result<Self, InvalidIssuers> {
        let issuers: Vec<IssuerElsewhere> =
            serde_json::from_str(text).map_err(|error| InvalidIssuers::Json(error.to_string()))?;
        if issuers.is_empty() || issuers.len() > MOST {
            return Err(InvalidIssuers::Count);
        }
        let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for issuer in &issuers {
            issuer.validate()?;
            if !names.insert(&issuer.name) || !addresses.insert(&issuer.issuer) {
                return Err(InvalidIssuers::Twice(issuer.name.clone()));
            }
        }
        Ok(Self(issuers))
    }
}

impl IssuerElsewhere {
    fn validate(&self) -> Result<(), InvalidIssuers> {
        let expect = |field, is_good: bool, expected| {
            is_good.then_some(()).ok_or_else(|| InvalidIssuers::Field {
                name: self.name.clone(),
                field,
                expected,
            })
        };
        expect(
            "name",
            is_name(&self.name),
            "1 to 32 of a-z, 0-9 and -, none at the ends, and not \"local\"",
        )?;
        expect(
            "label",
            self.label.as_deref().is_none_or(|label| is_line(label, 64)),
            "1 to 64 characters",
        )?;
        let is_issuer = self.issuer.parse().is_ok_and(|url| is_web(&url));
        expect(
            "issuer",
            is_issuer,
            "an http:// or https:// URL without user, query and fragment",
        )?;
        expect(
            "client_id",
            is_line(&self.client_id, 255),
            "1 to 255 characters",
        )?;
        expect(
            "audience",
            self.audience
                .as_deref()
                .is_none_or(|audience| is_line(audience, 255)),
            "1 to 255 characters",
        )?;
        let parties = self.authorized_parties.as_deref();
        expect(
            "authorized_parties",
            parties.is_none_or(|parties| {
                (1..=MOST_PARTIES).contains(&parties.len())
                    && parties.iter().all(|party| is_line(party, 255))
            }),
            "1 to 16 client ids",
        )?;
        expect(
            "discovery_url",
            self.jwks_url.is_none() || self.discovery_url.is_none(),
            "one of jwks_url and discovery_url, or none",
        )?;
        let asked = self.jwks_url.as_ref().or(self.discovery_url.as_ref());
        expect(
            "jwks_url or discovery_url",
            asked.is_none_or(|url| matches!(url.scheme(), "http" | "https")),
            "an http:// or https:// URL",
        )?;
        expect("algorithms", !self.algorithms.is_empty(), "at least one")?;
        expect(
            "leeway_seconds",
            self.leeway_seconds <= LONGEST_LEEWAY_SECONDS,
            "0 to 300",
        )
    }

    fn check(&self, server: &ServerId) -> Result<IssuerConfig, IssuersError> {
        let config = IssuerConfig {
            name: self.name.as_str().into(),
            issuer: self.issuer.clone(),
            keys: self.keys(),
            ca_file: self.ca_file.clone(),
            audience: self.audience.clone().unwrap_or_else(|| server.to_string()),
            authorized_parties: self
                .authorized_parties
                .clone()
                .unwrap_or_else(|| vec![self.client_id.clone()]),
            algorithms: self.algorithms.iter().map(|named| named.0).collect(),
            leeway: Duration::from_secs(self.leeway_seconds.into()),
        };
        config
            .check_files()
            .map_err(|source| IssuersError::UseAuthorities {
                name: self.name.clone(),
                source,
            })?;
        Ok(config)
    }

    fn keys(&self) -> KeySource {
        match (&self.jwks_url, &self.discovery_url) {
            (Some(jwks), _) => KeySource::Jwks(jwks.clone()),
            (None, Some(discovery)) => KeySource::Discovery(discovery.clone()),
            (None, None) => KeySource::Discovery(discovery_url(&self.issuer)),
        }
    }

    fn offer(&self) -> IssuerOffer {
        let host = || {
            let url = self.issuer.parse::<Url>().ok();
            let host = url.as_ref().and_then(Url::host_str);
            host.unwrap_or(&self.name).to_owned()
        };
        IssuerOffer {
            name: self.name.clone(),
            label: self.label.clone().unwrap_or_else(host),
            url: self.issuer.clone(),
            client_id: self.client_id.clone(),
        }
    }
}

/// OpenID Connect Discovery section 4.1.
fn discovery_url(issuer: &str) -> Url {
    let issuer = issuer.trim_end_matches('/');
    format!("{issuer}/.well-known/openid-configuration")
        .parse()
        .expect("invariant: `validate` has parsed the issuer, and a path stays a path")
}

fn is_name(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text != OWN
}

fn is_line(text: &str, most_chars: usize) -> bool {
    (1..=most_chars).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

/// An algorithm by its name in RFC 7518. There is no way to name `none` or a symmetric one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "AlgorithmName")]
struct Named(Algorithm);

#[derive(Deserialize)]
enum AlgorithmName {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "ES384")]
    Es384,
    #[serde(rename = "EdDSA")]
    EdDsa,
    #[serde(rename = "PS256")]
    Ps256,
    #[serde(rename = "RS256")]
    Rs256,
}

impl From<AlgorithmName> for Named {
    fn from(name: AlgorithmName) -> Self {
        Self(match name {
            AlgorithmName::Es256 => Algorithm::Es256,
            AlgorithmName::Es384 => Algorithm::Es384,
            AlgorithmName::EdDsa => Algorithm::EdDsa,
            AlgorithmName::Ps256 => Algorithm::Ps256,
            AlgorithmName::Rs256 => Algorithm::Rs256,
        })
    }
}

fn url<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(text)?;
    text.parse().map(Some).map_err(D::Error::custom)
}

fn client_id() -> String {
    CLIENT_ID.to_owned()
}

fn algorithms() -> Vec<Named> {
    vec![Named(Algorithm::Rs256), Named(Algorithm::Es256)]
}

fn leeway_seconds() -> u16 {
    30
}
