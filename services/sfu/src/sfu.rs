//! A running node: its worker threads and the door to them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroUsize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use gryt_media::{Certificate, Node, NodeConfig};
use gryt_model::NodeId;
use gryt_proto::sfu::v1::sfu_service_server::SfuServiceServer;
use gryt_runtime::occupancy::OccupancyKey;
use prometheus_client::registry::Registry;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::affinity;
use crate::candidates::Announcement;
use crate::config::SfuConfig;
use crate::front::Front;
use crate::inbox::{Inbox, NotTaken, Order};
use crate::inquiries::Inquiries;
use crate::metrics::{Figures, Totals};
use crate::roster::Roster;
use crate::socket::Socket;
use crate::worker::Worker;

/// One node: worker threads with their sockets. Dropped without [`Sfu::shutdown`], its threads
/// run on until the process ends.
#[derive(Debug)]
pub struct Sfu {
    inboxes: Vec<Inbox>,
    roster: Arc<Roster>,
    totals: Vec<Arc<Totals>>,
    stopping: Arc<AtomicBool>,
    announce_port: Option<NonZeroU16>,
    places_per_worker: usize,
    sockets: Vec<SocketAddr>,
    media_ports: Vec<u16>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The affinity mask of the process could not be read.
    #[error("cannot read which CPUs this process may use")]
    ReadAffinity(#[source] nix::Error),
    /// More workers were asked for than there are ports above the first.
    #[error("no UDP port is left for worker {worker} above port {first}")]
    ChoosePort {
        /// The worker's number.
        worker: usize,
        /// The configured port.
        first: u16,
    },
    /// More workers were asked for than there are ports above the first that is announced.
    #[error("no port is left to announce for {workers} workers above port {first}")]
    AnnouncePort {
        /// How many workers.
        workers: usize,
        /// The configured port.
        first: NonZeroU16,
    },
    /// A worker's socket could not be opened.
    #[error("cannot open UDP socket \"{address}\"")]
    OpenSocket {
        /// The address to bind.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The host's interfaces could not be listed.
    #[error("cannot list the host's addresses")]
    ListAddresses(#[source] io::Error),
    /// The system has no randomness.
    #[error("cannot draw random bytes")]
    DrawSeed(#[source] rand::rand_core::OsError),
    /// The node's certificate could not be made.
    #[error("cannot make the DTLS certificate")]
    MakeCertificate(#[source] gryt_media::MakeCertificateError),
    /// A worker's thread or its poll could not be made.
    #[error("cannot start worker {worker}")]
    StartWorker {
        /// The worker's number.
        worker: usize,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// What a node carries at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occupancy {
    /// Rooms with somebody in them, or with a seat that is being decided.
    pub rooms: usize,
    /// Places taken.
    pub participants: usize,
}

/// New addresses or a new key did not reach every worker.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The host's interfaces could not be listed.
    #[error("cannot list the host's addresses")]
    ListAddresses(#[source] io::Error),
    /// A worker is behind with its orders, or is gone.
    #[error("worker {worker} takes no orders")]
    Order {
        /// The worker's number.
        worker: usize,
    },
}

/// What all workers have in common.
struct Plan {
    announcement: Announcement,
    places_per_worker: usize,
    certificate: Certificate,
}

const SOCKET: mio::Token = mio::Token(0);
const WAKER: mio::Token = mio::Token(1);

impl Sfu {
    /// Binds the sockets and starts the worker threads.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub fn start(config: SfuConfig) -> Result<Self, StartError> {
        let cpus = affinity::allowed_cpus().map_err(StartError::ReadAffinity)?;
        let SfuConfig {
            media_port,
            media_bind,
            announce,
            announce_port,
            workers,
            places_per_worker,
        } = config;
        let count = workers.map_or_else(|| cpus.len().max(1), NonZeroUsize::get);
        let announcement = Announcement {
            addresses: announce,
            first_port: announce_port,
        };
        if let Some(first) = announce_port
            && !announcement.has_ports_for(count)
        {
            return Err(StartError::AnnouncePort {
                workers: count,
                first,
            });
        }
        let sockets = (0..count)
            .map(|worker| open_socket(media_bind, media_port, worker))
            .collect::<Result<Vec<_>, _>>()?;
        let plan = Plan {
            announcement,
            places_per_worker: places_per_worker.get(),
            certificate: Certificate::generate().map_err(StartError::MakeCertificate)?,
        };

        let mut bits = [0; 16];
        OsRng
            .try_fill_bytes(&mut bits)
            .map_err(StartError::DrawSeed)?;
        let node = NodeId::from_random(bits);
        let mut sfu = Self {
            inboxes: Vec::new(),
            roster: Arc::new(Roster::new(node, count)),
            totals: Vec::new(),
            stopping: Arc::new(AtomicBool::new(false)),
            announce_port,
            places_per_worker: places_per_worker.get(),
            sockets: Vec::new(),
            media_ports: Vec::new(),
            threads: Mutex::default(),
        };
        for (number, socket) in sockets.into_iter().enumerate() {
            // A thread of its own core is never moved away from its warm cache.
            let cpu = (cpus.len() == count).then(|| cpus[number]);
            let started = sfu.start_worker(&plan, number, socket, cpu);
            if let Err(error) = started {
                sfu.stop();
                return Err(error);
            }
        }
        tracing::info!(workers = count, ports = ?sfu.media_ports, "media sockets are open");
        Ok(sfu)
    }

    fn start_worker(
        &mut self,
        plan: &Plan,
        number: usize,
        mut socket: Socket,
        cpu: Option<usize>,
    ) -> Result<(), StartError> {
        let refused = |source| StartError::StartWorker {
            worker: number,
            source,
        };
        let local = socket.local();
        let candidates = plan
            .announcement
            .candidates(number, local)
            .map_err(StartError::ListAddresses)?;
        let mut seed = [0; 32];
        OsRng
            .try_fill_bytes(&mut seed)
            .map_err(StartError::DrawSeed)?;
        let node = Node::new(
            NodeConfig {
                candidates,
                certificate: plan.certificate.clone(),
                max_participants: plan.places_per_worker,
                worker: u16::try_from(number).unwrap_or(u16::MAX),
            },
            seed,
        );

        let poll = mio::Poll::new().map_err(refused)?;
        socket.register(poll.registry(), SOCKET).map_err(refused)?;
        let waker = mio::Waker::new(poll.registry(), WAKER).map_err(refused)?;
        let (inbox, orders) = Inbox::new(Arc::new(waker));
        let totals = Arc::new(Totals::default());
        let worker = Worker {
            node,
            socket,
            poll,
            orders,
            inquiries: Inquiries::default(),
            roster: Arc::clone(&self.roster),
            totals: Arc::clone(&totals),
            stopping: Arc::clone(&self.stopping),
        };
        let thread = thread::Builder::new()
            .name(format!("sfu-worker-{number}"))
            .spawn(move || {
                if let Some(cpu) = cpu
                    && let Err(error) = affinity::pin_to(cpu)
                {
                    tracing::warn!(%error, cpu, "cannot pin a worker");
                }
                worker.run();
            })
            .map_err(refused)?;
        self.inboxes.push(inbox);
        self.totals.push(totals);
        self.sockets.push(local);
        self.media_ports.push(local.port());
        self.threads().push(thread);
        Ok(())
    }

    /// The gRPC service of this node.
    #[must_use]
    pub fn service(&self) -> SfuServiceServer<Front> {
        SfuServiceServer::new(Front::new(
            self.inboxes.clone(),
            Arc::clone(&self.roster),
            Arc::clone(&self.stopping),
        ))
    }

    /// The UDP port of each worker.
    #[must_use]
    pub fn media_ports(&self) -> &[u16] {
        &self.media_ports
    }

    /// Whether every worker runs.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
            && !self.threads().iter().any(JoinHandle::is_finished)
    }

    /// Offers these addresses from the next seat on; none: those of the host. Who sits already
    /// keeps what it was offered.
    ///
    /// # Errors
    /// [`AnnounceError`]; workers before the named one have taken them.
    pub fn announce(&self, addresses: &[IpAddr]) -> Result<(), AnnounceError> {
        let announcement = Announcement {
            addresses: addresses.to_vec(),
            first_port: self.announce_port,
        };
        for (worker, (inbox, bound)) in self.inboxes.iter().zip(&self.sockets).enumerate() {
            let candidates = announcement
                .candidates(worker, *bound)
                .map_err(AnnounceError::ListAddresses)?;
            inbox
                .send(Order::Announce(candidates))
                .map_err(|_: NotTaken| AnnounceError::Order { worker })?;
        }
        Ok(())
    }

    /// Answers whoever asks with this key by STUN how busy the node is, and nobody else.
    ///
    /// # Errors
    /// [`AnnounceError::Order`]; workers before the named one have taken it.
    pub fn trust(&self, key: &OccupancyKey) -> Result<(), AnnounceError> {
        for (worker, inbox) in self.inboxes.iter().enumerate() {
            inbox
                .send(Order::Trust(key.clone()))
                .map_err(|_: NotTaken| AnnounceError::Order { worker })?;
        }
        Ok(())
    }

    /// Takes no new rooms from here on, and tells signaling so. Rooms that are here go on, and
    /// take participants.
    pub fn drain(&self) {
        self.roster.drain();
    }

    /// Waits until there is no room.
    pub async fn vacated(&self) {
        self.roster.vacated().await;
    }

    /// What the node carries now.
    #[must_use]
    pub fn occupancy(&self) -> Occupancy {
        let census = self.roster.census();
        Occupancy {
            rooms: census.rooms,
            participants: census.participants,
        }
    }

    /// Adds the node's figures to a process's metrics.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(Figures {
            workers: self.totals.clone(),
            places: (self.totals.len() * self.places_per_worker) as u64,
            roster: Arc::clone(&self.roster),
        }));
    }

    /// Refuses new seats, ends every watch, stops the workers and waits for them.
    pub async fn shutdown(&self) {
        self.stop();
        let threads = std::mem::take(&mut *self.threads());
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a worker had panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("cannot wait for the workers");
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.roster.close();
        for inbox in &self.inboxes {
            inbox.wake();
        }
    }

    fn threads(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens worker n's socket on the first port plus n; 0 stays 0.
fn open_socket(bind: IpAddr, first: u16, worker: usize) -> Result<Socket, StartError> {
    let port = if first == 0 {
        Some(0)
    } else {
        u16::try_from(worker)
            .ok()
            .and_then(|worker| first.checked_add(worker))
    };
    let port = port.ok_or(StartError::ChoosePort { worker, first })?;
    let address = SocketAddr::new(bind, port);
    Socket::bind(address).map_err(|source| StartError::OpenSocket { address, source })
}
