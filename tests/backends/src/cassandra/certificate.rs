//! The node's certificate, by an authority of its own.

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// PEM texts.
pub(super) struct Certificate {
    /// Whom a client must trust.
    pub(super) authority: String,
    /// What the node keeps: its key and its certificate, for 127.0.0.1.
    pub(super) key_and_chain: String,
}

impl Certificate {
    pub(super) fn issue() -> Result<Self> {
        let authority_key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(params, authority_key);
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
        let leaf = leaf.signed_by(&key, &issuer)?.pem();
        Ok(Self {
            authority,
            key_and_chain: format!("{}{leaf}", key.serialize_pem()),
        })
    }
}
