//! Where the bucket is and who we are to it.

use std::fmt;

use url::Url;

/// Everything the adapter must know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where our own calls go.
    pub endpoint: Url,
    /// Where browsers reach the same storage, if that is elsewhere.
    pub public_endpoint: Option<Url>,
    /// The region that requests are signed for; storage of one's own often takes any.
    pub region: Box<str>,
    /// The bucket. It may be shared by servers.
    pub bucket: Box<str>,
    /// What all names in it begin with: empty, or ending with a slash.
    pub prefix: Box<str>,
    /// How a bucket is named in addresses.
    pub addressing: Addressing,
    /// Who we are.
    pub credentials: Credentials,
    /// Whose certificates are believed; the system's without them.
    pub authorities: Option<Authorities>,
}

/// How a bucket is named in addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Addressing {
    /// `https://host/bucket/key`: what storage of one's own speaks.
    #[default]
    Path,
    /// `https://bucket.host/key`: what AWS prefers.
    VirtualHost,
}

/// An access key and its secret.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The key's name.
    pub access_key: Box<str>,
    /// Its secret.
    pub secret_key: SecretKey,
}

/// An access key's secret. Never shown.
#[derive(Clone)]
pub struct SecretKey(Box<str>);

impl SecretKey {
    /// Takes the secret as it is, but for a line's end after it: files that hold one often have it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim_end_matches(['\r', '\n']).into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// A bundle of certificates in PEM: with it nobody else is believed.
#[derive(Debug, Clone)]
pub struct Authorities(Box<[u8]>);

impl Authorities {
    /// Takes a PEM bundle of one or more certificates.
    #[must_use]
    pub fn from_pem(pem: &[u8]) -> Self {
        Self(pem.into())
    }

    pub(super) fn pem(&self) -> &[u8] {
        &self.0
    }
}
