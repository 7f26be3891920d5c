//! A server with the issuer of its accounts on the same port as everything else, unless they are
//! elsewhere; in one folder, or on other back ends. What `gryt` and `gryt-signaling` are both made of.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use axum::Router;
use gryt_issuer::{AllowedOrigins, Issuer, IssuerConfig, Registration};
use gryt_runtime::http::{self, Site, TrustedProxies};
use gryt_store::Server;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use crate::data_dir::DataDir;
use crate::files::{FilesConfig, OpenFilesError};
pub use crate::foundation::Naming;
use crate::foundation::{Foundation, FoundationError};
use crate::issuers::{Issuers, IssuersError, OWN};
use crate::{
    Algorithm, Files, KeySource, Limits, OriginPolicy, Ports, Signaling, SignalingConfig, Verifier,
};

/// Where the issuer is on the one port.
const ISSUER_PATH: &str = "/issuer";

/// What a server in a folder has to know.
#[derive(Debug)]
pub struct LocalConfig {
    /// Who it is, and what it is called.
    pub naming: Naming,
    /// The one origin that tokens name. No slash at its end.
    pub public: String,
    /// Whether clients are told `public`, or stay at the address that they came by: a laptop has
    /// several.
    pub only_public: bool,
    /// All origins whose pages may talk to it and sign in.
    pub origins: OriginPolicy,
    /// Where people sign in.
    pub issuers: Issuers,
    /// Who may make an account of the server's own.
    pub registration: Registration,
    /// Where files of messages are; `None` if it takes none.
    pub files: Option<FilesConfig>,
    /// What one client may use up.
    pub limits: Limits,
}

