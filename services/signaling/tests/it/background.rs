//! A server whose background work waits or has ended says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use gryt_bus::{
    Bus, Cursor, DurableEvent, Error, EventId, LiveEvent, LocalBus, LogEpoch, Presence, Quotas,
    Replay, Subscription,
};
use gryt_signaling::{Limits, Ports, RunError, Signaling};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::issuer::Issuer;
use crate::sfu::Sfu;
use crate::world::{config, server_id, store};

/// A bus whose log can be read once it is told so.
#[derive(Debug)]
struct Troubled {
    bus: LocalBus,
    is_readable: AtomicBool,
    asked: AtomicUsize,
    is_closed: bool,
}

#[async_trait]
impl Bus for Troubled {
    async fn publish(&self, event: DurableEvent) -> Result<EventId, Error> {
        self.bus.publish(event).await
    }

    fn publish_live(&self, event: LiveEvent) {
        self.bus.publish_live(event);
    }

    fn subscribe(&self) -> Subscription {
        if self.is_closed {
            let folder = tempfile::tempdir().unwrap();
            return bus(folder.path()).subscribe();
        }
        self.bus.subscribe()
    }

    async fn head(&self) -> Result<Cursor, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.is_readable.load(Ordering::SeqCst) {
            return Err(Error::UseLog(gryt_store::Error::Closed));
        }
        self.bus.head().await
    }

    async fn replay(&self, after: &Cursor, limit: u32) -> Result<Replay, Error> {
        self.bus.replay(after, limit).await
    }
}

fn bus(folder: &Path) -> LocalBus {
    let log = folder.join("log.sqlite");
    LocalBus::open(&log, &LogEpoch::from_random([9; 16])).unwrap()
}

async fn signaling(folder: &Path, bus: Arc<Troubled>) -> Signaling {
    let ports = Ports {
        store: Arc::new(store(folder)),
        bus,
        presence: Presence::local(),
        quotas: Quotas::local(),
        sfus: vec![("the SFU".to_owned(), Sfu::start().1)],
        verifier: Issuer::start().await.verifier(server_id().as_str()),
        invites: None,
        files: None,
        registry: Registry::default(),
    };
    Signaling::new(config(Limits::default()), ports)
}

async fn until_ready(signaling: axum::Router, expected: StatusCode) {
    let asking = async {
        loop {
            let request = Request::get("/readyz").body(Body::empty()).unwrap();
            let answer = signaling.clone().oneshot(request).await.unwrap();
            if answer.status() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(10), asking);
    within.await.expect("it never is");
}

#[tokio::test]
async fn server_ends_with_an_error_when_its_fan_out_ends() {
    let folder = tempfile::tempdir().unwrap();
    let troubled = Troubled {
        bus: bus(folder.path()),
        is_readable: true.into(),
        asked: 0.into(),
        is_closed: true,
    };
    let signaling = signaling(folder.path(), Arc::new(troubled)).await;

    let running = signaling.run(CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(5), running).await;

    assert!(matches!(ended, Ok(Err(RunError::Ended("fan-out")))));
}

#[tokio::test]
async fn server_waits_for_a_log_that_cannot_be_read_and_is_ready_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let troubled = Arc::new(Troubled {
        bus: bus(folder.path()),
        is_readable: false.into(),
        asked: 0.into(),
        is_closed: false,
    });
    let signaling = signaling(folder.path(), Arc::clone(&troubled)).await;
    let probes = signaling.probes_router();
    let stop = CancellationToken::new();
    let running = tokio::spawn(signaling.run(stop.clone()));
    while troubled.asked.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until_ready(probes.clone(), StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(!running.is_finished());

    troubled.is_readable.store(true, Ordering::SeqCst);
    until_ready(probes.clone(), StatusCode::OK).await;

    stop.cancel();
    running.await.unwrap().unwrap();
    until_ready(probes, StatusCode::SERVICE_UNAVAILABLE).await;
}
