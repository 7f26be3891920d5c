//! Serves one router on one TCP port, plain or by TLS, to peers of any patience.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

mod patient;
mod places;
mod proxies;

pub use proxies::TrustedProxies;

use patient::Patient;
use places::Places;

/// Connections at once. Beyond it the system's queue fills, and then new ones are refused.
const MAX_CONNECTIONS: usize = 4_096;
/// Connections of one address; twice the sockets that signaling lets it have.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 512;
/// How slow a peer may be.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    answer: Duration::from_secs(15),
    write: Duration::from_secs(30),
};
/// How fast an upload must be at least: a telephone far from everything.
const SLOWEST_BYTES_PER_SECOND: u64 = 16 * 1024;
/// However long it is.
const BODY_AT_MOST: Duration = Duration::from_mins(10);
/// For requests that are being answered at the end.
const FAREWELL: Duration = Duration::from_millis(300);
/// After the system refused a connection, usually for want of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// How slow a peer may be.
#[derive(Clone, Copy)]
struct Patience {
    /// For a handshake, and for a request's head.
    head: Duration,
    /// From a request's head to the head of its answer, its body between them; an upload's body is
    /// given [`body_patience`] besides. A WebSocket is
    /// answered when it opens, and then has its own rules.
    answer: Duration,
    /// For a peer that does not read what we write.
    write: Duration,
}

/// What is served.
pub struct Site {
    /// Answers the requests. They carry `ConnectInfo<SocketAddr>`: the client's address, with the
    /// peer's port.
    pub router: Router,
    /// Speaks https; plain requests are sent there.
    pub tls: Option<TlsAcceptor>,
    /// Who may speak for others.
    pub proxies: TrustedProxies,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("tls", &self.tls.is_some())
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

/// Opens the port. Where the host has no IPv6, `[::]` is every address all the same.
///
/// # Errors
/// The system refuses the address.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let any_v6 = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match TcpListener::bind(address).await {
        Err(error) if any_v6 && error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    }
}

/// Serves until `stop`, then lets answers that are under way finish for a moment.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    serve_patiently(listener, site, PATIENCE, stop).await;
}

async fn serve_patiently(
    listener: TcpListener,
    site: Site,
    patience: Patience,
    stop: CancellationToken,
) {
    let site = Arc::new(site);
    let connections = TaskTracker::new();
    let all = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let places = Places::new(MAX_CONNECTIONS_PER_ADDRESS);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &all) => accepted,
            () = stop.cancelled() => break,
        };
        let Some((stream, peer, one_of_all)) = accepted else {
            continue;
        };
        // A proxy speaks for everybody.
        let trusted = site.proxies.trust(peer.ip());
        let place = places.take(peer.ip());
        if place.is_none() && !trusted {
            tracing::debug!(%peer, "too many connections of one address");
            continue;
        }
        let site = Arc::clone(&site);
        let stop = stop.clone();
        connections.spawn(async move {
            converse(&site, stream, peer, patience, stop).await;
            drop((place, one_of_all));
        });
    }
    drop(listener);
    connections.close();
    // Who is not done by then is cut when the process ends.
    let _ = timeout(FAREWELL, connections.wait()).await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            tokio::time::sleep(BREATH).await;
            None
        }
    }
}

async fn converse(
    site: &Site,
    stream: TcpStream,
    peer: SocketAddr,
    patience: Patience,
    stop: CancellationToken,
) {
    // Small frames of the socket must not wait for the answer to the one before.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &site.tls else {
        let with = |request| route(site, peer, request);
        return answer(stream, with, patience, stop).await;
    };
    let Ok(Ok(first)) = timeout(patience.head, first_byte(&stream)).await else {
        return;
    };
    // 22 begins a TLS handshake (RFC 8446 section 5.1); a letter begins a plain request, of a
    // person who typed the address without https.
    if first != 22 {
        let with = |request| async move { to_https(&request) };
        return answer(stream, with, patience, stop).await;
    }
    match timeout(patience.head, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let with = |request| route(site, peer, request);
            answer(stream, with, patience, stop).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake did not work"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn first_byte(stream: &TcpStream) -> io::Result<u8> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(first[0])
}

