//! The node's DTLS identity: one self-signed certificate that all its peers share, which is what
//! makes a join cheap.

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

/// A self-signed ECDSA P-256 certificate with its key and the DTLS settings of the node. Cheap to
/// clone.
#[derive(Clone)]
pub struct Certificate {
    certificate_der: Arc<[u8]>,
    key_der: Arc<[u8]>,
    dtls: Arc<dimpl::Config>,
    fingerprint: Fingerprint,
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeCertificateError {
    /// The key pair or the signature.
    #[error("make a self-signed certificate")]
    Sign(#[source] rcgen::Error),
    /// The DTLS settings do not fit together.
    #[error("configure the DTLS server")]
    Configure(#[source] dimpl::Error),
}

impl Certificate {
    /// Draws a key from the system's randomness and signs a certificate with it.
    ///
    /// # Errors
    /// When the system has no randomness, or the DTLS library refuses its settings.
    pub fn generate() -> Result<Self, MakeCertificateError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(MakeCertificateError::Sign)?;
        let mut params =
            rcgen::CertificateParams::new(Vec::new()).map_err(MakeCertificateError::Sign)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "gryt");
        let certificate = params
            .self_signed(&key)
            .map_err(MakeCertificateError::Sign)?;
        let dtls = dimpl::Config::builder()
            // Only an ICE-validated path reaches the server and the peer caps what an unproven
            // path gets, so the cookie's extra round trip would protect nobody.
            .use_server_cookie(false)
            .require_client_certificate(true)
            .mtu(DTLS_MTU)
            .flight_start_rto(FLIGHT_START_RTO)
            .flight_retries(FLIGHT_RETRIES)
            .handshake_timeout(super::CONNECT_TIMEOUT)
            .build()
            .map_err(MakeCertificateError::Configure)?;
        Ok(Self {
            fingerprint: Fingerprint::of(certificate.der()),
            certificate_der: certificate.der().as_ref().into(),
            key_der: key.serialize_der().into(),
            dtls: Arc::new(dtls),
        })
    }

    /// The certificate's fingerprint, as it stands in an offer.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    pub(super) fn dtls_config(&self) -> Arc<dimpl::Config> {
        Arc::clone(&self.dtls)
    }

    pub(super) fn dtls_certificate(&self) -> dimpl::DtlsCertificate {
        dimpl::DtlsCertificate {
            certificate: self.certificate_der.to_vec(),
            private_key: self.key_der.to_vec(),
        }
    }
}

/// The key stays out of logs.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// SHA-256 over a certificate's DER (RFC 8122).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(certificate_der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, certificate_der).as_ref());
        Self(bytes)
    }

    /// Takes the value of an `a=fingerprint` line: `sha-256 AB:CD:…`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (algorithm, hex) = value.trim().split_once(' ')?;
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            return None;
        }
        let mut bytes = [0; 32];
        let mut pairs = hex.trim().split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2)?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        pairs.next().is_none().then_some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

/// Leaves room for IPv6, UDP and a TURN channel in 1280 bytes.
const DTLS_MTU: usize = 1150;
/// A call's set-up must not wait a whole second for one lost datagram.
const FLIGHT_START_RTO: std::time::Duration = std::time::Duration::from_millis(250);
const FLIGHT_RETRIES: usize = 7;
