//! Presence and limits between the processes of a server, over faults.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gryt_backends::redis::Redis;
use gryt_bus::redis::{provision, start_presence, user_name};
use gryt_bus::{Allowance, Presence, Quotas};
use gryt_model::{MemberId, ServerId};

use super::{in_time, next, server};

/// From a crash until everybody knows.
const PROMISED: Duration = Duration::from_secs(10);
/// Longer than a lease.
const LONG: Duration = Duration::from_secs(8);

/// One process, and who it sees online.
struct Seen {
    presence: Presence,
    quotas: Quotas,
    online: BTreeSet<MemberId>,
}

impl Seen {
    fn start(url: &str) -> Self {
        Self::of(url, &server())
    }

    fn of(url: &str, server: &ServerId) -> Self {
        let (presence, quotas) = start_presence(url.parse().unwrap(), server, [next(); 32]);
        Self {
            presence,
            quotas,
            online: BTreeSet::new(),
        }
    }

    /// Waits until exactly these are online.
    async fn until(&mut self, members: &[u8]) {
        let wanted: BTreeSet<MemberId> = members.iter().copied().map(member).collect();
        let what = format!("{members:?} are online");
        in_time(&what, async {
            while self.online != wanted {
                for change in self.presence.changes().await {
                    if change.online {
                        self.online.insert(change.member);
                    } else {
                        self.online.remove(&change.member);
                    }
                }
            }
        })
        .await;
    }

    async fn hears_nothing_for(&mut self, time: Duration) {
        let heard = tokio::time::timeout(time, self.presence.changes()).await;
        assert!(heard.is_err(), "{heard:?}");
    }
}

fn member(number: u8) -> MemberId {
    MemberId::from_random([number; 16])
}

#[expect(
    clippy::disallowed_methods,
    reason = "a promise of so many seconds is measured"
)]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn members_are_online_while_any_process_has_them_and_gone_soon_after_a_crash() {
    let redis = Redis::start(&[]);
    let mut a = Seen::start(&redis.url());
    let b = Seen::start(&redis.url());
    b.presence.set(&member(1), true);
    b.presence.set(&member(2), true);
    a.presence.set(&member(1), true);
    a.until(&[1, 2]).await;
    b.presence.set(&member(2), false);
    a.until(&[1]).await;
    b.presence.set(&member(3), true);
    a.until(&[1, 3]).await;

    // Without its handle a process says nothing any more, as after a crash.
    drop(b);
    let crashed_at = now();
    a.until(&[1]).await;
    let took = now() - crashed_at;
    assert!(took < PROMISED, "{took:?}");
    let mut late = Seen::start(&redis.url());
    late.until(&[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn many_members_who_come_at_once_are_all_told() {
    let redis = Redis::start(&[]);
    let mut a = Seen::start(&redis.url());
    let b = Seen::start(&redis.url());
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for number in &all {
        b.presence.set(&member(*number), true);
    }
    a.until(&all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn presence_stands_still_while_redis_pauses_and_goes_on_after() {
    let redis = Redis::start(&[]);
    let mut a = Seen::start(&redis.url());
    let mut b = Seen::start(&redis.url());
    a.presence.set(&member(1), true);
    b.presence.set(&member(2), true);
    for process in [&mut a, &mut b] {
        process.until(&[1, 2]).await;
    }

    redis.pause();
    a.hears_nothing_for(LONG).await;
    redis.go_on();
    // All leases have run out meanwhile, and nobody is gone.
    a.hears_nothing_for(LONG).await;
    b.presence.set(&member(2), false);
    a.until(&[1]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn presence_is_written_anew_into_a_redis_that_lost_it() {
    let mut redis = Redis::start(&[]);
    let mut a = Seen::start(&redis.url());
    let b = Seen::start(&redis.url());
    b.presence.set(&member(1), true);
    a.until(&[1]).await;

    redis.kill();
    b.presence.set(&member(1), false);
    b.presence.set(&member(2), true);
    redis.start_again();
    a.until(&[2]).await;

    // Without the connection being lost, too.
    redis.run(&["FLUSHALL"]);
    b.presence.set(&member(3), true);
    a.until(&[2, 3]).await;
    let mut late = Seen::start(&redis.url());
    late.until(&[2, 3]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn another_server_sees_nobody_and_the_named_rights_are_enough() {
    let redis = Redis::start(&[]);
    let mut other = Seen::of(&redis.url(), &ServerId::from_random([80; 16]));
    let administrator = redis.url().parse().unwrap();
    provision(&administrator, &server(), "p@ss").await.unwrap();
    let user = user_name(&server());
    let url = format!("redis://{user}:p%40ss@127.0.0.1:{}", redis.port());

    let mut a = Seen::of(&url, &server());
    let b = Seen::of(&url, &server());
    b.presence.set(&member(1), true);
    a.until(&[1]).await;
    b.presence.set(&member(1), false);
    a.until(&[]).await;
    until_counted(&a.quotas).await;
    assert!(a.quotas.take("x", ONCE).await.is_ok());
    assert!(b.quotas.take("x", ONCE).await.is_err(), "it counts");
    assert_eq!(a.quotas.count("y", 2).await, 2);
    assert_eq!(b.quotas.count("y", 1).await, 3);
    other.hears_nothing_for(Duration::from_secs(2)).await;
    assert!(other.quotas.take("x", ONCE).await.is_ok());
}

const ONCE: Allowance = Allowance {
    interval: Duration::from_mins(1),
    burst: 1,
};

/// Until a process counts with others, which it does as soon as it is connected.
async fn until_counted(quotas: &Quotas) {
    in_time("it counts", async {
        while quotas.take("probe", ONCE).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn limits_hold_over_all_processes_and_nobody_waits_for_a_redis_that_is_gone() {
    let redis = Redis::start(&[]);
    let a = Seen::start(&redis.url());
    let b = Seen::start(&redis.url());
    until_counted(&a.quotas).await;
    until_counted(&b.quotas).await;

    let three = Allowance {
        interval: Duration::from_secs(20),
        burst: 3,
    };
    for process in [&a, &b, &a] {
        assert_eq!(process.quotas.take("send:ada", three).await, Ok(()));
    }
    let wait = b.quotas.take("send:ada", three).await.unwrap_err();
    assert!(
        wait > Duration::from_secs(5) && wait <= Duration::from_secs(20),
        "{wait:?}"
    );
    assert_eq!(b.quotas.take("send:bob", three).await, Ok(()));

    assert_eq!(a.quotas.count("address:x", 5).await, 5);
    assert_eq!(b.quotas.count("address:x", 2).await, 7);
    assert_eq!(a.quotas.count("address:x", 0).await, 2);
    assert_eq!(a.quotas.count("address:x", 1).await, 3);

    redis.pause();
    let began = now();
    assert_eq!(
        b.quotas.take("send:ada", three).await,
        Ok(()),
        "here it may"
    );
    assert_eq!(b.quotas.count("address:x", 2).await, 2, "who is here");
    assert!(now() - began < Duration::from_secs(2));
    redis.go_on();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn places_of_a_process_that_died_are_free_when_its_lease_is_over() {
    let redis = Redis::start(&[]);
    let a = Seen::start(&redis.url());
    let b = Seen::start(&redis.url());
    until_counted(&a.quotas).await;
    until_counted(&b.quotas).await;
    b.quotas.count("address:x", 4).await;
    assert_eq!(a.quotas.count("address:x", 1).await, 5);
    drop(b);
    in_time("its places are free", async {
        while a.quotas.count("address:x", 1).await != 1 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}
