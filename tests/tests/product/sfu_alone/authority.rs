//! Certificates as the operator issues them: one authority per server, a leaf per process.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// The server that the SFU under test belongs to.
pub(crate) const SERVER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaa";

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate with its key.
pub(crate) struct Leaf {
    certificate: String,
    key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn issue(&self, name: &str) -> Leaf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        Leaf {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn signaling(&self) -> Leaf {
        self.issue(&format!("signaling.{SERVER}.gryt"))
    }

    pub(crate) fn sfu(&self) -> Leaf {
        self.issue(&format!("sfu.{SERVER}.gryt"))
    }
}

impl Leaf {
    /// Fills a folder as a mounted Secret has it.
    pub(crate) fn fill(&self, dir: &Path, trusted: &[&Authority]) {
        let bundle: String = trusted.iter().map(|ca| ca.pem.as_str()).collect();
        for (name, text) in [
            ("ca.crt", &bundle),
            ("tls.crt", &self.certificate),
            ("tls.key", &self.key),
        ] {
            std::fs::write(dir.join(name), text).unwrap();
        }
    }
}

/// A client that shows this certificate, if any, and trusts these authorities.
pub(crate) fn client(leaf: Option<&Leaf>, trusted: &[&Authority]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for ca in trusted {
        let certificate = CertificateDer::from_pem_slice(ca.pem.as_bytes()).unwrap();
        roots.add(certificate).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match leaf {
        Some(leaf) => {
            let certificate = CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
            builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}
