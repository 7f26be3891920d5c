//! The gRPC listener: with a certificate folder it lets in signaling of the same server, and
//! nobody else. Handshakes run beside the accept loop, a bounded number of them for a bounded time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gryt_proto::sfu::v1::sfu_service_server::SfuServiceServer;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use rustls::{CertificateError, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::{Connected, TcpIncoming};

use crate::front::Front;

/// Handshakes at one time. A further connection waits in the kernel's queue until one is through
/// or has used up its [`PATIENCE`].
const HANDSHAKES: usize = 32;
/// From the connection to the end of the handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that are through and wait to be served. Their handshakes' places stay taken.
const ACCEPTED: usize = 8;
/// After an error of `accept`, which mostly means that descriptors ran out.
const BREATH: Duration = Duration::from_millis(100);
/// A peer that went without a word is noticed after the sum of both, and its watch ended.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A bound listener.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    lock: Option<Arc<ServerConfig>>,
    refusals: Refusals,
}

impl Door {
    pub(crate) async fn bind(
        address: SocketAddr,
        lock: Option<ServerConfig>,
        refusals: Refusals,
    ) -> io::Result<Self> {
        Ok(Self {
            listener: bind(address).await?,
            lock: lock.map(|mut config| {
                config.alpn_protocols = vec![b"h2".to_vec()];
                Arc::new(config)
            }),
            refusals,
        })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves calls until `stop`, then finishes those that run.
    pub(crate) async fn serve(
        self,
        service: SfuServiceServer<Front>,
        stop: CancellationToken,
    ) -> Result<(), tonic::transport::Error> {
        let Self {
            listener,
            lock,
            refusals,
        } = self;
        let Some(lock) = lock else {
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            return serve(service, incoming, stop).await;
        };
        let (accepted, incoming) = mpsc::channel(ACCEPTED);
        tokio::spawn(let_in(listener, lock.into(), refusals, accepted));
        serve(service, ReceiverStream::new(incoming), stop).await
    }
}

/// Binds `address`. The unspecified IPv6 address takes IPv4 too, and alone where the host has no
/// IPv6.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(_) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

async fn serve<C>(
    service: SfuServiceServer<Front>,
    incoming: impl Stream<Item = io::Result<C>>,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error>
where
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, stop.cancelled_owned())
        .await
}

type Accepted = mpsc::Sender<io::Result<TlsStream<TcpStream>>>;

/// Accepts until nobody takes what was accepted.
async fn let_in(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    refusals: Refusals,
    accepted: Accepted,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let connection = tokio::select! {
            connection = listener.accept() => connection,
            () = accepted.closed() => return,
        };
        let stream = match connection {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let (acceptor, refusals) = (acceptor.clone(), refusals.clone());
        let accepted = accepted.clone();
        tokio::spawn(async move {
            let shaken = handshake(&acceptor, stream).await;
            match shaken {
                // Closed at the end only.
                Ok(stream) => drop(accepted.send(Ok(stream)).await),
                Err((reason, error)) => refusals.note(reason, &error),
            }
            drop(place);
        });
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, (Reason, io::Error)> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch delay off");
    }
    match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err((Reason::of(&error), error)),
        Err(_) => Err((Reason::Late, io::ErrorKind::TimedOut.into())),
    }
}

/// Why a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Reason {
    /// The certificate is of another server, or not signaling's.
    WrongName,
    /// There is no certificate, or none that is to be trusted.
    Untrusted,
    /// The handshake took too long.
    Late,
    /// It is no TLS that we speak.
    Broken,
}

impl Reason {
    const ALL: [Self; 4] = [Self::WrongName, Self::Untrusted, Self::Late, Self::Broken];

    fn of(error: &io::Error) -> Self {
        let cause = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Self::WrongName,
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                Self::Untrusted
            }
            Some(_) | None => Self::Broken,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::WrongName => "wrong_name",
            Self::Untrusted => "untrusted",
            Self::Late => "late",
            Self::Broken => "broken",
        }
    }
}

impl EncodeLabelValue for Reason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        self.label().encode(encoder)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: Reason,
}

/// Counts connections that were not let in. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Refusals(Family<ByReason, Counter>);

impl Refusals {
    /// Adds the counter to a process's metrics.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let family = Family::default();
        for reason in Reason::ALL {
            drop(family.get_or_create(&ByReason { reason }));
        }
        registry.register(
            "gryt_sfu_refused_connections",
            "Connections for calls that were not let in, by reason",
            family.clone(),
        );
        Self(family)
    }

    /// A certificate that does not fit is somebody who tries, or a mistake of whoever issues them;
    /// the rest is the noise of any network.
    fn note(&self, reason: Reason, error: &io::Error) {
        self.0.get_or_create(&ByReason { reason }).inc();
        let reason = match reason {
            Reason::WrongName | Reason::Untrusted => {
                tracing::warn!(reason = reason.label(), %error, "connection refused");
                return;
            }
            Reason::Late | Reason::Broken => reason.label(),
        };
        tracing::debug!(reason, %error, "connection refused");
    }
}
