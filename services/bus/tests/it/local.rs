//! What only the local bus promises: its log in a file.

use gryt_bus::{Bus as _, Error, EventId, LocalBus, LogEpoch, Replay};
use tempfile::TempDir;

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
