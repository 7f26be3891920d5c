//! Asks an issuer for its published keys, directly or by way of its discovery document. Knows how
//! the issuer is reached, and not what its keys are good for.

use std::path::{Path, PathBuf};

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode};
use serde::Deserialize;
use url::{Host, Url};

/// Where an issuer's keys are found. Either may be an address that only this process reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The key set itself (RFC 7517 section 5).
    Jwks(Url),
    /// The discovery document that names it (OpenID Connect Discovery section 4).
    Discovery(Url),
}

/// What is read of an answer, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 256 * 1024;

/// One issuer's keys, as they are published.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The `iss` of its tokens.
    pub(super) issuer: String,
    pub(super) keys: KeySource,
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("read the issuer's certificate authorities \"{}\"", path.display())]
    ReadAuthorities {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("find a certificate in \"{}\"", path.display())]
    ParseAuthorities {
        path: PathBuf,
        #[source]
        source: Option<reqwest::Error>,
    },
    #[error("make an HTTP client")]
    MakeClient(#[source] Option<reqwest::Error>),
    #[error("ask the issuer")]
    Request(#[source] reqwest::Error),
    #[error("the issuer answers {0}; a redirect is not followed")]
    Status(StatusCode),
    #[error("the answer is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    #[error("read the discovery document")]
    ParseDiscovery(#[source] serde_json::Error),
    #[error(
        "the discovery document is of the issuer {found:?}, tokens are expected of {expected:?}"
    )]
    OtherIssuer { found: String, expected: String },
    #[error("the discovery document names no usable address of keys")]
    KeysAddress,
}

impl Source {
    /// The key set, as bytes of JSON that nobody has looked at.
    pub(super) async fn key_set(&self) -> Result<Vec<u8>, FetchError> {
        let source = self.clone();
        // Files are read and the authorities of the world are parsed: a few milliseconds.
        let http = tokio::task::spawn_blocking(move || source.client())
            .await
            .map_err(|_| FetchError::MakeClient(None))??;
        match &self.keys {
            KeySource::Jwks(url) => body(&http, url).await,
            KeySource::Discovery(url) => {
                let document = body(&http, url).await?;
                body(&http, &self.keys_address(url, &document)?).await
            }
        }
    }

    /// Made for each fetch, so that a renewed file of authorities needs no restart.
    fn client(&self) -> Result<Client, FetchError> {
        let mut client = Client::builder().redirect(Policy::none());
        if let Some(path) = &self.ca_file {
            client = client.tls_built_in_root_certs(false);
            for authority in authorities(path)? {
                client = client.add_root_certificate(authority);
            }
        }
        let (KeySource::Jwks(url) | KeySource::Discovery(url)) = &self.keys;
        // No proxy reaches this machine's own addresses.
        if is_loopback(url) {
            client = client.no_proxy();
        }
        client
            .build()
            .map_err(|error| FetchError::MakeClient(Some(error)))
    }

    /// The document has to be the configured issuer's (OpenID Connect Discovery section 4.3).
    fn keys_address(&self, asked: &Url, document: &[u8]) -> Result<Url, FetchError> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let document: Document =
            serde_json::from_slice(document).map_err(FetchError::ParseDiscovery)?;
        if document.issuer != self.issuer {
            return Err(FetchError::OtherIssuer {
                found: document.issuer.chars().take(200).collect(),
                expected: self.issuer.clone(),
            });
        }
        let url: Url = document
            .jwks_uri
            .parse()
            .map_err(|_| FetchError::KeysAddress)?;
        // What was asked over TLS must not be led to plain text.
        let is_usable =
            url.scheme() == "https" || (url.scheme() == "http" && asked.scheme() == "http");
        is_usable.then_some(url).ok_or(FetchError::KeysAddress)
    }
}

/// The certificates in a PEM file; at least one.
pub(super) fn authorities(path: &Path) -> Result<Vec<Certificate>, FetchError> {
    let pem = std::fs::read(path).map_err(|source| FetchError::ReadAuthorities {
        path: path.to_owned(),
        source,
    })?;
    let none = |source| FetchError::ParseAuthorities {
        path: path.to_owned(),
        source,
    };
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| none(Some(error)))?;
    if found.is_empty() {
        return Err(none(None));
    }
    Ok(found)
}

async fn body(http: &Client, url: &Url) -> Result<Vec<u8>, FetchError> {
    let mut response = http
        .get(url.clone())
        .send()
        .await
        .map_err(FetchError::Request)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(FetchError::Request)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
