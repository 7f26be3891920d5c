//! A server whose background work has ended says so.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gryt_bus::{
    Bus, Cursor, DurableEvent, Error, EventId, LiveEvent, LocalBus, LogEpoch, Replay, Subscription,
};
use gryt_signaling::{Limits, Ports, RunError, Signaling};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::issuer::Issuer;
use crate::sfu::Sfu;
use crate::world::{config, server_id, store};

/// A bus whose log cannot be read.
#[derive(Debug)]
struct Unreadable(LocalBus);

#[async_trait]
impl Bus for Unreadable {
    async fn publish(&self, event: DurableEvent) -> Result<EventId, Error> {
        self.0.publish(event).await
    }

    fn publish_live(&self, event: LiveEvent) {
        self.0.publish_live(event);
    }

    fn subscribe(&self) -> Subscription {
        self.0.subscribe()
    }

    async fn head(&self) -> Result<Cursor, Error> {
        Err(Error::UseLog(gryt_store::Error::Closed))
    }

    async fn replay(&self, _: &Cursor, _: u32) -> Result<Replay, Error> {
        Err(Error::UseLog(gryt_store::Error::Closed))
    }
}

#[tokio::test]
async fn server_ends_with_an_error_when_its_fan_out_ends() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start().await;
    let log = folder.path().join("log.sqlite");
    let bus = LocalBus::open(&log, &LogEpoch::from_random([9; 16])).unwrap();
    let ports = Ports {
        store: Arc::new(store(folder.path())),
        bus: Arc::new(Unreadable(bus)),
        sfus: vec![("the SFU".to_owned(), Sfu::start().1)],
        verifier: issuer.verifier(server_id().as_str()),
        invites: None,
        registry: Registry::default(),
    };
    let signaling = Signaling::new(config(Limits::default()), ports);

    let running = signaling.run(CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(5), running).await;

    assert!(matches!(ended, Ok(Err(RunError::Ended("fan-out")))));
}
