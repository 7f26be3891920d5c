//! Who is online, over several processes.

use std::time::{Duration, Instant};

use crate::server::Server;

/// What is promised after a crash.
const PROMISED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn member_is_online_at_any_process_and_gone_in_time_after_a_crash() {
    let server = Server::ready().await;
    let [mut a, b, c] = server.replicas().await;
    let ada = server.person("ada", &[&a]).await;
    let bob = server.person("bob", &[&b]).await;
    // At two processes at once.
    let cyd_at_a = server.person("cyd", &[&a]).await;
    let cyd_at_c = server.person("cyd", &[&c]).await;
    let id = |record: &crate::chatter::Record| record.member_id.clone();
    let [ada_id, bob_id, cyd_id] = [&ada, &bob, &cyd_at_c].map(|person| id(&person.record()));
    let everybody = [&ada_id, &bob_id, &cyd_id].map(Clone::clone).into();
    for person in [&ada, &bob, &cyd_at_a, &cyd_at_c] {
        person
            .until("everybody", |record| record.online == everybody)
            .await;
    }

    a.kill();
    let killed_at = now();
    let left = [&bob_id, &cyd_id].map(Clone::clone).into();
    for person in [&bob, &cyd_at_c] {
        person
            .until("ada to be gone", |record| record.online == left)
            .await;
    }
    let took = now() - killed_at;
    println!("presence was right {took:?} after the crash");
    assert!(took <= PROMISED, "{took:?}");

    // Whoever comes now is told the same, and a good end is told at once.
    let dan = server.person("dan", &[&b]).await;
    let dan_id = id(&dan.record());
    assert!(dan.record().online.contains(&cyd_id));
    assert!(!dan.record().online.contains(&ada_id));
    cyd_at_c
        .until("dan", |record| record.online.contains(&dan_id))
        .await;
    drop(dan);
    cyd_at_c
        .until("dan to be gone", |record| !record.online.contains(&dan_id))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_stays_as_it_was_without_redis_and_is_right_again_with_it() {
    let mut server = Server::ready().await;
    let [a, b] = server.replicas().await;
    let ada = server.person("ada", &[&a]).await;
    let bob = server.person("bob", &[&b]).await;
    let ids = [&ada, &bob].map(|person| person.record().member_id.clone());
    let [ada_id, bob_id] = ids.clone();
    let both = ids.into();
    for person in [&ada, &bob] {
        person.until("both", |record| record.online == both).await;
    }

    server.redis.kill();
    drop(bob);
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(ada.record().online.contains(&bob_id), "nobody can know");
    server.redis.start_again();

    ada.until("bob to be gone", |record| !record.online.contains(&bob_id))
        .await;
    assert!(ada.record().online.contains(&ada_id));
}

#[expect(
    clippy::disallowed_methods,
    reason = "a promise of so many seconds is measured"
)]
fn now() -> Instant {
    Instant::now()
}
