//! The log over restarts of Redis: it goes on if nothing was lost, else it is another one.

use std::time::Duration;

use gryt_backends::redis::Redis;
use gryt_backends::toxiproxy::Proxy;
use gryt_bus::redis::RedisBus;
use gryt_bus::{Bus as _, Cursor, EventId, Interrupted, Replay};
use tokio::time::Instant;

use super::{behind, in_time, process, told, told_id, until};
use crate::fixture::durable;

async fn publish(bus: &RedisBus, count: u64) {
    for number in 1..=count {
        bus.publish(durable(number)).await.unwrap();
    }
}

async fn reconnects(bus: &RedisBus) {
    in_time("it reconnects", bus.connected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn log_goes_on_over_a_restart_that_lost_nothing() {
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let bus = process(&redis.url()).await;
    let mut subscription = bus.subscribe();
    publish(&bus, 3).await;
    let before = bus.head().await.unwrap();

    redis.kill();
    until("the loss is noticed", || !bus.is_connected()).await;
    redis.start_again();
    reconnects(&bus).await;

    assert_eq!(bus.head().await.unwrap(), before);
    assert_eq!(bus.publish(durable(4)).await.unwrap(), EventId(4));
    let replay = bus.replay(&before, 10).await.unwrap();
    assert!(matches!(replay, Replay::Events(events) if events.len() == 1));
    for id in 1..=3 {
        assert_eq!(told_id(&mut subscription).await, id);
    }
    // Live events of others may have gone with the old process.
    assert_eq!(told(&mut subscription).await, Err(Interrupted::Lagged(1)));
    assert_eq!(told_id(&mut subscription).await, 4);
    let newcomer = process(&redis.url()).await;
    assert_eq!(newcomer.head().await.unwrap().epoch, before.epoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn log_of_an_older_copy_begins_anew() {
    let mut redis = Redis::start(&[]);
    let bus = process(&redis.url()).await;
    publish(&bus, 3).await;
    redis.run(&["SAVE"]);
    publish(&bus, 2).await;
    let seen = bus.head().await.unwrap();
    let mut subscription = bus.subscribe();

    redis.kill();
    until("the loss is noticed", || !bus.is_connected()).await;
    redis.start_again();
    reconnects(&bus).await;

    let head = bus.head().await.unwrap();
    assert_ne!(head.epoch, seen.epoch);
    assert_eq!(head.event_id, EventId(0));
    assert_eq!(told(&mut subscription).await, Err(Interrupted::Lagged(1)));
    publish(&bus, 6).await;
    for event_id in [2, 3, 5] {
        let cursor = Cursor {
            event_id: EventId(event_id),
            ..seen.clone()
        };
        let replay = bus.replay(&cursor, 10).await.unwrap();
        assert_eq!(replay, Replay::OtherEpoch, "{event_id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn log_of_another_run_begins_anew_where_nobody_remembers_it() {
    let mut redis = Redis::start(&[]);
    let before = process(&redis.url()).await;
    publish(&before, 3).await;
    redis.run(&["SAVE"]);
    publish(&before, 2).await;
    let seen = before.head().await.unwrap();
    drop(before);
    redis.kill();
    redis.start_again();

    let after = process(&redis.url()).await;
    publish(&after, 6).await;

    assert_eq!(after.replay(&seen, 10).await.unwrap(), Replay::OtherEpoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn log_that_was_continued_without_what_somebody_saw_begins_anew() {
    let mut redis = Redis::start(&[]);
    let (way_a, way_b) = (Proxy::start(redis.port()), Proxy::start(redis.port()));
    let saw_all = process(&behind(&way_a)).await;
    let saw_less = process(&behind(&way_b)).await;
    publish(&saw_all, 3).await;
    let mut subscription = saw_less.subscribe();
    until("both have the same", || length_seen(&redis) == 3).await;
    saw_less.publish(durable(4)).await.unwrap();
    redis.run(&["SAVE"]);
    way_b.cut();
    publish(&saw_all, 2).await;
    let seen = saw_all.head().await.unwrap();
    assert_eq!(seen.event_id, EventId(6));
    way_a.cut();
    redis.kill();
    redis.start_again();

    // Who saw less finds everything it knows, and goes on over the ids that the other one saw.
    way_b.mend();
    reconnects(&saw_less).await;
    publish(&saw_less, 4).await;
    let continued = saw_less.head().await.unwrap();
    assert_eq!(continued.epoch, seen.epoch);
    way_a.mend();
    reconnects(&saw_all).await;

    assert_ne!(saw_all.head().await.unwrap().epoch, seen.epoch);
    assert_eq!(
        saw_less.replay(&seen, 10).await.unwrap(),
        Replay::OtherEpoch
    );
    let lagged = async {
        let mut interruptions = 0;
        // Once for the restart, once for the new log.
        while interruptions < 2 {
            interruptions += u8::from(subscription.next().await.is_err());
        }
    };
    in_time("the subscriber is told", lagged).await;
}

fn length_seen(redis: &Redis) -> u64 {
    super::length(redis).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn flushed_log_begins_anew_and_everybody_is_told() {
    let redis = Redis::start(&[]);
    let bus = process(&redis.url()).await;
    let other = process(&redis.url()).await;
    publish(&bus, 3).await;
    let seen = bus.head().await.unwrap();
    let mut subscription = other.subscribe();

    redis.run(&["FLUSHALL"]);

    let began = Instant::now();
    assert_eq!(told(&mut subscription).await, Err(Interrupted::Lagged(1)));
    assert!(began.elapsed() < Duration::from_secs(5));
    let head = bus.head().await.unwrap();
    assert_ne!(head.epoch, seen.epoch);
    assert_eq!(bus.publish(durable(1)).await.unwrap(), EventId(1));
    assert_eq!(told_id(&mut subscription).await, 1);
}
