//! The whole of `gryt-sfu`: node, gRPC listener, probes, and how they end. SIGTERM drains: calls
//! go on until the last participant has left or patience is over.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use gryt_runtime::Readiness;
use gryt_runtime::tls::{ClientAuth, Part, TlsError, TlsFolder, identity};
use prometheus_client::registry::Registry;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::cli::Config;
use crate::config::SfuConfig;
use crate::door::{self, Door, Refusals};
use crate::inquiries;
use crate::node_addresses::{NodeAddresses, NodeAddressesError};
use crate::sfu::{Sfu, StartError};
use crate::termination;

/// Why the process could not start, or ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system refuses the signal handlers.
    #[error("listen for signals")]
    ListenForSignals(#[source] io::Error),
    /// The certificate folder cannot be used.
    #[error("use the certificates of the calls")]
    Certificates(#[source] TlsError),
    /// Our own certificate does not say whose SFU this is.
    #[error("the certificate in \"{}\" names no sfu.<server id>.gryt", .0.display())]
    NameServer(PathBuf),
    /// The nodes' addresses cannot be used.
    #[error("find the node's addresses")]
    FindAddresses(#[source] NodeAddressesError),
    /// The node did not start.
    #[error("start the node")]
    Start(#[source] StartError),
    /// A listener cannot be bound.
    #[error("bind \"{address}\"")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Calls are no longer served.
    #[error("serve calls")]
    ServeCalls(#[source] tonic::transport::Error),
    /// The task that serves calls or probes ended.
    #[error("keep on serving")]
    Serve(#[source] Option<JoinError>),
    /// A worker thread ended.
    #[error("keep every worker running")]
    Work,
}

/// Between two looks at whether all workers run.
const LOOK: Duration = Duration::from_millis(500);

/// Runs until it is told to end, and then as long as calls may go on.
///
/// # Errors
/// [`RunError`].
pub async fn run(config: Config) -> Result<(), RunError> {
    let Config {
        listen,
        tls_dir,
        probes_listen,
        node_addresses,
        node_name,
        drain_timeout,
        termination_log,
        log: _,
        log_format: _,
        sfu,
    } = config;
    let mut signals = Signals::listen().map_err(RunError::ListenForSignals)?;
    let stop = CancellationToken::new();
    let folder = tls_dir.as_deref().map(TlsFolder::open).transpose();
    let folder = folder.map_err(RunError::Certificates)?;
    let lock = match tls_dir.zip(folder.as_ref()) {
        Some((dir, folder)) => Some(lock(dir, folder)?),
        None => {
            if !listen.ip().is_loopback() {
                tracing::warn!("calls are plain text: anybody who reaches the port may command");
            }
            None
        }
    };
    let termination_log = termination::log(termination_log);

    if let Some(folder) = folder.clone() {
        tokio::spawn(folder.watch(stop.clone()));
    }
    let file = node_addresses.zip(node_name).map(|(path, node)| {
        let otherwise = sfu.announce.clone();
        NodeAddresses {
            path,
            node,
            otherwise,
        }
    });
    let announce = match &file {
        Some(file) => file.read().map_err(RunError::FindAddresses)?,
        None => sfu.announce.clone(),
    };
    let sfu = SfuConfig {
        announce: announce.clone(),
        ..sfu
    };
    let sfu = Arc::new(Sfu::start(sfu).map_err(RunError::Start)?);
    let mut registry = Registry::default();
    sfu.register(&mut registry);
    let refusals = Refusals::register(&mut registry);

    let bind = |address| move |source| RunError::Bind { address, source };
    let door = Door::bind(listen, lock, refusals)
        .await
        .map_err(bind(listen))?;
    let probes = door::bind(probes_listen)
        .await
        .map_err(bind(probes_listen))?;
    let readiness = Readiness::starting();
    tracing::info!(
        calls = %door.address().map_err(bind(listen))?,
        probes = %probes.local_addr().map_err(bind(probes_listen))?,
        media = ?sfu.media_ports(),
        "serving"
    );
    if let Some(file) = file {
        tokio::spawn(file.follow(Arc::clone(&sfu), announce));
    }
    if let Some(folder) = folder {
        tokio::spawn(inquiries::follow(folder, Arc::clone(&sfu)));
    }
    tokio::spawn(serve_probes(probes, readiness.clone(), registry));
    let mut calls = tokio::spawn(door.serve(sfu.service(), stop.clone()));
    readiness.set_ready();

    let drain = Drain {
        patience: drain_timeout,
        termination_log: termination_log.as_deref(),
    };
    let end = tokio::select! {
        end = until_the_end(&sfu, &mut signals, drain) => end,
        ended = &mut calls => return Err(ended_early(ended)),
        () = a_worker_ended(&sfu) => return Err(RunError::Work),
    };
    tell_what_is_cut(&sfu, termination_log.as_deref());
    if end == End::Hurried {
        tracing::warn!("ending at once");
        return Ok(());
    }
    readiness.set_unready("shutting down");
    stop.cancel();
    finish(&sfu, calls).await
}

/// What lets in signaling of our own server.
fn lock(dir: PathBuf, folder: &TlsFolder) -> Result<ServerConfig, RunError> {
    let server_id = folder
        .server_of(Part::Sfu)
        .ok_or(RunError::NameServer(dir))?;
    let signaling = identity(Part::Signaling, &server_id);
    folder
        .server_config(ClientAuth::Named(signaling))
        .map_err(RunError::Certificates)
}

async fn serve_probes(listener: TcpListener, readiness: Readiness, registry: Registry) {
    let router = Router::new()
        .merge(gryt_runtime::health_router(readiness))
        .merge(gryt_runtime::metrics_router(Arc::new(registry)));
    // Probes answer to the very end: a pod that drains is asked for its figures like any other.
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "probes are no longer served");
    }
}

/// How the time of service ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Interrupted,
    Vacated,
    TimedOut,
    Hurried,
}

/// How calls may end after SIGTERM.
#[derive(Debug, Clone, Copy)]
struct Drain<'a> {
    patience: Duration,
    termination_log: Option<&'a Path>,
}

async fn until_the_end(sfu: &Sfu, signals: &mut Signals, drain: Drain<'_>) -> End {
    let Drain {
        patience,
        termination_log,
    } = drain;
    if signals.next().await == Told::Interrupt {
        tracing::info!("interrupted, shutting down");
        return End::Interrupted;
    }
    // Readiness stays. It steers nothing, since signaling knows of the drain from us; but kube-proxy
    // forgets the UDP flows to a pod that isn't ready each time that another one is beside it.
    sfu.drain();
    let carried = sfu.occupancy();
    tracing::info!(
        rooms = carried.rooms,
        participants = carried.participants,
        patience_s = patience.as_secs(),
        "told to terminate, draining"
    );
    tokio::select! {
        () = sfu.vacated() => {
            tracing::info!("drained");
            End::Vacated
        }
        () = tokio::time::sleep(patience) => End::TimedOut,
        _ = signals.next() => End::Hurried,
        never = termination::follow(sfu, termination_log) => match never {},
    }
}

async fn a_worker_ended(sfu: &Sfu) {
    while sfu.is_ready() {
        tokio::time::sleep(LOOK).await;
    }
}

fn tell_what_is_cut(sfu: &Sfu, termination_log: Option<&Path>) {
    let cut = sfu.occupancy();
    if cut.participants > 0 {
        tracing::warn!(
            rooms = cut.rooms,
            participants = cut.participants,
            "calls are cut"
        );
    }
    if let Some(path) = termination_log
        && let Err(error) = termination::tell(path, cut)
    {
        tracing::warn!(%error, path = %path.display(), "cannot tell what is cut");
    }
}

/// Stops the workers and lets calls end that run.
async fn finish(
    sfu: &Sfu,
    calls: JoinHandle<Result<(), tonic::transport::Error>>,
) -> Result<(), RunError> {
    let finished = async {
        sfu.shutdown().await;
        calls.await
    };
    match tokio::time::timeout(gryt_runtime::DEADLINE, finished).await {
        Ok(Ok(served)) => served.map_err(RunError::ServeCalls),
        Ok(Err(error)) => Err(RunError::Serve(Some(error))),
        Err(_) => {
            tracing::warn!("did not shut down in time, ending");
            Ok(())
        }
    }
}

fn ended_early(ended: Result<Result<(), tonic::transport::Error>, JoinError>) -> RunError {
    match ended {
        Ok(Ok(())) => RunError::Serve(None),
        Ok(Err(error)) => RunError::ServeCalls(error),
        Err(error) => RunError::Serve(Some(error)),
    }
}

/// What a signal tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Interrupt,
    Terminate,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Interrupt,
            _ = self.terminate.recv() => Told::Terminate,
        }
    }
}