/// A folder could not be served.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Its data or events.
    #[error(transparent)]
    Foundation(#[from] FoundationError),
    /// The files.
    #[error("prepare the files of messages")]
    OpenFiles(#[source] OpenFilesError),
    /// The accounts' file.
    #[error("open the accounts")]
    OpenIssuer(#[source] gryt_issuer::DatabaseError),
    /// No port on this machine's own address.
    #[error("publish the issuer's keys to this process")]
    PublishKeys(#[source] std::io::Error),
    /// The keys' address is none.
    #[error("name the issuer's keys")]
    NameKeys(#[source] url::ParseError),
    /// Issuers elsewhere.
    #[error("rely on the issuers")]
    UseIssuers(#[source] IssuersError),
}

/// A server whose files are open.
#[derive(Debug)]
pub struct Local {
    config: LocalConfig,
    foundation: Foundation,
    files: Option<Files>,
    own: Option<OwnAccounts>,
    verifier: Verifier,
}

/// The issuer of the server's own accounts, and where its keys will be published.
#[derive(Debug)]
struct OwnAccounts {
    issuer: Issuer,
    keys: TcpListener,
}

/// A server that is ready to be served and run.
#[derive(Debug)]
pub struct Started {
    /// To be run.
    pub signaling: Signaling,
    /// Every path that browsers ask for.
    pub router: Router,
    /// To be run beside it.
    pub keys: Keys,
}

/// Publishes the issuer's keys to this process alone, plain and on this machine's own address:
/// tokens are checked as those of an issuer elsewhere, whatever certificate the public port shows.
/// Nothing where all accounts are elsewhere.
#[derive(Debug)]
pub struct Keys {
    own: Option<(TcpListener, Router)>,
}

impl Local {
    /// Opens the files in the folder, or makes them. The caller holds the folder's lock.
    ///
    /// # Errors
    /// A file that cannot be used, or one of another server.
    pub async fn open(
        data: &DataDir,
        config: LocalConfig,
        now: SystemTime,
    ) -> Result<Self, LocalError> {
        let foundation = Foundation::in_folder(data, &config.naming).await?;
        Self::on(foundation, data, config, now).await
    }

    /// On data and events that are open, wherever they are. The folder has the accounts, unless they
    /// are elsewhere, too.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub async fn on(
        foundation: Foundation,
        data: &DataDir,
        config: LocalConfig,
        now: SystemTime,
    ) -> Result<Self, LocalError> {
        let server = foundation.store.server();
        let own = if config.issuers.has_own() {
            let issuer = Issuer::open(issuer_config(data, &config, server), now)
                .map_err(LocalError::OpenIssuer)?;
            let keys = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .map_err(LocalError::PublishKeys)?;
            Some(OwnAccounts { issuer, keys })
        } else {
            None
        };
        let verifier = verifier(own.as_ref(), &config, server)?;
        let files = config.files.clone();
        let files = files.map(|files| files.open(data, &server.id)).transpose();
        let files = files.map_err(LocalError::OpenFiles)?;
        Ok(Self {
            config,
            foundation,
            files,
            own,
            verifier,
        })
    }

    /// Puts signaling and issuer together. Whoever else counts has registered in `registry`.
    #[must_use]
    pub fn start(self, sfus: Vec<(String, Channel)>, registry: Registry) -> Started {
        let Self {
            config,
            foundation,
            files,
            own,
            verifier,
        } = self;
        let Foundation {
            store,
            bus,
            presence,
            quotas,
        } = foundation;
        let ports = Ports {
            store,
            bus,
            presence,
            quotas,
            sfus,
            verifier,
            invites: own.as_ref().map(|own| own.issuer.invites()),
            files,
            registry,
        };
        let signaling = Signaling::new(signaling_config(config), ports);
        let router = match &own {
            Some(own) => Router::new().nest(ISSUER_PATH, own.issuer.router()),
            None => Router::new(),
        };
        Started {
            router: router.merge(signaling.router()),
            signaling,
            keys: Keys {
                own: own.map(|own| (own.keys, own.issuer.keys_router())),
            },
        }
    }
}

impl Keys {
    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let Some((listener, router)) = self.own else {
            return stop.cancelled().await;
        };
        let site = Site {
            router,
            tls: None,
            proxies: TrustedProxies::default(),
        };
        http::serve(listener, site, stop).await;
    }
}

fn issuer_config(data: &DataDir, config: &LocalConfig, server: &Server) -> IssuerConfig {
    let mut origins = AllowedOrigins::new(config.origins.allowed.iter().cloned());
    if config.origins.loopback_allowed {
        origins = origins.and_loopback();
    }
    IssuerConfig {
        database: data.issuer_db(),
        issuer: format!("{}{ISSUER_PATH}", config.public),
        audience: server.id.to_string(),
        server_name: server.name.to_string(),
        origins,
        registration: config.registration.clone(),
    }
}

/// Own tokens are checked by the keys that the issuer publishes, as those of issuers elsewhere.
fn verifier(
    own: Option<&OwnAccounts>,
    config: &LocalConfig,
    server: &Server,
) -> Result<Verifier, LocalError> {
    let mut issuers = config
        .issuers
        .checks(&server.id)
        .map_err(LocalError::UseIssuers)?;
    if let Some(own) = own {
        let address = own.keys.local_addr().map_err(LocalError::PublishKeys)?;
        let keys = format!("http://{address}/jwks");
        issuers.push(crate::IssuerConfig {
            name: OWN.into(),
            issuer: format!("{}{ISSUER_PATH}", config.public),
            keys: KeySource::Jwks(keys.parse().map_err(LocalError::NameKeys)?),
            ca_file: None,
            audience: server.id.to_string(),
            authorized_parties: Vec::new(),
            algorithms: vec![Algorithm::Es256],
            // One clock signs and checks.
            leeway: Duration::ZERO,
        });
    }
    Ok(Verifier::new(issuers))
}

fn signaling_config(config: LocalConfig) -> SignalingConfig {
    let LocalConfig {
        naming: _,
        public,
        only_public,
        origins,
        issuers,
        registration,
        files: _,
        limits,
    } = config;
    let (socket_url, own_url) = if only_public {
        let socket = public.replacen("http", "ws", 1);
        (format!("{socket}/ws"), format!("{public}{ISSUER_PATH}"))
    } else {
        ("/ws".to_owned(), ISSUER_PATH.to_owned())
    };
    SignalingConfig {
        socket_url,
        issuers: issuers.offers(own_url),
        reached_by_tls: public.starts_with("https://"),
        by_invite: matches!(registration, Registration::ByInvite { .. }),
        origins,
        limits,
    }
}
