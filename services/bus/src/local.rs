//! [`Bus`] within one process: fan-out in memory, the log in a SQLite file of its own.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use gryt_proto::client::v1 as wire;
use gryt_store::sqlite::Database;
use rusqlite::Connection;
use tokio::sync::broadcast;

use crate::subscription::Told;
use crate::{
    Bus, Cursor, Delivery, DurableEvent, Error, EventId, LiveEvent, LogEpoch, Replay, Subscription,
};

mod log;

/// The bus of a server that runs in one process.
#[derive(Debug)]
pub struct LocalBus {
    log: Database,
    epoch: LogEpoch,
    subscribers: broadcast::Sender<Told>,
}

impl LocalBus {
    /// Opens the log, or makes it with the epoch `fresh`. Blocks for the time of some fsyncs.
    ///
    /// # Errors
    /// [`Error::OpenLog`] if the file cannot be used or was written by a newer program.
    pub fn open(path: &Path, fresh: &LogEpoch) -> Result<Self, Error> {
        let (log, epoch) = Database::open(path, &log::SCHEMA, |connection| {
            log::prepare(connection, fresh)
        })
        .map_err(Error::OpenLog)?;
        let (subscribers, _) = broadcast::channel(Subscription::CAPACITY);
        Ok(Self {
            log,
            epoch,
            subscribers,
        })
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, event: DurableEvent) -> Result<EventId, Error> {
        let DurableEvent { event, audience } = event;
        let logged = wire::Event {
            event_id: 0,
            ..event.clone()
        };
        let wanted = audience.clone();
        let append = move |connection: &Connection| log::append(connection, &audience, &logged);
        let subscribers = self.subscribers.clone();
        // On the log's thread, so that the order of deliveries is the order of ids, and so that an
        // event that is in the log is delivered even if the publisher is gone.
        let fan_out = move |event_id: EventId| {
            let event = wire::Event {
                event_id: event_id.0,
                ..event
            };
            deliver(
                &subscribers,
                Delivery {
                    event,
                    audience: wanted,
                },
            );
            event_id
        };
        Ok(self.log.write_then(append, fan_out).await?)
    }

    fn publish_live(&self, event: LiveEvent) {
        let LiveEvent { event, audience } = event;
        let event = wire::Event {
            event_id: 0,
            ..event
        };
        deliver(&self.subscribers, Delivery { event, audience });
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.subscribers.subscribe())
    }

    async fn head(&self) -> Result<Cursor, Error> {
        Ok(Cursor {
            epoch: self.epoch.clone(),
            event_id: self.log.read(log::head).await?,
        })
    }

    async fn replay(&self, after: &Cursor, limit: u32) -> Result<Replay, Error> {
        if after.epoch != self.epoch {
            return Ok(Replay::OtherEpoch);
        }
        let after = after.event_id;
        let read = move |connection: &Connection| log::replay(connection, after, limit);
        Ok(self.log.read(read).await?)
    }
}

fn deliver(subscribers: &broadcast::Sender<Told>, delivery: Delivery) {
    // It fails if there is no subscriber, and then there is nobody to tell.
    let _ = subscribers.send(Told::Event(Arc::new(delivery)));
}
