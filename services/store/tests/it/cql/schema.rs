//! Migrations, and the first opening.

use std::sync::Arc;

use gryt_model::ChannelKind;
use gryt_store::cql::{self, Error};
use gryt_store::{Channels as _, CqlStore, FirstOpen, NewChannel, Store as _};
use tokio::task::JoinSet;

use crate::cassandra::{Home, administrator, rows, superuser};
use crate::fixture::{channel, new_channel, sign_ann_in};
#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn ten_migrations_at_once_are_one() {
    let home = Home::new();
    home.provision().await;
    let keyspace = home.isolation.keyspace(&home.server);

    let mut migrations = JoinSet::new();
    for _ in 0..10 {
        let keyspace = keyspace.clone();
        migrations.spawn(async move { cql::migrate(&administrator(), &keyspace).await });
    }
    for migrated in migrations.join_all().await {
        migrated.unwrap();
    }

    let store = home.open().await;
    sign_ann_in(&store).await;
    let session = superuser(&home).await;
    let lease = "SELECT holder FROM schema_version WHERE part = 'gryt'";
    let holder: (Option<String>,) = session
        .query_unpaged(lease, ())
        .await
        .unwrap()
        .into_rows_result()
        .unwrap()
        .single_row()
        .unwrap();
    assert_eq!(holder, (None,));
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn keyspace_of_another_version_is_refused_and_left_alone() {
    let home = Home::new();
    home.provision().await;
    let keyspace = home.isolation.keyspace(&home.server);
    let open = async || CqlStore::open(&home.settings(), &home.isolation, home.first_open()).await;

    let refusal = open().await.unwrap_err();
    assert!(
        matches!(refusal, Error::OlderSchema { found: 0, .. }),
        "{refusal:?}"
    );
    home.migrate().await;
    let session = superuser(&home).await;
    let newer = "UPDATE schema_version SET version = 99 WHERE part = 'gryt' IF version != null";
    session.query_unpaged(newer, ()).await.unwrap();

    let refusal = open().await.unwrap_err();
    assert!(
        matches!(refusal, Error::NewerSchema { found: 99, .. }),
        "{refusal:?}"
    );
    assert!(
        refusal.to_string().contains("newer version of Gryt"),
        "{refusal}"
    );
    let refusal = cql::migrate(&administrator(), &keyspace).await.unwrap_err();
    assert!(
        matches!(refusal, Error::NewerSchema { found: 99, .. }),
        "{refusal:?}"
    );
    assert_eq!(rows(&session, "SELECT server FROM servers").await, 0);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn ten_processes_that_open_an_empty_server_at_once_begin_it_once() {
    let home = Arc::new(Home::new().ready().await);

    let mut opens = JoinSet::new();
    for number in 0..10_u8 {
        let home = Arc::clone(&home);
        opens.spawn(async move {
            let first = FirstOpen {
                channels: vec![NewChannel {
                    id: channel(100 + number),
                    ..new_channel(0, "general", ChannelKind::Text)
                }],
                ..home.first_open()
            };
            CqlStore::open(&home.settings(), &home.isolation, first)
                .await
                .unwrap()
        });
    }
    let stores = opens.join_all().await;

    let channels = stores[0].channels().await.unwrap();
    assert_eq!(channels.len(), 1);
    for store in &stores {
        assert_eq!(store.channels().await.unwrap(), channels);
        assert_eq!(store.server(), stores[0].server());
    }
}
