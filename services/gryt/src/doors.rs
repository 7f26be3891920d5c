//! What stands before every handler of the one port: figures are for this machine only, and who
//! cannot carry voices is not ready.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

/// Puts the doors before `router`. `media_runs` is asked at each `/readyz`.
pub(crate) fn guard(
    router: Router,
    media_runs: impl Fn() -> bool + Send + Sync + 'static,
) -> Router {
    let media_runs = Arc::new(media_runs);
    router.layer(middleware::from_fn(move |request: Request, next: Next| {
        let media_runs = Arc::clone(&media_runs);
        async move {
            match refusal(&request, &*media_runs) {
                Some(refusal) => refusal,
                None => next.run(request).await,
            }
        }
    }))
}

fn refusal(request: &Request, media_runs: impl Fn() -> bool) -> Option<Response> {
    match request.uri().path() {
        "/metrics" if !from_this_machine(request) => {
            let text = "Figures are for this machine only.\n";
            Some((StatusCode::FORBIDDEN, text).into_response())
        }
        "/readyz" if !media_runs() => {
            let text = "the media part does not run\n";
            Some((StatusCode::SERVICE_UNAVAILABLE, text).into_response())
        }
        _ => None,
    }
}

/// A proxy on this machine speaks for people elsewhere, and says so.
fn from_this_machine(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !is_forwarded(request.headers())
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str, peer: &str, header: &'static str, media_runs: bool) -> u16 {
        let open = || get(|| async { "ok" });
        let router = Router::new()
            .route("/metrics", open())
            .route("/readyz", open());
        let peer: SocketAddr = peer.parse().unwrap();
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        request.headers_mut().insert(header, "x".parse().unwrap());
        let answer = guard(router, move || media_runs).oneshot(request).await;
        answer.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn figures_are_for_this_machine_only() {
        for near in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(ask("/metrics", near, "accept", true).await, 200, "{near}");
            let forwarded = ask("/metrics", near, "x-forwarded-for", true).await;
            assert_eq!(forwarded, 403, "{near}");
        }
        for far in ["192.168.1.7:1", "[2001:db8::1]:1", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(ask("/metrics", far, "accept", true).await, 403, "{far}");
            assert_eq!(ask("/readyz", far, "accept", true).await, 200, "{far}");
        }
    }

    #[tokio::test]
    async fn server_without_a_media_part_is_not_ready() {
        let near = "127.0.0.1:1";
        assert_eq!(ask("/readyz", near, "accept", true).await, 200);
        assert_eq!(ask("/readyz", near, "accept", false).await, 503);
    }
}
