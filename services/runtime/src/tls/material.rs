//! What is in the folder, parsed: a certificate with its key, and whom it trusts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

/// A folder could not be used. The text names the file and never its content.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("read \"{}\"", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file is no PEM of the expected kind.
    #[error("parse \"{}\"", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where it is wrong.
        #[source]
        source: pem::Error,
    },
    /// A file has no certificate in it.
    #[error("\"{}\" has no certificate in it", .0.display())]
    Empty(PathBuf),
    /// `tls.crt` and `tls.key` are not of one pair, or of a kind that is not known.
    #[error("use the certificate and key in \"{}\"", dir.display())]
    Pair {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
    /// A certificate in `ca.crt` cannot be trusted.
    #[error("trust \"{}\"", path.display())]
    Trust {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rustls::Error,
    },
    /// The other side is to be checked, and there is nothing to check it by.
    #[error("\"{}\" has no ca.crt to check the other side by", .0.display())]
    NoAuthorities(PathBuf),
    /// A name that no certificate can carry.
    #[error("\"{0}\" is no name of a certificate")]
    Name(String),
    /// TLS itself refuses the configuration.
    #[error("configure TLS")]
    Configure(#[source] rustls::Error),
}

/// The files as they are, to see whether they changed.
#[derive(PartialEq, Eq)]
pub(super) struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

impl Files {
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn read(dir: &Path) -> Result<Self, TlsError> {
        let read = |name| {
            let path = dir.join(name);
            fs::read(&path).map_err(|source| TlsError::Read { path, source })
        };
        let authorities = match read("ca.crt") {
            Ok(bytes) => Some(bytes),
            Err(TlsError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self {
            certificate: read("tls.crt")?,
            key: read("tls.key")?,
            authorities,
        })
    }
}

/// What the files say.
#[derive(Debug)]
pub(super) struct Material {
    pub(super) own: Arc<CertifiedKey>,
    /// From `ca.crt`; nothing where there is none.
    pub(super) authorities: Option<Arc<RootCertStore>>,
}

impl Material {
    pub(super) fn parse(
        dir: &Path,
        files: &Files,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let chain = certificates(&dir.join("tls.crt"), &files.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&files.key).map_err(|source| TlsError::Parse {
            path: dir.join("tls.key"),
            source,
        })?;
        let own =
            CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Pair {
                dir: dir.to_owned(),
                source,
            })?;
        let authorities = files
            .authorities
            .as_ref()
            .map(|bytes| authorities(&dir.join("ca.crt"), bytes))
            .transpose()?;
        Ok(Self {
            own: Arc::new(own),
            authorities,
        })
    }

    /// The DNS names in the own certificate.
    pub(super) fn dns_names(&self) -> Vec<String> {
        let Some(Ok(leaf)) = self.own.cert.first().map(EndEntityCert::try_from) else {
            return Vec::new();
        };
        leaf.valid_dns_names().map(str::to_owned).collect()
    }
}

fn authorities(path: &Path, bytes: &[u8]) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, bytes)? {
        roots.add(certificate).map_err(|source| TlsError::Trust {
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(Arc::new(roots))
}

fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Parse {
            path: path.to_owned(),
            source,
        })?;
    if certificates.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(certificates)
}
