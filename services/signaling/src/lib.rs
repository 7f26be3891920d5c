//! Signaling: HTTP and WebSocket to browsers, gRPC to SFUs.
//!
//! The roads: `ws/upgrade` lets a socket in, `ws/session` reads its requests, `operations` does
//! what chat and members need, `voice` owns the rooms and calls the SFU, the bus carries what
//! happened to `fanout`, and `live` hands it to every session that may see it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{any, get};
use gryt_blobs::Folder;
use gryt_bus::{Bus, Presence, Quotas, Subscription};
use gryt_issuer::Invites;
use gryt_model::{ChannelId, ChannelKind, Epoch, InvalidId, WatcherId};
use gryt_rooms::Start;
use gryt_runtime::{Readiness, health_router, metrics_router};
use gryt_store::{NewChannel, Store};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, SetOnce, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

mod auth;
pub mod cli;
mod clock;
mod config;
mod convert;
pub mod data_dir;
mod entropy;
mod fanout;
pub mod files;
mod found;
pub mod foundation;
pub mod issuers;
mod live;
pub mod local;
mod metrics;
mod operations;
mod origins;
mod refusal;
mod rest;
pub mod sfu_channel;
mod shared;
mod voice;
mod web_client;
mod well_known;
mod ws;

pub use auth::{
    Algorithm, AuthError, AuthoritiesError, Claims, IssuerConfig, KeySource, MAX_TOKEN_BYTES,
    Verifier,
};
pub use config::{Limits, OriginPolicy, SignalingConfig, public_url};
pub use files::Files;

use fanout::Fanout;
use live::Live;
use metrics::Metrics;
use operations::Operations;
use origins::Origins;
use shared::Shared;
use voice::{Caller, Keeper, Node, Voice};
use ws::Sockets;

/// What signaling stands on.
#[derive(Debug)]
pub struct Ports {
    /// Messages, members, channels.
    pub store: Arc<dyn Store>,
    /// Events.
    pub bus: Arc<dyn Bus>,
    /// Who is online.
    pub presence: Presence,
    /// Limits that hold over all processes.
    pub quotas: Quotas,
    /// The SFUs, each with its address as the log shows it.
    pub sfus: Vec<(String, Channel)>,
    /// Checks tokens.
    pub verifier: Verifier,
    /// Invites to make an account, where the server has accounts of its own.
    pub invites: Option<Invites>,
    /// Where files are, if the server keeps any.
    pub files: Option<Files>,
    /// Where `/metrics` reads from: whoever else counts has registered before.
    pub registry: Registry,
}

/// A signaling server that is ready to be served and run.
#[derive(Debug)]
pub struct Signaling {
    config: Arc<SignalingConfig>,
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    readiness: Readiness,
    events: Subscription,
    presence: Presence,
    keeper: Keeper,
    nodes: Vec<Node>,
    files: Option<files::Chores>,
    doors: Option<Folder>,
}

/// How long sockets may take to say goodbye.
const FAREWELL: Duration = Duration::from_millis(500);

impl Signaling {
    /// Puts the parts together. Nothing runs before [`Signaling::run`].
    #[must_use]
    pub fn new(config: SignalingConfig, ports: Ports) -> Self {
        let Ports {
            store,
            bus,
            presence,
            quotas,
            sfus,
            verifier,
            invites,
            files,
            mut registry,
        } = ports;
        let metrics = Metrics::register(&mut registry);
        let (voice, letters) = Voice::new(store.server().id.clone());
        let watcher = WatcherId::from_random(entropy::bits());
        let caller = Caller::new(watcher.clone(), metrics.clone());
        let node =
            |(address, channel): (String, Channel)| Node::new(&address, channel, caller.clone());
        let nodes: Vec<Node> = sfus.into_iter().map(node).collect();
        let live = Arc::new(Live::new(presence.clone(), metrics.clone()));
        let start = Start {
            watcher,
            // Above every earlier process of this server, as long as its clock does not run back.
            epoch: Epoch(clock::unix_ms()),
            first_participant: entropy::participant(),
            capacity: config.limits.room_capacity,
        };
        let keeper = Keeper::new(
            start,
            nodes.clone(),
            Arc::clone(&live),
            metrics.clone(),
            (&voice, letters),
        );
        let limits = config.limits.clone();
        let doors = files.as_ref().and_then(|files| files.folder.clone());
        let files = files.map(|files| files::prepare(files, &store));
        let (shelf, files) = files.unzip();
        let shared = Shared {
            origins: Origins::new(config.origins.clone()),
            verifier,
            operations: Operations::new(store, Arc::clone(&bus), invites, quotas.clone(), shelf),
            live,
            voice,
            sockets: Sockets::new(limits.sockets_per_address, limits.sockets_per_user, &quotas),
            limits,
            metrics,
            begun: Arc::default(),
            stopping: CancellationToken::new(),
            bus: Arc::clone(&bus),
        };
        Self {
            config: Arc::new(config),
            shared: Arc::new(shared),
            registry: Arc::new(registry),
            readiness: Readiness::starting(),
            events: bus.subscribe(),
            presence,
            keeper,
            nodes,
            files,
            doors,
        }
    }

