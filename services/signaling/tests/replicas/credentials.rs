//! Passwords that are wrong, at the start and later: the log says which and from where, the process
//! stays, and goes on by itself once they are right.

use gryt_backends::cassandra::SUPERUSER;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::replica::Replica;
use crate::server::{PASSWORD, Server, cassandra};
use crate::way::Way;

async fn superuser() -> Session {
    let builder = SessionBuilder::new().known_node(cassandra());
    let builder = builder.user(SUPERUSER, SUPERUSER);
    builder.build().await.unwrap()
}

/// Sets the password of the server's role.
async fn set_cql_password(server: &Server, password: &str) {
    let quoted = password.replace('\'', "''");
    let statement = format!("ALTER ROLE gryt_{} WITH PASSWORD = '{quoted}'", server.id);
    let session = superuser().await;
    let set = async || session.query_unpaged(statement.as_str(), ()).await.is_ok();
    // Cassandra refuses to change one that was just changed.
    while !set().await {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Sets the password of the server's user of Redis, and ends its connections.
fn set_redis_password(server: &Server, password: &str) {
    let user = format!("gryt_{}", server.id);
    let secret = format!(">{password}");
    let redis = &server.redis;
    redis.run(&["ACL", "SETUSER", &user, "resetpass", &secret]);
    redis.run(&["CLIENT", "KILL", "USER", &user]);
}

/// The lines of the log that have all these words.
fn lines(replica: &Replica, words: &[&str]) -> usize {
    let log = replica.log();
    let has = |line: &&str| words.iter().all(|words| line.contains(words));
    log.lines().filter(has).count()
}

async fn until_said(replica: &Replica, words: &[&str]) {
    let what = words.join(" … ");
    replica
        .until(&what, async || lines(replica, words) > 0)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_at_the_start_are_named_and_waited_for() {
    let server = Server::ready().await;
    set_cql_password(&server, "another").await;
    set_redis_password(&server, "another");
    let mut replica = server.replica();
    let file = server.file("password");
    let user = format!("gryt_{}", server.id);

    let of_the_database = ["the database cannot be used", &user, &file];
    until_said(&replica, &of_the_database).await;
    assert_eq!(replica.probe("healthz").await, Some(200));
    assert_eq!(replica.probe("readyz").await, Some(503));

    // Mended at the back end.
    set_cql_password(&server, PASSWORD).await;
    until_said(&replica, &["the database is open"]).await;
    let of_redis = ["redis does not serve", "WRONGPASS", "events", &user, &file];
    until_said(&replica, &of_redis).await;
    assert_eq!(replica.probe("healthz").await, Some(200));
    assert_eq!(replica.probe("readyz").await, Some(503));
    assert_eq!(lines(&replica, &of_redis), 1, "{}", replica.log());

    set_redis_password(&server, PASSWORD);
    replica.until_ready().await;
    let ada = server.person("ada", &[&replica]).await;
    ada.say("here").await;
    assert!(replica.is_running());
    assert!(!replica.log().contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_that_change_while_it_runs_are_taken_from_their_file_without_a_restart() {
    let server = Server::ready().await;
    let way = Way::to(cassandra()).await;
    let mut environment = server.environment();
    environment.retain(|(name, _)| *name != "GRYT_SIGNALING_CQL_CONTACT_POINTS");
    let contact = ("GRYT_SIGNALING_CQL_CONTACT_POINTS", way.address.to_string());
    environment.push(contact);
    let mut replica = Replica::start(environment);
    replica.until_ready().await;
    let ada = server.person("ada", &[&replica]).await;
    ada.say("before").await;
    let (file, user) = (server.file("password"), format!("gryt_{}", server.id));

    set_redis_password(&server, "another");
    until_said(
        &replica,
        &["redis does not serve", "WRONGPASS", &user, &file],
    )
    .await;
    set_cql_password(&server, "another").await;
    way.cut();
    until_said(&replica, &["does not let us in any more", &user, &file]).await;
    assert_eq!(replica.probe("healthz").await, Some(200));

    // Mended in the file.
    std::fs::write(&file, "another").unwrap();
    ada.say("after").await;
    assert_eq!(ada.history().await.len(), 2);
    assert!(replica.is_running());
}
