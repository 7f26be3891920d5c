//! Serves one router on one TCP port, plain or by TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
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

/// Connections at once. Beyond it the system's queue fills, and then new ones are refused.
const MAX_CONNECTIONS: usize = 4_096;
/// For a handshake, and for a request's head.
const PATIENCE: Duration = Duration::from_secs(10);
/// For requests that are being answered at the end.
const FAREWELL: Duration = Duration::from_millis(300);
/// After the system refused a connection, usually for want of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// What is served.
pub(crate) struct Site {
    pub(crate) router: Router,
    /// Where plain requests are sent when there is TLS.
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Serves until `stop`, then lets answers that are under way finish for a moment.
pub(crate) async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    let site = Arc::new(site);
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = stop.cancelled() => break,
        };
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let site = Arc::clone(&site);
        let stop = stop.clone();
        connections.spawn(async move {
            converse(&site, stream, peer, stop).await;
            drop(place);
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

async fn converse(site: &Site, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
    // Small frames of the socket must not wait for the answer to the one before.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &site.tls else {
        let router = site.router.clone();
        return answer(
            stream,
            move |request| route(router.clone(), peer, request),
            stop,
        )
        .await;
    };
    let Ok(Ok(first)) = timeout(PATIENCE, first_byte(&stream)).await else {
        return;
    };
    // 22 begins a TLS handshake (RFC 8446 section 5.1); a letter begins a plain request, of a
    // person who typed the address without https.
    if first != 22 {
        return answer(stream, |request| async move { to_https(&request) }, stop).await;
    }
    match timeout(PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => {
            let router = site.router.clone();
            answer(
                stream,
                move |request| route(router.clone(), peer, request),
                stop,
            )
            .await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake did not work"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn first_byte(stream: &TcpStream) -> std::io::Result<u8> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    Ok(first[0])
}

async fn answer<S, F, A>(stream: S, with: F, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(hyper::Request<Incoming>) -> A,
    A: Future<Output = Response>,
{
    let service = service_fn(|request| {
        let response = with(request);
        async move { Ok::<_, std::convert::Infallible>(response.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
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

async fn route(router: Router, peer: SocketAddr, request: hyper::Request<Incoming>) -> Response {
    let mut request: Request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(peer));
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
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
