//! Whose certificates of database nodes are believed.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::error::Error;

/// Certificate authorities: with them every connection is TLS. A node's certificate must name the
/// address it is reached by (an IP entry), because the driver knows nodes by address.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<ClientConfig>);

impl Authorities {
    /// Reads a PEM bundle of one or more certificates.
    ///
    /// # Errors
    /// [`Error::ReadAuthorities`] if there is none in it or one of them cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let unreadable =
            |error: Box<dyn std::error::Error + Send + Sync>| Error::ReadAuthorities(error);
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unreadable(error.into()))?;
            roots
                .add(certificate)
                .map_err(|error| unreadable(error.into()))?;
        }
        if roots.is_empty() {
            return Err(unreadable("there is no certificate in it".into()));
        }
        // Named, because the driver brings a second provider along and rustls would not choose.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreadable(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}
