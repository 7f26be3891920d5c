//! Starts on back ends that are not there, or not ready: wait, say why, and go on alone.

use crate::replica::Replica;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_waits_for_what_is_not_there_and_serves_once_it_is() {
    let mut server = Server::bare().await;
    server.redis.kill();
    let mut replica = server.replica();
    let logs = async |words: &str| {
        replica
            .until(words, async || replica.log().contains(words))
            .await
    };

    logs("the database cannot be used, trying again").await;
    assert_eq!(replica.probe("healthz").await, Some(200));
    assert_eq!(replica.probe("readyz").await, Some(503));
    let refused = server.try_administer("provision", "password", &["REDIS"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("wrong name or password"),
        "{said}"
    );
    // One back end after the other, as if there were no other; each twice.
    for command in ["provision", "provision", "migrate", "migrate"] {
        server.administer_without(command, &["REDIS"]);
    }

    logs("the database is open").await;
    logs("redis does not serve, trying again").await;
    assert_eq!(replica.probe("readyz").await, Some(503));
    server.redis.start_again();
    logs("WRONGPASS").await;
    assert_eq!(replica.probe("readyz").await, Some(503));
    for command in ["provision", "provision", "migrate"] {
        server.administer_without(command, &["CQL"]);
    }
    replica.until_ready().await;
    let ada = server.person("ada", &[&replica]).await;
    ada.say("here").await;
    assert_eq!(ada.history().await.len(), 1);
    assert!(replica.is_running());

    drop(ada);
    replica.kill();
    server.administer("purge");
    server.administer("purge");
    assert_eq!(server.redis.run(&["KEYS", "*"]), "", "left in Redis");
    let users = server.redis.run(&["ACL", "USERS"]);
    assert!(!users.contains(server.id.as_str()), "left in Redis");
    let mut after = server.replica();
    after
        .until("nothing is left", async || {
            after.log().contains("the database cannot be used")
        })
        .await;
    assert!(after.is_running());
}

#[tokio::test]
async fn values_that_can_never_work_end_the_process_with_what_is_wrong() {
    let server = Server::bare().await;
    for (name, value, said) in [
        (
            "GRYT_SIGNALING_REDIS_URL",
            "http://a",
            "must begin with redis://",
        ),
        (
            "GRYT_SIGNALING_REDIS_URL",
            "redis://u:tops3cret@a",
            "holds a password",
        ),
        ("GRYT_SIGNALING_CQL_PASSWORD_FILE", "/nowhere", "/nowhere"),
        (
            "GRYT_SIGNALING_CQL_CONTACT_POINTS",
            "a b",
            "not a contact point",
        ),
    ] {
        let mut environment = server.environment();
        environment.retain(|(known, _)| *known != name);
        environment.push((name, value.to_owned()));
        let mut replica = Replica::start(environment);
        while replica.is_running() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let log = replica.log();
        assert!(log.contains(said) && !log.contains("tops3cret"), "{log}");
    }
}
