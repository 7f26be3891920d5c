//! What the Redis bus promises beyond the contract: over faults, restarts and failovers, and beside
//! other servers. Each test starts what it needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use gryt_backends::redis::Redis;
use gryt_backends::toxiproxy::Proxy;
use gryt_bus::redis::RedisBus;
use gryt_bus::{Delivery, Interrupted, Subscription};
use gryt_model::ServerId;

use crate::fixture::Fixture;

mod administration;
mod deployments;
mod faults;
mod isolation;
mod log;
mod neighbors;

/// How long anything may take that does come.
const LONGEST: Duration = Duration::from_secs(30);

/// Ids for what must differ within this test run.
static NEXT: AtomicU8 = AtomicU8::new(1);

fn next() -> u8 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) async fn single() -> Fixture {
    let redis = Redis::start(&[]);
    Fixture {
        bus: Arc::new(another_server(&redis.url()).await),
        _alive: Box::new(redis),
    }
}

pub(crate) async fn slow() -> Fixture {
    let redis = Redis::start(&[]);
    let way = Proxy::start(redis.port());
    way.delay_ms(10);
    Fixture {
        bus: Arc::new(another_server(&behind(&way)).await),
        _alive: Box::new((way, redis)),
    }
}

/// A bus of a server that nobody else has.
pub(crate) async fn another_server(url: &str) -> RedisBus {
    process_of(url, &ServerId::from_random([next(); 16])).await
}

/// One more process of the one server that most tests have.
async fn process(url: &str) -> RedisBus {
    process_of(url, &server()).await
}

async fn process_of(url: &str, server: &ServerId) -> RedisBus {
    let bus = RedisBus::start(url.parse().unwrap(), server, [next(); 32]);
    in_time("it connects", bus.connected()).await;
    bus
}

fn server() -> ServerId {
    ServerId::from_random([0; 16])
}

fn behind(way: &Proxy) -> String {
    format!("redis://127.0.0.1:{}", way.port())
}

async fn in_time<T>(what: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LONGEST, wait).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    in_time(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn told(subscription: &mut Subscription) -> Result<Arc<Delivery>, Interrupted> {
    in_time("something is told", subscription.next()).await
}

async fn told_id(subscription: &mut Subscription) -> u64 {
    told(subscription).await.unwrap().event.event_id
}

/// How many events the log in Redis has.
fn length(redis: &Redis) -> String {
    redis.run(&["XLEN", &format!("{{{}}}:bus:events", server())])
}
