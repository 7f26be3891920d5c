//! One server with all it stands on, and the conditions that tests wait for.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gryt_bus::{Bus, LocalBus, LogEpoch, Presence, Quotas};
use gryt_issuer::{AllowedOrigins, Invites, IssuerConfig, Registration};
use gryt_model::ServerId;
use gryt_signaling::data_dir::DataDir;
use gryt_signaling::files::FilesConfig;
use gryt_signaling::issuers::Issuers;
use gryt_signaling::{
    Limits, OriginPolicy, Ports, RunError, Signaling, SignalingConfig, first_channels,
};
use gryt_store::{FirstOpen, Server, SqliteStore, Store};
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::issuer::Issuer;
use crate::sfu::Sfu;

/// One signaling process, and what it stands on.
pub(crate) struct World {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) sfu: Sfu,
    pub(crate) address: SocketAddr,
    sfus: Vec<(String, tonic::transport::Channel)>,
    back_ends: Option<BackEnds>,
    folder: Arc<TempDir>,
    limits: Limits,
    files: Option<FilesConfig>,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
    serving: JoinHandle<()>,
}

/// What several processes of one server share.
#[derive(Clone)]
struct BackEnds {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
}

impl BackEnds {
    fn open(folder: &Path) -> Self {
        let epoch = LogEpoch::from_random([9; 16]);
        Self {
            store: Arc::new(store(folder)),
            bus: Arc::new(LocalBus::open(&folder.join("log.sqlite"), &epoch).unwrap()),
        }
    }
}

pub(crate) fn server_id() -> ServerId {
    ServerId::from_random([7; 16])
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let (sfu, channel) = Sfu::start();
        Self::on(limits, vec![(sfu, channel)]).await
    }

    /// With these SFUs.
    pub(crate) async fn on(limits: Limits, sfus: Vec<(Sfu, tonic::transport::Channel)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let back_ends = BackEnds::open(folder.path());
        let sfu = sfus[0].0.clone();
        let channels = sfus
            .into_iter()
            .map(|(_, channel)| ("an SFU".to_owned(), channel));
        let parts = Parts {
            issuer: Arc::new(Issuer::start().await),
            sfu,
            sfus: channels.collect(),
            back_ends,
            folder: Arc::new(folder),
            limits,
            files: None,
        };
        parts.start().await
    }

    /// Keeps files of messages.
    pub(crate) async fn with_files(files: FilesConfig) -> Self {
        let (sfu, channel) = Sfu::start();
        let folder = tempfile::tempdir().unwrap();
        let back_ends = BackEnds::open(folder.path());
        let parts = Parts {
            issuer: Arc::new(Issuer::start().await),
            sfu,
            sfus: vec![("an SFU".to_owned(), channel)],
            back_ends,
            folder: Arc::new(folder),
            limits: Limits::default(),
            files: Some(files),
        };
        parts.start().await
    }

    /// Another process of the same server.
    pub(crate) async fn replica(&self) -> Self {
        let parts = Parts {
            issuer: Arc::clone(&self.issuer),
            sfu: self.sfu.clone(),
            sfus: self.sfus.clone(),
            back_ends: self.back_ends.clone().unwrap(),
            folder: Arc::clone(&self.folder),
            limits: self.limits.clone(),
            files: self.files.clone(),
        };
        parts.start().await
    }

    /// Tells the server to stop and waits until its background work has ended.
    pub(crate) async fn stop(&mut self) {
        self.stop.cancel();
        (&mut self.running).await.unwrap().unwrap();
        self.serving.abort();
    }

    /// Starts again on the same files.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop().await;
        self.back_ends = None;
        let back_ends = BackEnds::open(self.folder.path());
        let parts = Parts {
            issuer: Arc::clone(&self.issuer),
            sfu: self.sfu.clone(),
            sfus: self.sfus.clone(),
            back_ends,
            folder: Arc::clone(&self.folder),
            limits: self.limits.clone(),
            files: self.files.clone(),
        };
        parts.serve().await
    }

    pub(crate) fn token(&self, name: &str) -> String {
        self.token_for(name, 300)
    }

    pub(crate) fn token_for(&self, name: &str, seconds: i64) -> String {
        let claims = Issuer::claims(name, server_id().as_str(), seconds);
        self.issuer.sign(&claims)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(self.url(path)).await.unwrap()
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"));
    }
}

/// What a process is started with.
struct Parts {
    issuer: Arc<Issuer>,
    sfu: Sfu,
    sfus: Vec<(String, tonic::transport::Channel)>,
    back_ends: BackEnds,
    folder: Arc<TempDir>,
    limits: Limits,
    files: Option<FilesConfig>,
}

impl Parts {
    /// Starts it, and waits until it watches the first SFU.
    async fn start(self) -> World {
        let watches = self.sfu.watches();
        let world = self.serve().await;
        world
            .until("the SFU is watched", |world| world.sfu.watches() > watches)
            .await;
        world
    }

    async fn serve(self) -> World {
        let Self {
            issuer,
            sfu,
            sfus,
            back_ends,
            folder,
            limits,
            files,
        } = self;
        let data = DataDir::at(folder.path().join("data"));
        let open = |files: FilesConfig| files.open(&data, &server_id()).unwrap();
        let ports = Ports {
            store: Arc::clone(&back_ends.store),
            bus: Arc::clone(&back_ends.bus),
            presence: Presence::local(),
            quotas: Quotas::local(),
            sfus: sfus.clone(),
            verifier: issuer.verifier(server_id().as_str()),
            invites: Some(invites(folder.path())),
            files: files.clone().map(open),
            registry: Registry::default(),
        };
        let signaling = Signaling::new(config(limits.clone()), ports);
        let router = signaling.router().merge(signaling.probes_router());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = router.into_make_service_with_connect_info::<SocketAddr>();
        let stop = CancellationToken::new();
        World {
            issuer,
            sfu,
            address,
            sfus,
            back_ends: Some(back_ends),
            folder,
            limits,
            files,
            serving: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
            running: tokio::spawn(signaling.run(stop.clone())),
            stop,
        }
    }
}

pub(crate) fn store(folder: &Path) -> SqliteStore {
    let first = FirstOpen {
        server: Server {
            id: server_id(),
            name: "Test".into(),
        },
        channels: first_channels().unwrap(),
    };
    SqliteStore::open(&folder.join("store.sqlite"), first).unwrap()
}

pub(crate) fn config(limits: Limits) -> SignalingConfig {
    SignalingConfig {
        socket_url: "/ws".to_owned(),
        issuers: Issuers::default().offers("/issuer".to_owned()),
        reached_by_tls: false,
        by_invite: false,
        origins: OriginPolicy {
            allowed: vec!["https://chat.example.org".to_owned()],
            loopback_allowed: true,
        },
        limits,
    }
}

/// The invites of an issuer that nobody signs in at.
fn invites(folder: &Path) -> Invites {
    let config = IssuerConfig {
        database: folder.join("issuer.sqlite"),
        issuer: "http://localhost/issuer".to_owned(),
        audience: server_id().to_string(),
        server_name: "Test".to_owned(),
        origins: AllowedOrigins::default(),
        registration: Registration::Open,
    };
    let now = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    gryt_issuer::Issuer::open(config, now).unwrap().invites()
}
