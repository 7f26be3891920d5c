//! How a test reaches a site: as its URL says, or by an address that no name server knows, over TLS
//! that a test's authority vouches for.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client as Http};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

/// Where to connect, and whom to trust.
#[derive(Debug, Clone, Default)]
pub struct Way {
    secure: Option<Secure>,
}

#[derive(Debug, Clone)]
struct Secure {
    address: SocketAddr,
    authority: Arc<[u8]>,
}

/// A connection, with TLS or without.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + std::fmt::Debug> Connection for T {}

impl Way {
    /// By https to `address`, whatever the URL's host resolves to.
    ///
    /// `authority`: the certificate of the only authority that is trusted, as PEM.
    #[must_use]
    pub fn secure(address: SocketAddr, authority: &[u8]) -> Self {
        Self {
            secure: Some(Secure {
                address,
                authority: authority.into(),
            }),
        }
    }

    /// An HTTP client for `url` that shows redirects instead of following them.
    ///
    /// # Errors
    /// When the authority is no certificate.
    pub fn http(&self, url: &Url) -> Result<Http> {
        let mut http = Http::builder().redirect(Policy::none());
        if let Some(Secure { address, authority }) = &self.secure {
            let host = url.host_str().context("a URL without a host")?;
            http = http
                .tls_built_in_root_certs(false)
                .add_root_certificate(Certificate::from_pem(authority)?)
                .resolve(host, *address);
        }
        Ok(http.build()?)
    }

    /// Connects to the host of `url`.
    ///
    /// # Errors
    /// When nobody listens, or the certificate is not good.
    pub async fn connect(&self, url: &Url) -> Result<Box<dyn Connection>> {
        let host = url.host_str().context("a URL without a host")?;
        let Some(Secure { address, authority }) = &self.secure else {
            let port = url
                .port_or_known_default()
                .context("a URL without a port")?;
            // Brackets of an IPv6 address belong to the URL alone.
            let host = host.trim_matches(['[', ']']);
            return Ok(Box::new(TcpStream::connect((host, port)).await?));
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned())?;
        let stream = TcpStream::connect(address).await?;
        let secure = TlsConnector::from(Arc::new(config)).connect(name, stream);
        Ok(Box::new(secure.await?))
    }
}
