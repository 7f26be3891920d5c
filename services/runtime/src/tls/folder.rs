//! The folder itself: what new connections use, and the watch that notices a change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};
use tokio_util::sync::CancellationToken;

use super::identity::{Part, server_in};
use super::material::{Files, Material, TlsError};
use super::verify::{NamedClient, NamedServer};
use crate::occupancy::OccupancyKey;

/// How often the files are compared. Kubernetes itself takes up to a minute to swap a Secret.
const EVERY: Duration = Duration::from_secs(3);

/// Whom a server lets in.
#[derive(Debug, Clone)]
pub enum ClientAuth {
    /// Anybody, by TLS 1.2 or 1.3.
    Anybody,
    /// Only who has a certificate by `ca.crt` with this DNS name, by TLS 1.3.
    Named(String),
}

/// A folder with `tls.crt`, `tls.key` and, to check the other side, `ca.crt`. Clones share one
/// state: configurations made from any of them use what the folder held when it was last good.
#[derive(Clone)]
pub struct TlsFolder {
    current: Arc<Current>,
}

/// What is in use now.
pub(super) struct Current {
    dir: PathBuf,
    pub(super) provider: Arc<CryptoProvider>,
    used: RwLock<(Files, Arc<Material>)>,
}

impl fmt::Debug for TlsFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current.fmt(f)
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFolder")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

impl Current {
    pub(super) fn material(&self) -> Arc<Material> {
        let used = self.used.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&used.1)
    }
}

impl TlsFolder {
    /// Reads the folder.
    ///
    /// # Errors
    /// A file that is missing or wrong, or a key that is not the certificate's.
    pub fn open(dir: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let files = Files::read(dir)?;
        let material = Arc::new(Material::parse(dir, &files, &provider)?);
        Ok(Self {
            current: Arc::new(Current {
                dir: dir.to_owned(),
                provider,
                used: RwLock::new((files, material)),
            }),
        })
    }

    /// For a server: shows the certificate that is in the folder when a connection begins. No
    /// session is resumed, so that every connection is checked by today's `ca.crt`.
    ///
    /// # Errors
    /// Clients are to be checked and there is no `ca.crt`, or the name is none.
    pub fn server_config(&self, clients: ClientAuth) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.current.provider));
        let resolver = Arc::new(Resolver(Arc::clone(&self.current)));
        let config = match clients {
            ClientAuth::Anybody => builder
                .with_safe_default_protocol_versions()
                .map_err(TlsError::Configure)?
                .with_no_client_auth()
                .with_cert_resolver(resolver),
            ClientAuth::Named(name) => {
                let verifier = NamedClient {
                    current: self.checking()?,
                    name: server_name(&name)?,
                };
                let mut config = builder
                    .with_protocol_versions(&[&rustls::version::TLS13])
                    .map_err(TlsError::Configure)?
                    .with_client_cert_verifier(Arc::new(verifier))
                    .with_cert_resolver(resolver);
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
                config
            }
        };
        Ok(config)
    }

    /// For a client: shows the folder's certificate, and goes on only with a server whose
    /// certificate is by `ca.crt` and carries `name`, whatever address it is reached at.
    ///
    /// # Errors
    /// There is no `ca.crt`, or the name is none.
    pub fn client_config(&self, name: &str) -> Result<ClientConfig, TlsError> {
        let verifier = NamedServer {
            current: self.checking()?,
            name: server_name(name)?,
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.current.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Configure)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Resolver(Arc::clone(&self.current))));
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// The server that the folder's certificate names for `part`: what an SFU that was told no
    /// server id goes by.
    #[must_use]
    pub fn server_of(&self, part: Part) -> Option<String> {
        let names = self.current.material().dns_names();
        names
            .iter()
            .find_map(|name| server_in(name, part))
            .map(str::to_owned)
    }

    /// The key by which the operator may ask how busy the owner of the folder is.
    #[must_use]
    pub fn occupancy_key(&self) -> OccupancyKey {
        let used = self
            .current
            .used
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        OccupancyKey::derive(used.0.key())
    }

    /// Reads the folder again. Whether something changed; on an error what was good stays in use.
    ///
    /// # Errors
    /// As [`TlsFolder::open`], and when a `ca.crt` that was there is gone.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let current = &self.current;
        let files = Files::read(&current.dir)?;
        {
            let used = current.used.read().unwrap_or_else(PoisonError::into_inner);
            if used.0 == files {
                return Ok(false);
            }
        }
        let material = Material::parse(&current.dir, &files, &current.provider)?;
        if material.authorities.is_none() && current.material().authorities.is_some() {
            return Err(TlsError::NoAuthorities(current.dir.clone()));
        }
        let mut used = current.used.write().unwrap_or_else(PoisonError::into_inner);
        *used = (files, Arc::new(material));
        Ok(true)
    }

    /// Compares the files every few seconds until `stop`. A swap that is seen half done is wrong
    /// as a whole, and good the next time.
    pub async fn watch(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        let mut failing = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let dir = self.current.dir.display();
            match self.reload() {
                Ok(true) => tracing::info!(%dir, "certificates were read again"),
                Ok(false) => {}
                Err(error) if !failing => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, %dir, "keeping the certificates as they were");
                    failing = true;
                    continue;
                }
                Err(_) => continue,
            }
            failing = false;
        }
    }

    fn checking(&self) -> Result<Arc<Current>, TlsError> {
        if self.current.material().authorities.is_none() {
            return Err(TlsError::NoAuthorities(self.current.dir.clone()));
        }
        Ok(Arc::clone(&self.current))
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
}

/// Shows what the folder holds at the moment.
#[derive(Debug)]
struct Resolver(Arc<Current>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.material().own))
    }
}

impl ResolvesClientCert for Resolver {
    fn resolve(&self, _hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let own = Arc::clone(&self.0.material().own);
        own.key.choose_scheme(schemes).is_some().then_some(own)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
