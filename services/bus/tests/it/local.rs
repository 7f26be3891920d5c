//! What only the local bus promises: its log in a file.

use std::sync::Arc;

use gryt_bus::{Bus as _, Cursor, Error, EventId, LocalBus, LogEpoch, Replay};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::fixture::{durable, open};

#[tokio::test]
async fn log_goes_on_with_epoch_and_ids_after_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.db");
    let before = open(&path, 1);
    before.publish(durable(1)).await.unwrap();
    before.publish(durable(2)).await.unwrap();
    let head = before.head().await.unwrap();
    drop(before);

    let after = open(&path, 2);

    assert_eq!(after.head().await.unwrap(), head);
    assert_eq!(after.publish(durable(3)).await.unwrap(), EventId(3));
    let replay = after.replay(&head, 10).await.unwrap();
    assert!(matches!(replay, Replay::Events(events) if events.len() == 1));
}

#[tokio::test]
async fn log_of_a_newer_version_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.db");
    drop(open(&path, 1));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);

    let refusal = LocalBus::open(&path, &LogEpoch::from_random([1; 16])).unwrap_err();

    let Error::OpenLog(gryt_store::Error::NewerSchema { found, .. }) = refusal else {
        panic!("opened otherwise: {refusal:?}");
    };
    assert_eq!(found, 99);
}

#[tokio::test]
async fn log_keeps_its_newest_events_and_says_what_it_trimmed() {
    let folder = TempDir::new().unwrap();
    let bus = Arc::new(open(&folder.path().join("events.db"), 1));
    let published = LocalBus::EVENTS_KEPT + 100;
    let mut publishers = JoinSet::new();
    for _ in 0..100 {
        let bus = Arc::clone(&bus);
        publishers.spawn(async move {
            for number in 0..published / 100 {
                bus.publish(durable(number)).await.unwrap();
            }
        });
    }
    publishers.join_all().await;

    let head = bus.head().await.unwrap();
    assert_eq!(head.event_id, EventId(published));
    let at = |event_id| Cursor {
        event_id: EventId(event_id),
        ..head.clone()
    };
    assert_eq!(bus.replay(&at(0), 1).await.unwrap(), Replay::Trimmed);
    assert_eq!(bus.replay(&at(99), 1).await.unwrap(), Replay::Trimmed);
    let oldest = bus.replay(&at(100), 20_000).await.unwrap();
    let Replay::Events(oldest) = oldest else {
        panic!("no events: {oldest:?}");
    };
    assert_eq!(oldest.len() as u64, LocalBus::EVENTS_KEPT);
    assert_eq!(oldest[0].event.event_id, 101);
}