    /// Every path that browsers ask for. Serve it with `ConnectInfo<SocketAddr>` in the requests'
    /// extensions; without, all sockets count as of one address.
    pub fn router(&self) -> Router {
        let shared = &self.shared;
        let config = Arc::clone(&self.config);
        let open = well_known::router(config, shared.operations.server())
            .merge(rest::router(shared))
            .merge(self.doors.clone().map(rest::blob_doors).unwrap_or_default())
            .layer(shared.origins.cors());
        Router::new()
            .route("/ws", get(ws::upgrade))
            .with_state(Arc::clone(shared))
            .merge(open)
            .fallback_service(any(web_client::serve))
    }

    /// `/healthz`, `/readyz` and `/metrics`: for the platform, not for browsers.
    pub fn probes_router(&self) -> Router {
        health_router(self.readiness.clone()).merge(metrics_router(Arc::clone(&self.registry)))
    }

    /// Runs what works in the background, until `stop` or until a part of it ends by itself. Then
    /// every socket is told that the server goes away.
    ///
    /// # Errors
    /// [`RunError`] if a part ended before `stop`: the server is not ready any more and cannot
    /// become so again. The process is to be started anew.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Self {
            shared,
            readiness,
            events,
            presence,
            keeper,
            nodes,
            files,
            ..
        } = self;
        let end = CancellationToken::new();
        let (begin, told) = oneshot::channel();
        let following = Arc::new(SetOnce::new());
        let lost_rooms = Arc::new(Notify::new());
        let fanout = Fanout {
            bus: Arc::clone(&shared.bus),
            events,
            presence,
            live: Arc::clone(&shared.live),
            voice: shared.voice.clone(),
            begin: told,
            begun: Arc::clone(&shared.begun),
            following: Arc::clone(&following),
            lost_rooms: Arc::clone(&lost_rooms),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(named("fan-out", fanout.run(end.clone())));
        tasks.spawn(named("rooms", keeper.run(end.clone())));
        for (link, node) in nodes.into_iter().enumerate() {
            let watch = voice::watch(link, node, shared.voice.clone(), end.clone());
            tasks.spawn(named("watch", watch));
        }
        if let Some(files) = files {
            tasks.spawn(named("files", files.run(end.clone())));
        }
        readiness.set_unready("waiting for the event log");
        let serving = async {
            following.wait().await;
            // Whoever comes meanwhile is greeted once it is known who sits where.
            readiness.set_ready();
            std::future::pending::<()>().await;
        };
        let taking_over = async {
            found::take_over(&shared, begin, &lost_rooms).await;
            std::future::pending::<()>().await;
        };

        let outcome = tokio::select! {
            () = stop.cancelled() => Ok(()),
            () = serving => Ok(()),
            () = taking_over => Ok(()),
            Some(ended) = tasks.join_next() => Err(match ended {
                Ok(task) => RunError::Ended(task),
                Err(error) => RunError::Panicked(error),
            }),
        };
        if let Err(error) = &outcome {
            tracing::error!(%error, "signaling cannot go on");
        }
        readiness.set_unready(outcome.as_ref().map_or("failed", |()| "stopping"));
        shared.stopping.cancel();
        shared.live.wait_until_empty(FAREWELL).await;
        end.cancel();
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a background task did not end well");
            }
        }
        outcome
    }
}

async fn named(name: &'static str, task: impl Future<Output = ()>) -> &'static str {
    task.await;
    name
}

/// Why signaling stopped without being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A background task saw something that it cannot go on without, and logged it.
    #[error("the background task `{0}` ended")]
    Ended(&'static str),
    /// A background task has a bug.
    #[error("a background task panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// The channels of a new server: a place to write and a place to talk.
///
/// # Errors
/// Never; the names are good ones.
pub fn first_channels() -> Result<Vec<NewChannel>, InvalidId> {
    let channel = |name: &str, kind| {
        Ok(NewChannel {
            id: ChannelId::from_random(entropy::bits()),
            name: name.parse()?,
            kind,
        })
    };
    Ok(vec![
        channel("general", ChannelKind::Text)?,
        channel("Lounge", ChannelKind::Voice)?,
    ])
}
