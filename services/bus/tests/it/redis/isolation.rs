//! Servers that share a Redis, users that may do little, and TLS.

use gryt_backends::redis::Redis;
use gryt_bus::redis::{RedisBus, RedisConfig, provision, user_name};
use gryt_bus::{Bus as _, EventId, Replay};
use gryt_model::ServerId;

use super::{another_server, in_time, process_of, told_id};
use crate::fixture::{durable, live, message};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn two_servers_on_one_redis_hear_nothing_of_each_other() {
    let redis = Redis::start(&[]);
    let one = another_server(&redis.url()).await;
    let two = another_server(&redis.url()).await;
    let mut subscription = two.subscribe();

    one.publish(durable(1)).await.unwrap();
    one.publish_live(live(1));
    assert_eq!(two.publish(durable(2)).await.unwrap(), EventId(1));

    assert_eq!(told_id(&mut subscription).await, 1);
    let cursor = one.head().await.unwrap();
    assert_eq!(two.replay(&cursor, 10).await.unwrap(), Replay::OtherEpoch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn user_with_the_named_rights_is_enough_for_its_server_and_for_no_other() {
    let redis = Redis::start(&[]);
    let server = ServerId::from_random([70; 16]);
    let other = ServerId::from_random([71; 16]);
    let administrator: RedisConfig = redis.url().parse().unwrap();
    provision(&administrator, &server, "p@ss").await.unwrap();
    let user = user_name(&server);
    let url = format!("redis://{user}:p%40ss@127.0.0.1:{}", redis.port());

    let bus = process_of(&url, &server).await;
    let mut subscription = bus.subscribe();
    bus.publish(message(1, "a")).await.unwrap();
    bus.publish(durable(1)).await.unwrap();
    bus.publish_live(live(1));
    for id in [1, 2, 0] {
        assert_eq!(told_id(&mut subscription).await, id);
    }
    let foreign = RedisBus::start(url.parse().unwrap(), &other, [72; 32]);
    assert!(foreign.head().await.is_err());
    let log = format!("{{{other}}}:bus:log");
    let channel = format!("{{{other}}}:bus");
    for command in [
        vec!["HGET", &log, "epoch"],
        vec!["HSET", &log, "epoch", "x"],
        vec!["PUBLISH", &channel, "x"],
        vec!["KEYS", "*"],
        vec!["INFO", "clients"],
        vec!["CONFIG", "GET", "*"],
        vec!["FLUSHALL"],
    ] {
        let mut as_tenant = vec!["--no-auth-warning", "--user", &user, "--pass", "p@ss"];
        as_tenant.extend(&command);
        let refusal = redis.try_run(&as_tenant).unwrap_err();
        assert!(refusal.contains("NOPERM"), "{command:?}: {refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn redis_with_tls_is_used_if_its_authority_is_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let redis = Redis::start_with_tls(&pem, &made.signing_key.serialize_pem());
    let url = format!("rediss://127.0.0.1:{}", redis.port());
    let config: RedisConfig = url.parse().unwrap();
    let server = ServerId::from_random([73; 16]);

    let strangers = RedisBus::start(config.clone(), &server, [74; 32]);
    let trusted = config.with_ca(pem.as_bytes()).unwrap();
    let bus = RedisBus::start(trusted, &server, [75; 32]);

    in_time("it connects", bus.connected()).await;
    assert_eq!(bus.publish(durable(1)).await.unwrap(), EventId(1));
    assert!(strangers.head().await.is_err());
}
