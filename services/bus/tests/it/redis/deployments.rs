//! Failovers of Sentinel and Cluster, under load.
#![expect(
    clippy::print_stdout,
    reason = "how long it took is worth to be read beside the verdict"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gryt_backends::redis::{Cluster, Sentinels};
use gryt_bus::redis::RedisBus;
use gryt_bus::{Bus as _, Cursor, EventId, Interrupted, Replay, Subscription};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{in_time, process, server};
use crate::fixture::durable;

/// Publishes until told to stop, and gives back what was acknowledged.
fn keep_publishing(bus: Arc<RedisBus>, mut stop: oneshot::Receiver<()>) -> JoinHandle<Vec<u64>> {
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for number in 1.. {
            if stop.try_recv().is_ok() {
                break;
            }
            if let Ok(id) = bus.publish(durable(number)).await {
                acknowledged.push(id.0);
            }
        }
        acknowledged
    })
}

/// What a client that resumes by the cursor it has would end with: events without a gap, or a
/// snapshot because it was told so.
async fn follow(mut subscription: Subscription, bus: Arc<RedisBus>, last: u64) -> bool {
    let mut cursor: Cursor = Cursor {
        event_id: EventId(0),
        ..bus.head().await.unwrap()
    };
    while cursor.event_id.0 < last {
        match subscription.next().await {
            Ok(delivery) => {
                let id = delivery.event.event_id;
                assert!(id <= cursor.event_id.0 + 1, "gap before {id}");
                if id == cursor.event_id.0 + 1 {
                    cursor.event_id.0 = id;
                }
            }
            Err(Interrupted::Lagged(_)) => match bus.replay(&cursor, 1).await {
                Ok(Replay::Events(_)) => {}
                Ok(Replay::OtherEpoch | Replay::Trimmed) => return false,
                Err(error) => panic!("{error}"),
            },
            Err(Interrupted::Closed) => panic!("closed"),
        }
    }
    true
}

async fn survives(url: &str, fail_over: impl FnOnce() + Send + 'static) {
    let publisher = Arc::new(process(url).await);
    let listener = Arc::new(process(url).await);
    let before = listener.head().await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let publishing = keep_publishing(Arc::clone(&publisher), stopped);
    let subscription = listener.subscribe();
    let following = tokio::spawn(follow(subscription, Arc::clone(&listener), u64::MAX));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = tokio::time::Instant::now();
    tokio::task::spawn_blocking(fail_over).await.unwrap();
    println!("failed over after {:?}", began.elapsed());

    in_time("it publishes again", async {
        while publisher.publish(durable(0)).await.is_err() {}
    })
    .await;
    println!("published again after {:?}", began.elapsed());
    stop.send(()).unwrap();
    let acknowledged = publishing.await.unwrap();
    in_time("the listener reconnects", listener.connected()).await;

    let after = listener.head().await.unwrap();
    println!(
        "{} acknowledged, head {}, same epoch: {}",
        acknowledged.len(),
        after.event_id,
        after.epoch == before.epoch
    );
    if after.epoch == before.epoch {
        // Nothing that was acknowledged may be missing then, and no id may stand twice.
        assert!(acknowledged.is_sorted_by(|one, next| one < next));
        assert!(after.event_id.0 >= *acknowledged.last().unwrap());
        assert!(!following.is_finished());
    } else {
        let resumed = in_time("the listener is told", following).await.unwrap();
        assert!(!resumed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn sentinel_failover_is_survived_and_nobody_resumes_wrongly() {
    let sentinels = Sentinels::start();
    let url = sentinels.url();
    let deployment = Arc::new(Mutex::new(sentinels));
    let failing = Arc::clone(&deployment);
    survives(&url, move || failing.lock().unwrap().fail_over()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn cluster_failover_is_survived_and_nobody_resumes_wrongly() {
    let cluster = Cluster::start();
    let url = cluster.url();
    let deployment = Arc::new(Mutex::new(cluster));
    let failing = Arc::clone(&deployment);
    let key = format!("{{{}}}", server());
    survives(&url, move || failing.lock().unwrap().fail_over(&key)).await;
}
