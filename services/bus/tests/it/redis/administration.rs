//! What an administrator does for a server: its user, at every node, and what is left of it.

use gryt_backends::redis::{Cluster, Redis, Sentinels};
use gryt_bus::redis::{AdministrationError, RedisBus, RedisConfig, provision, purge, user_name};
use gryt_bus::{Bus as _, EventId};
use gryt_model::ServerId;
use tempfile::TempDir;

use super::{in_time, next, process_of};
use crate::fixture::durable;

fn fresh() -> ServerId {
    ServerId::from_random([next(); 16])
}

fn config(url: &str) -> RedisConfig {
    url.parse().unwrap()
}

/// Whether this password lets the server's user in at this node.
fn lets_in(node: &Redis, server: &ServerId, password: &str) -> bool {
    match node.try_run(&["AUTH", &user_name(server), password]) {
        Ok(_) => true,
        Err(words) => {
            assert!(words.contains("WRONGPASS"), "{words}");
            false
        }
    }
}

async fn bus_as_user(url: &str, server: &ServerId, folder: &TempDir, password: &str) -> RedisBus {
    let file = folder.path().join(password);
    std::fs::write(&file, password).unwrap();
    let config = config(url).signing_in(&user_name(server), file);
    let bus = RedisBus::start(config, server, [next(); 32]);
    in_time("it connects", bus.connected()).await;
    bus
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn former_password_stays_good_until_the_next_change_and_connections_stay() {
    let redis = Redis::start(&[]);
    let (administrator, server) = (config(&redis.url()), fresh());
    let folder = TempDir::new().unwrap();
    for _ in 0..2 {
        provision(&administrator, &server, "one").await.unwrap();
    }
    let bus = bus_as_user(&redis.url(), &server, &folder, "one").await;

    for _ in 0..2 {
        provision(&administrator, &server, "two").await.unwrap();
    }
    assert!(lets_in(&redis, &server, "one") && lets_in(&redis, &server, "two"));

    provision(&administrator, &server, "three").await.unwrap();
    assert!(!lets_in(&redis, &server, "one"));
    assert!(lets_in(&redis, &server, "two") && lets_in(&redis, &server, "three"));
    assert!(!lets_in(&redis, &server, ""));
    assert_eq!(bus.publish(durable(1)).await.unwrap(), EventId(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn password_that_is_renewed_in_its_file_is_used_without_a_restart() {
    let redis = Redis::start(&[]);
    let (administrator, server) = (config(&redis.url()), fresh());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong").unwrap();
    provision(&administrator, &server, "right").await.unwrap();
    let user = user_name(&server);
    let as_user = config(&redis.url()).signing_in(&user, file.clone());

    let bus = RedisBus::start(as_user, &server, [next(); 32]);
    let error = bus.publish(durable(1)).await.unwrap_err();
    let words = format!("{:?}", std::error::Error::source(&error).unwrap());
    assert!(words.contains("WRONGPASS"), "{words}");
    std::fs::write(&file, "right\n").unwrap();

    in_time("it connects", bus.connected()).await;
    assert_eq!(bus.publish(durable(1)).await.unwrap(), EventId(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn user_outlives_a_restart_where_there_is_an_aclfile() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("users.acl");
    std::fs::write(&file, "").unwrap();
    let mut redis = Redis::start(&["--aclfile", file.to_str().unwrap()]);
    let (administrator, server) = (config(&redis.url()), fresh());

    provision(&administrator, &server, "one").await.unwrap();
    redis.kill();
    redis.start_again();
    assert!(lets_in(&redis, &server, "one"));

    purge(&administrator, &server).await.unwrap();
    redis.kill();
    redis.start_again();
    assert!(!lets_in(&redis, &server, "one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn purged_server_leaves_neither_keys_nor_user_and_others_keep_theirs() {
    let redis = Redis::start(&[]);
    let administrator = config(&redis.url());
    let (server, other) = (fresh(), fresh());
    for server in [&server, &other] {
        provision(&administrator, server, "one").await.unwrap();
        let bus = process_of(&redis.url(), server).await;
        bus.publish(durable(1)).await.unwrap();
    }

    for _ in 0..2 {
        purge(&administrator, &server).await.unwrap();
    }

    let left = redis.run(&["KEYS", "*"]);
    assert!(!left.contains(server.as_str()) && left.contains(other.as_str()));
    assert!(!lets_in(&redis, &server, "one") && lets_in(&redis, &other, "one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn every_node_the_sentinels_know_has_the_user_or_is_named() {
    let mut sentinels = Sentinels::start();
    let url = sentinels.url();
    let (administrator, server) = (config(&url), fresh());
    let folder = TempDir::new().unwrap();
    provision(&administrator, &server, "one").await.unwrap();
    for node in [&sentinels.primary, &sentinels.replica] {
        assert!(lets_in(node, &server, "one"));
    }
    let bus = bus_as_user(&url, &server, &folder, "one").await;
    bus.publish(durable(1)).await.unwrap();

    sentinels.fail_over();
    in_time("it publishes again", async {
        while bus.publish(durable(2)).await.is_err() {}
    })
    .await;

    // The old primary is gone: what is done elsewhere is done, and it is named.
    let gone = format!("127.0.0.1:{}", sentinels.primary.port());
    let refusal = provision(&administrator, &server, "two").await.unwrap_err();
    let AdministrationError::Reach { nodes, .. } = &refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(*nodes, gone);
    assert!(refusal.is_passing());
    assert!(lets_in(&sentinels.replica, &server, "two"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn every_node_of_a_cluster_has_the_user_and_a_purge_removes_it_there() {
    let cluster = Cluster::start();
    let url = cluster.url();
    let (administrator, server) = (config(&url), fresh());
    let folder = TempDir::new().unwrap();
    provision(&administrator, &server, "one").await.unwrap();
    let user = user_name(&server);
    for node in cluster.nodes() {
        assert!(!node.run(&["ACL", "GETUSER", &user]).is_empty());
    }
    let bus = bus_as_user(&url, &server, &folder, "one").await;
    bus.publish(durable(1)).await.unwrap();
    drop(bus);

    purge(&administrator, &server).await.unwrap();

    for node in cluster.nodes() {
        assert_eq!(node.run(&["ACL", "GETUSER", &user]), "");
        assert_eq!(node.run(&["KEYS", "*"]), "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server: cargo xtask test backends"]
async fn administrator_who_may_not_is_refused_for_good() {
    let redis = Redis::start(&[]);
    redis.run(&["ACL", "SETUSER", "weak", "on", ">p", "~*", "+get"]);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("password");
    for (password, said) in [("p", "NoPerm"), ("q", "WRONGPASS")] {
        std::fs::write(&file, password).unwrap();
        let weak = config(&redis.url()).signing_in("weak", file.clone());
        let refusal = provision(&weak, &fresh(), "one").await.unwrap_err();
        assert!(!refusal.is_passing(), "{refusal:?}");
        assert!(format!("{refusal:?}").contains(said), "{refusal:?}");
    }
}
