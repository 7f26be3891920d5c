//! What the platform asks of a process: `/healthz`, `/readyz`, `/metrics`.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// Whether the process takes work. Starts as not ready. Clones share one state.
#[derive(Debug, Clone)]
pub struct Readiness {
    missing: Arc<RwLock<Option<&'static str>>>,
}

impl Readiness {
    /// Not ready, because it is starting.
    #[must_use]
    pub fn starting() -> Self {
        Self {
            missing: Arc::new(RwLock::new(Some("starting"))),
        }
    }

    /// It takes work from here on.
    pub fn set_ready(&self) {
        self.set(None);
    }

    /// It takes no work from here on, for this reason.
    pub fn set_unready(&self, reason: &'static str) {
        self.set(Some(reason));
    }

    /// What is missing; `None` when ready.
    #[must_use]
    pub fn missing(&self) -> Option<&'static str> {
        *self.missing.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, missing: Option<&'static str>) {
        *self.missing.write().unwrap_or_else(PoisonError::into_inner) = missing;
    }
}

/// `/healthz` answers while the process can answer at all; `/readyz` follows `readiness`.
pub fn health_router(readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

/// `/metrics` in the OpenMetrics text format.
pub fn metrics_router(registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(registry)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    match readiness.missing() {
        None => "ok\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let mut text = String::new();
    if encode(&mut text, &registry).is_err() {
        tracing::error!("could not write the metrics");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use prometheus_client::metrics::counter::Counter;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(router: Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), 64 * 1024).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_is_told_apart_from_health() {
        let readiness = Readiness::starting();
        let router = health_router(readiness.clone());

        let (status, body) = ask(router.clone(), "/readyz").await;
        assert_eq!((status.as_u16(), body.as_str()), (503, "starting\n"));
        assert_eq!(ask(router.clone(), "/healthz").await.0, StatusCode::OK);

        readiness.set_ready();
        assert_eq!(ask(router.clone(), "/readyz").await.0, StatusCode::OK);

        readiness.set_unready("draining");
        let (status, body) = ask(router, "/readyz").await;
        assert_eq!((status.as_u16(), body.as_str()), (503, "draining\n"));
    }

    #[tokio::test]
    async fn metrics_end_with_the_mark_that_scrapers_look_for() {
        let mut registry = Registry::default();
        let joins: Counter = Counter::default();
        registry.register("gryt_test_joins", "Joins", joins.clone());
        joins.inc();

        let (status, body) = ask(metrics_router(Arc::new(registry)), "/metrics").await;

        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("gryt_test_joins_total 1\n"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