async fn answer<S, F, A>(stream: S, with: F, patience: Patience, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(hyper::Request<Incoming>) -> A,
    A: Future<Output = Response>,
{
    let service = service_fn(|request| {
        let within = patience.answer + body_patience(&request);
        let response = with(request);
        async move {
            let response = timeout(within, response).await;
            Ok::<_, std::convert::Infallible>(response.unwrap_or_else(|_| too_slow()))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .serve_connection(TokioIo::new(Patient::new(stream, patience.write)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection broke");
    }
}

/// What a `PUT` is given for its body. Nothing else comes with a large one.
fn body_patience<B>(request: &hyper::Request<B>) -> Duration {
    if request.method() != Method::PUT {
        return Duration::ZERO;
    }
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let slowest = Duration::from_secs(length.unwrap_or(0) / SLOWEST_BYTES_PER_SECOND);
    slowest.min(BODY_AT_MOST)
}

async fn route(site: &Site, peer: SocketAddr, request: hyper::Request<Incoming>) -> Response {
    let mut request: Request = request.map(Body::new);
    let client = site.proxies.client(peer.ip(), request.headers());
    let client = SocketAddr::new(client, peer.port());
    request.extensions_mut().insert(ConnectInfo(client));
    match site.router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The rest of the request is not waited for.
fn too_slow() -> Response {
    let close = [(header::CONNECTION, "close")];
    (StatusCode::REQUEST_TIMEOUT, close, "That took too long.\n").into_response()
}

fn to_https<B>(request: &hyper::Request<B>) -> Response {
    let host = request.headers().get(header::HOST);
    let location = host
        .and_then(|host| host.to_str().ok())
        .map(|host| format!("https://{host}{}", request.uri()))
        .and_then(|location| HeaderValue::from_str(&location).ok());
    match location {
        Some(location) => {
            let headers = [(header::LOCATION, location)];
            (StatusCode::TEMPORARY_REDIRECT, headers).into_response()
        }
        None => (StatusCode::BAD_REQUEST, "This is an https server.\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// Far above any answer on a busy machine.
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(100);

    async fn connect(router: Router, patience: Patience) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let site = Site {
            router,
            tls: None,
            proxies: TrustedProxies::default(),
        };
        tokio::spawn(serve_patiently(
            listener,
            site,
            patience,
            CancellationToken::new(),
        ));
        TcpStream::connect(address).await.unwrap()
    }

    #[tokio::test]
    async fn body_that_does_not_come_is_not_waited_for() {
        let router = Router::new().route("/", post(|body: Bytes| async move { body }));
        let patience = Patience {
            head: LONG,
            answer: SHORT,
            write: LONG,
        };
        let mut slow = connect(router, patience).await;
        let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16000\r\n\r\nx";
        slow.write_all(head).await.unwrap();
        let mut said = String::new();
        let ended = timeout(LONG / 4, slow.read_to_string(&mut said)).await;
        ended.expect("the server closes it").unwrap();
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }

    #[tokio::test]
    async fn upload_is_given_time_for_its_size() {
        let put = axum::routing::put(|body: Bytes| async move { body.len().to_string() });
        let patience = Patience {
            head: LONG,
            answer: SHORT,
            write: LONG,
        };
        let mut slow = connect(Router::new().route("/", put), patience).await;
        // Two minutes at the slowest speed.
        let length = usize::try_from(SLOWEST_BYTES_PER_SECOND * 120).unwrap();
        let head = format!("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
        slow.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(SHORT * 5).await;
        slow.write_all(&vec![0; length]).await.unwrap();
        let mut said = [0; 12];
        slow.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"HTTP/1.1 200");
    }

    #[tokio::test]
    async fn peer_that_does_not_read_is_cut_off() {
        const MANY: usize = 64 * 1024 * 1024;
        let router = Router::new().route("/", get(|| async { vec![0_u8; MANY] }));
        let patience = Patience {
            head: LONG,
            answer: LONG,
            write: SHORT,
        };
        let mut stalled = connect(router, patience).await;
        stalled
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        tokio::time::sleep(SHORT * 20).await;
        let mut got = Vec::new();
        // An end or a reset, but not all of it.
        let _ = timeout(LONG / 4, stalled.read_to_end(&mut got))
            .await
            .expect("the server closes it");
        assert!(got.len() < MANY, "{}", got.len());
    }
}
