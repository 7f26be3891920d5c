//! One server with all it stands on, and the conditions that tests wait for.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gryt_bus::{LocalBus, LogEpoch};
use gryt_issuer::{AllowedOrigins, Invites, IssuerConfig, Registration};
use gryt_model::ServerId;
use gryt_signaling::{
    Limits, OriginPolicy, Ports, RunError, Signaling, SignalingConfig, first_channels,
};
use gryt_store::{FirstOpen, Server, SqliteStore};
use prometheus_client::registry::Registry;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::issuer::Issuer;
use crate::sfu::Sfu;

pub(crate) struct World {
    pub(crate) issuer: Issuer,
    pub(crate) sfu: Sfu,
    pub(crate) address: SocketAddr,
    sfu_channel: tonic::transport::Channel,
    folder: TempDir,
    limits: Limits,
    stop: CancellationToken,
    running: JoinHandle<Result<(), RunError>>,
    serving: JoinHandle<()>,
}

pub(crate) fn server_id() -> ServerId {
    ServerId::from_random([7; 16])
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issuer = Issuer::start().await;
        let (sfu, sfu_channel) = Sfu::start().await;
        let stop = CancellationToken::new();
        let (address, running, serving) = serve(
            folder.path(),
            &issuer,
            sfu_channel.clone(),
            limits.clone(),
            &stop,
        )
        .await;
        let world = Self {
            issuer,
            sfu,
            address,
            sfu_channel,
            folder,
            limits,
            stop,
            running,
            serving,
        };
        world
            .until("the SFU is watched", |world| world.sfu.watches() > 0)
            .await;
        world
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
        self.stop = CancellationToken::new();
        (self.address, self.running, self.serving) = serve(
            self.folder.path(),
            &self.issuer,
            self.sfu_channel.clone(),
            self.limits.clone(),
            &self.stop,
        )
        .await;
        self
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

async fn serve(
    folder: &Path,
    issuer: &Issuer,
    sfu: tonic::transport::Channel,
    limits: Limits,
    stop: &CancellationToken,
) -> (SocketAddr, JoinHandle<Result<(), RunError>>, JoinHandle<()>) {
    let store = store(folder);
    let epoch = LogEpoch::from_random([9; 16]);
    let bus = LocalBus::open(&folder.join("log.sqlite"), &epoch).unwrap();
    let ports = Ports {
        store: Arc::new(store),
        bus: Arc::new(bus),
        sfu,
        verifier: issuer.verifier(server_id().as_str()),
        invites: Some(invites(folder)),
        registry: Registry::default(),
    };
    let signaling = Signaling::new(config(limits), ports);
    let router = signaling.router().merge(signaling.probes_router());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let running = tokio::spawn(signaling.run(stop.clone()));
    (address, running, serving)
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
        issuer_url: "/issuer".to_owned(),
        client_id: "gryt-web".to_owned(),
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
