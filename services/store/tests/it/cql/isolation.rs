//! One server never sees another's data, and a purged one leaves none.

use gryt_model::Role;
use gryt_store::cql::{self, Isolation};
use gryt_store::{Appended, Channels as _, Members as _, Messages as _};
use scylla::client::session_builder::SessionBuilder;
use scylla::errors::{DbError, ExecutionError, RequestAttemptError};

use crate::cassandra::{Home, administrator, rows, superuser};
use crate::fixture::{channel, member, new_message, nonce, sign_ann_in, text, user};
fn is_unauthorized(error: &ExecutionError) -> bool {
    let ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, _)) = error else {
        return false;
    };
    matches!(error, DbError::Unauthorized)
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn role_of_one_server_is_refused_everything_of_another() {
    let home = Home::new().ready().await;
    let other = Home::new().ready().await;
    let theirs = other.isolation.keyspace(&other.server);
    let who = home.settings();
    let session = SessionBuilder::new()
        .known_node(who.contact_points[0].to_string())
        .user(&*cql::role_name(&home.server), "it's a secret")
        .build()
        .await
        .unwrap();

    let reads = [
        "servers",
        "users",
        "members",
        "heads",
        "messages",
        "nonces",
        "schema_version",
    ];
    let reads = reads.map(|table| format!("SELECT * FROM {theirs}.{table}"));
    let writes = [
        format!("INSERT INTO {theirs}.users (server, issuer, subject) VALUES ('a', 'b', 'c')"),
        format!(
            "DELETE FROM {theirs}.servers WHERE server = '{}'",
            other.server
        ),
        format!("TRUNCATE {theirs}.messages"),
        format!("CREATE TABLE {theirs}.mine (a int PRIMARY KEY)"),
        format!("DROP TABLE {theirs}.messages"),
        format!("DROP KEYSPACE {theirs}"),
        format!(
            "GRANT SELECT ON KEYSPACE {theirs} TO {}",
            cql::role_name(&home.server)
        ),
        format!(
            "ALTER ROLE {} WITH PASSWORD = 'mine'",
            cql::role_name(&other.server)
        ),
        // Not even of its own may it change the tables.
        format!("DROP KEYSPACE {}", home.isolation.keyspace(&home.server)),
        "SELECT * FROM system_auth.roles".to_owned(),
    ];
    for statement in reads.iter().chain(&writes) {
        let refusal = session.query_unpaged(statement.as_str(), ()).await;
        let refusal = refusal.unwrap_err();
        assert!(is_unauthorized(&refusal), "{statement}: {refusal}");
    }
    // And its own it may read.
    let own = home.isolation.keyspace(&home.server);
    assert_eq!(
        rows(&session, &format!("SELECT * FROM {own}.messages")).await,
        0
    );
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn servers_in_one_keyspace_do_not_see_each_other() {
    let home = Home::new_shared().ready().await;
    let other = Home::new_shared().ready().await;
    let (store, others) = (home.open().await, other.open().await);
    let ann = sign_ann_in(&store).await;
    let Appended::New(message) = store
        .append_message(new_message("hello", "n1"))
        .await
        .unwrap()
    else {
        panic!("not new");
    };

    // The same ids of everything: only the server's differs.
    assert_eq!(others.member(&ann).await.unwrap(), None);
    assert!(others.members().await.unwrap().is_empty());
    assert_eq!(others.message(&channel(1), message.id).await.unwrap(), None);
    assert_eq!(others.author(&channel(1), message.id).await.unwrap(), None);
    assert!(
        !others
            .delete_message(&channel(1), message.id)
            .await
            .unwrap()
    );
    assert_eq!(others.set_server_muted(&ann, true).await.unwrap(), None);
    let name = "Ann".parse().unwrap();
    let theirs = others.sign_in(&user("ann"), name, member(1)).await.unwrap();
    assert_eq!(theirs.member.role, Role::Owner);
    let outcome = others
        .append_message(new_message("bye", "n1"))
        .await
        .unwrap();
    assert!(matches!(outcome, Appended::New(_)), "{outcome:?}");
    assert!(others.delete_channel(&channel(1)).await.unwrap());

    let page = store.messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(page.messages, [message]);
    assert_eq!(page.messages[0].text, text("hello"));
    assert_eq!(page.messages[0].nonce, nonce("n1"));
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn purged_server_leaves_nothing_in_a_keyspace_of_its_own() {
    let home = Home::new().ready().await;
    sign_ann_in(&home.open().await).await;
    let session = superuser(&Home::new().ready().await).await;
    let keyspace = home.isolation.keyspace(&home.server);
    let left =
        format!("SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{keyspace}'");
    assert!(rows(&session, &left).await > 0);

    // Twice is harmless.
    for _ in 0..2 {
        cql::purge(&administrator(), &home.server, &home.isolation)
            .await
            .unwrap();
    }

    assert_eq!(rows(&session, &left).await, 0);
    let role = cql::role_name(&home.server);
    let role = format!("SELECT role FROM system_auth.roles WHERE role = '{role}'");
    assert_eq!(rows(&session, &role).await, 0);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn purged_server_leaves_nothing_in_a_shared_keyspace_and_others_keep_theirs() {
    let isolation = Isolation::Shared("gryt_purge".parse().unwrap());
    let home = Home {
        isolation: isolation.clone(),
        ..Home::new()
    };
    let other = Home {
        isolation,
        ..Home::new()
    };
    let (home, other) = (home.ready().await, other.ready().await);
    for store in [home.open().await, other.open().await] {
        sign_ann_in(&store).await;
        store
            .append_message(new_message("hello", "n1"))
            .await
            .unwrap();
        store.delete_channel(&channel(2)).await.unwrap();
    }

    for _ in 0..2 {
        cql::purge(&administrator(), &home.server, &home.isolation)
            .await
            .unwrap();
    }

    let session = superuser(&other).await;
    for table in ["servers", "users", "members", "heads", "messages", "nonces"] {
        let query = format!(
            "SELECT server FROM {table} WHERE server = '{}' ALLOW FILTERING",
            home.server
        );
        assert_eq!(rows(&session, &query).await, 0, "{table}");
    }
    let store = other.open().await;
    assert_eq!(store.members().await.unwrap().len(), 1);
    let page = store.messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(page.messages.len(), 1);
}
