//! What only SQLite promises: files, versions, backups, few fsyncs.

use std::sync::Arc;

use gryt_model::ServerId;
use gryt_store::{Error, FirstOpen, Members as _, Messages as _, Server, SqliteStore, Store as _};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::fixture::{channel, first_open, new_message, open, sign_ann_in};

#[tokio::test]
async fn reopened_file_keeps_its_server_and_ignores_another_beginning() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data").join("gryt.db");
    let first = open(&path);
    let server = first.server().clone();
    sign_ann_in(&first).await;
    drop(first);

    let other = FirstOpen {
        server: Server {
            id: ServerId::from_random([8; 16]),
            name: "Other".into(),
        },
        channels: vec![],
    };
    let again = SqliteStore::open(&path, other).unwrap();

    assert_eq!(again.server(), &server);
    assert_eq!(again.members().await.unwrap().len(), 1);
}

#[tokio::test]
async fn new_name_of_the_server_lasts() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gryt.db");
    let mut store = open(&path);
    let id = store.server().id.clone();

    store.rename_server("Harbour").await.unwrap();

    assert_eq!(&*store.server().name, "Harbour");
    drop(store);
    let again = open(&path);
    assert_eq!(&*again.server().name, "Harbour");
    assert_eq!(again.server().id, id);
}

#[tokio::test]
async fn file_of_a_newer_version_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gryt.db");
    drop(open(&path));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let before = std::fs::read(&path).unwrap();

    let refusal = SqliteStore::open(&path, first_open()).unwrap_err();

    assert!(matches!(refusal, Error::NewerSchema { found: 99, .. }));
    let sentence = refusal.to_string();
    assert!(sentence.contains("newer version of Gryt"), "{sentence}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn foreign_file_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gryt.db");
    let foreign = "my shopping list: ".repeat(500);
    std::fs::write(&path, &foreign).unwrap();

    let refusal = SqliteStore::open(&path, first_open()).unwrap_err();

    assert!(matches!(refusal, Error::Open { .. }), "{refusal:?}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().unwrap();
    let store = open(&folder.path().join("gryt.db"));
    sign_ann_in(&store).await;

    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{entry:?} has mode {mode:o}");
    }
}

#[tokio::test]
async fn thousand_messages_that_come_together_share_fsyncs() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(&folder.path().join("gryt.db")));
    sign_ann_in(&*store).await;
    let before = store.commits();

    let mut appends = JoinSet::new();
    for number in 0..1_000 {
        let store = Arc::clone(&store);
        appends.spawn(async move {
            let new = new_message("hello", &format!("n{number}"));
            store.append_message(new).await.unwrap();
        });
    }
    appends.join_all().await;

    let commits = store.commits() - before;
    println!("1,000 messages took {commits} commits");
    assert!(commits < 100, "{commits} commits");
}

#[tokio::test]
async fn failing_write_does_not_take_its_batch_along() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(&folder.path().join("gryt.db")));
    sign_ann_in(&*store).await;

    let mut appends = JoinSet::new();
    for number in 0..100 {
        let store = Arc::clone(&store);
        appends.spawn(async move {
            let mut new = new_message("hello", &format!("n{number}"));
            if number % 2 == 1 {
                // No such member: the foreign key refuses it, after the nonce was written.
                new.author = crate::fixture::member(9);
            }
            store.append_message(new).await.is_ok()
        });
    }
    let written = appends.join_all().await;

    assert_eq!(written.iter().filter(|written| **written).count(), 50);
    let page = store.messages(&channel(1), None, 200).await.unwrap();
    assert_eq!(page.messages.len(), 50);
    let nonces: i64 = rusqlite::Connection::open(folder.path().join("gryt.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM nonces", [], |row| row.get(0))
        .unwrap();
    assert_eq!(nonces, 50);
}

#[tokio::test]
async fn backup_while_writing_holds_everything_acknowledged_before_it() {
    let folder = TempDir::new().unwrap();
    let store = Arc::new(open(&folder.path().join("gryt.db")));
    sign_ann_in(&*store).await;
    let (acknowledged, mut progress) = tokio::sync::watch::channel(0_u32);
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for number in 0..600_u32 {
                let new = new_message("hello", &format!("n{number}"));
                store.append_message(new).await.unwrap();
                acknowledged.send(number + 1).unwrap();
            }
        }
    });
    progress.wait_for(|count| *count >= 200).await.unwrap();

    let before = *progress.borrow();
    let copy = folder.path().join("copy.db");
    store.backup(copy.clone()).await.unwrap();
    let refusal = store.backup(copy.clone()).await.unwrap_err();
    assert!(matches!(refusal, Error::BackupExists { .. }));
    writing.await.unwrap();

    let copy = open(&copy);
    let copied = copy.messages(&channel(1), None, 1_000).await.unwrap();
    let all = store.messages(&channel(1), None, 1_000).await.unwrap();
    assert_eq!(all.messages.len(), 600);
    assert!(copied.messages.len() >= before as usize);
    assert_eq!(copied.messages, all.messages[..copied.messages.len()]);
}

#[tokio::test]
async fn backup_of_nothing_makes_no_file() {
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("copy.db");

    let refusal = gryt_store::sqlite::backup(&folder.path().join("no.db"), &copy).unwrap_err();

    assert!(matches!(refusal, Error::Open { .. }));
    assert!(!copy.exists());
}
