//! The way to Redis is slow, cut or half-open, and Redis stands still.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gryt_backends::redis::Redis;
use gryt_backends::toxiproxy::Proxy;
use gryt_bus::redis::RedisBus;
use gryt_bus::{Bus as _, Delivery, Error, EventId, Interrupted};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{behind, in_time, length, process, told, told_id, until};
use crate::fixture::{durable, live};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn calls_fail_in_bounded_time_while_redis_is_gone_and_work_again_after() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = process(&behind(&way)).await;

    way.cut();
    let began = Instant::now();
    let (published, head) = tokio::join!(bus.publish(durable(1)), bus.head());
    assert!(
        matches!(published, Err(Error::AskRedis(_))),
        "{published:?}"
    );
    assert!(matches!(head, Err(Error::AskRedis(_))), "{head:?}");
    assert!(began.elapsed() < RedisBus::PATIENCE + Duration::from_secs(1));

    way.mend();
    in_time("it reconnects", bus.connected()).await;
    assert_eq!(bus.publish(durable(2)).await.unwrap(), EventId(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn bus_that_starts_before_redis_serves_once_it_is_there() {
    let mut redis = Redis::start(&[]);
    let url = redis.url();
    redis.kill();
    let bus = RedisBus::start(url.parse().unwrap(), &super::server(), [200; 32]);
    assert!(matches!(bus.head().await, Err(Error::AskRedis(_))));

    redis.start_again();

    in_time("it connects", bus.connected()).await;
    assert_eq!(bus.publish(durable(1)).await.unwrap(), EventId(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn event_whose_answer_was_lost_is_published_once() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = Arc::new(process(&behind(&way)).await);
    // The first one brings the script along, which takes an answer.
    bus.publish(durable(1)).await.unwrap();
    for id in 2..=4 {
        way.swallow_answers();
        let publishing = tokio::spawn({
            let bus = Arc::clone(&bus);
            async move { bus.publish(durable(id)).await }
        });
        until("it is in the log", || length(&redis) == id.to_string()).await;
        // A stream never loses a part and goes on, so the connection has to end.
        way.cut();
        way.mend();

        assert_eq!(publishing.await.unwrap().unwrap(), EventId(id));
        in_time("it reconnects", bus.connected()).await;
        assert_eq!(length(&redis), id.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn event_that_was_sent_on_two_connections_is_published_once() {
    let redis = Redis::start(&[]);
    let bus = Arc::new(process(&redis.url()).await);
    for id in 1..=3 {
        redis.pause();
        let publishing = tokio::spawn({
            let bus = Arc::clone(&bus);
            async move { bus.publish(durable(id)).await }
        });
        // The first command waits in a socket that nobody listens to any more.
        until("the link gives up", || !bus.is_connected()).await;
        redis.go_on();

        assert_eq!(publishing.await.unwrap().unwrap(), EventId(id));
        in_time("it reconnects", bus.connected()).await;
        assert_eq!(length(&redis), id.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn command_of_a_given_up_connection_that_arrives_late_is_refused() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = process(&behind(&way)).await;
    bus.publish(durable(1)).await.unwrap();
    let prefix = format!("{{{}}}:bus", super::server());
    let writer = redis.run(&["KEYS", &format!("{prefix}:writer:*")]);
    let (old, epoch) = (
        redis.run(&["HGET", &writer, "token"]),
        redis.run(&["HGET", &format!("{prefix}:log"), "epoch"]),
    );
    way.cut();
    until("the loss is noticed", || !bus.is_connected()).await;
    way.mend();
    in_time("it reconnects", bus.connected()).await;

    let append = |token: &str| {
        let keys = ["log", "events", "texts", "told"].map(|name| format!("{prefix}:{name}"));
        let mut command = vec!["EVAL", include_str!("../../../src/redis/append.lua"), "5"];
        command.extend(keys.iter().map(String::as_str));
        command.extend([
            &writer, &epoch, token, "1", "mark", "10", "0", "PUBLISH", &prefix,
        ]);
        command.extend(["60000", "E", "everyone\n", "", "", ""]);
        redis.run(&command)
    };
    assert_eq!(append(&old), "FENCED");
    assert_eq!(length(&redis), "1");
    let new = redis.run(&["HGET", &writer, "token"]);
    assert_eq!(append(&new), "OK\n2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn events_told_while_the_way_was_cut_arrive_in_order_and_nothing_else() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = process(&behind(&way)).await;
    let other = process(&redis.url()).await;
    let mut subscription = bus.subscribe();
    other.publish(durable(1)).await.unwrap();
    assert_eq!(told_id(&mut subscription).await, 1);

    way.cut();
    until("the loss is noticed", || !bus.is_connected()).await;
    for number in 2..=600 {
        other.publish(durable(number)).await.unwrap();
    }
    way.mend();

    for id in 2..=600 {
        assert_eq!(told_id(&mut subscription).await, id);
    }
    other.publish_live(live(1));
    other.publish(durable(601)).await.unwrap();
    assert_eq!(told_id(&mut subscription).await, 0);
    assert_eq!(told_id(&mut subscription).await, 601);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn live_events_lost_on_the_way_are_told_by_their_number() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = process(&behind(&way)).await;
    let other = process(&redis.url()).await;
    let mut subscription = bus.subscribe();

    way.cut();
    until("the loss is noticed", || !bus.is_connected()).await;
    for number in 0..3 {
        other.publish_live(live(number));
    }
    other.publish(durable(1)).await.unwrap();
    way.mend();

    assert_eq!(told_id(&mut subscription).await, 1);
    assert_eq!(told(&mut subscription).await, Err(Interrupted::Lagged(3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn live_events_that_found_no_place_are_counted_by_everybody() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = process(&behind(&way)).await;
    let other = process(&redis.url()).await;
    let mut subscription = other.subscribe();
    let published = RedisBus::QUEUE as u64 + 500;

    way.cut();
    until("the loss is noticed", || !bus.is_connected()).await;
    for number in 0..published {
        bus.publish_live(live(u32::try_from(number).unwrap()));
    }
    way.mend();

    let (mut arrived, mut lost) = (0, 0);
    while arrived + lost < published {
        match told(&mut subscription).await {
            Ok(_) => arrived += 1,
            Err(Interrupted::Lagged(count)) => lost += count,
            Err(Interrupted::Closed) => panic!("closed"),
        }
    }
    assert_eq!(arrived + lost, published);
    assert!(lost >= 500, "{lost}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn half_open_connection_is_noticed_within_five_seconds() {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    let bus = process(&behind(&way)).await;
    // The first pulse comes with the connection; what counts is the one after it.
    for number in 0..20 {
        bus.publish(durable(number)).await.unwrap();
    }

    way.swallow_everything();
    let began = Instant::now();
    until("the loss is noticed", || !bus.is_connected()).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );

    way.cut();
    way.mend();
    in_time("it reconnects", bus.connected()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn faults_under_load_lose_repeat_and_reorder_nothing_that_was_acknowledged() {
    let redis = Redis::start(&[]);
    let (way_in, way_out) = (Proxy::start(redis.port()), Proxy::start(redis.port()));
    let publisher = Arc::new(process(&behind(&way_in)).await);
    let listener = process(&behind(&way_out)).await;
    let mut subscription = listener.subscribe();
    let mut publishers = JoinSet::new();
    for sender in 0..20u64 {
        let bus = Arc::clone(&publisher);
        publishers.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0..100 {
                let message = sender * 1000 + number;
                // An error may have been published or not; the others must be there.
                if let Ok(id) = bus.publish(durable(message)).await {
                    acknowledged.push((id.0, message));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            acknowledged
        });
    }
    let faults = async {
        for round in 0..3 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            match round {
                0 => way_in.cut(),
                1 => way_out.cut(),
                _ => redis.pause(),
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            redis.go_on();
            way_in.mend();
            way_out.mend();
        }
    };
    let heard = async {
        // Numbered from 1, so that a gap or a repetition stops it.
        let mut heard: Vec<Arc<Delivery>> = Vec::new();
        while heard
            .last()
            .is_none_or(|last| last.event.event != durable(LAST).event.event)
        {
            let delivery = told(&mut subscription).await.unwrap();
            assert_eq!(delivery.event.event_id, heard.len() as u64 + 1);
            heard.push(delivery);
        }
        heard
    };
    let publishing = async {
        let (acknowledged, ()) = tokio::join!(publishers.join_all(), faults);
        in_time("it reconnects", publisher.connected()).await;
        publisher.publish(durable(LAST)).await.unwrap();
        acknowledged
    };
    let (acknowledged, heard) = tokio::join!(publishing, heard);

    let acknowledged: Vec<(u64, u64)> = acknowledged.into_iter().flatten().collect();
    assert!(acknowledged.len() > 1000, "{}", acknowledged.len());
    for (id, message) in acknowledged {
        let at = usize::try_from(id).unwrap() - 1;
        assert_eq!(heard[at].event.event, durable(message).event.event);
    }
    let distinct: BTreeSet<String> = heard
        .iter()
        .map(|delivery| format!("{:?}", delivery.event.event))
        .collect();
    assert_eq!(distinct.len(), heard.len());
}

/// The message that is published last.
const LAST: u64 = 99_999;
