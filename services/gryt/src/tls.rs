//! TLS for `--lan`.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use crate::certificate::Certificate;

/// Accepts connections with the certificate.
pub(crate) fn acceptor(certificate: &Certificate) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choose TLS versions")?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.certificate.clone()],
            certificate.key.clone_key(),
        )
        .context("use the certificate")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
