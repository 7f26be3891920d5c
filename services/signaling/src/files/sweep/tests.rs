//! What a sweep takes, over a real folder and a real store.

use std::sync::Arc;

use gryt_blobs::folder::DoorKey;
use gryt_blobs::{Folder, Plan};
use gryt_model::{
    Attachment, ChannelId, ChannelKind, ContentType, FileId, FileName, MemberId, MessageText,
    ServerId, UserId,
};
use gryt_store::{
    Channels as _, FirstOpen, Members as _, Messages as _, NewChannel, NewMessage, Server,
    SqliteStore,
};
use tempfile::TempDir;

use super::*;
use crate::files::{Thumbnails, Tickets, key};

const FOUR_DAYS_MS: u64 = 4 * 24 * 3_600_000;

fn file(number: u8) -> FileId {
    FileId::from_random([number; 16])
}

async fn open(folder: &TempDir) -> (FileShelf, SqliteStore) {
    let server = ServerId::from_random([1; 16]);
    let first = FirstOpen {
        server: Server {
            id: server.clone(),
            name: "Home".into(),
        },
        channels: vec![NewChannel {
            id: ChannelId::from_random([1; 16]),
            name: "general".parse().unwrap(),
            kind: ChannelKind::Text,
        }],
    };
    let store = SqliteStore::open(&folder.path().join("server.db"), first).unwrap();
    let user = UserId {
        issuer: "local".into(),
        subject: "ann".into(),
    };
    let ann = MemberId::from_random([1; 16]);
    store
        .sign_in(&user, "Ann".parse().unwrap(), ann)
        .await
        .unwrap();
    let blobs = Folder::open(folder.path(), &server, &DoorKey::new(&[1; 32]), "").unwrap();
    let shelf = FileShelf {
        blobs: Arc::new(blobs),
        tickets: Tickets::new(&[1; 32], server),
        thumbnails: Thumbnails::new().0,
        limit_bytes: 1_000,
    };
    (shelf, store)
}

async fn send(store: &SqliteStore, number: u8) {
    let new = NewMessage {
        channel: ChannelId::from_random([1; 16]),
        author: MemberId::from_random([1; 16]),
        text: MessageText::new("").unwrap(),
        attachments: vec![Attachment {
            file: file(number),
            name: FileName::clean("a"),
            content_type: ContentType::clean("text/plain"),
            size_bytes: 1,
            picture: None,
        }],
        nonce: format!("n{number}").parse().unwrap(),
        unix_ms: 1,
    };
    store.append_message(new).await.unwrap();
}

async fn stands(shelf: &FileShelf, kind: Kind, number: u8) -> bool {
    let read = shelf.blobs.read(&key(kind, &file(number)), 1).await;
    read.unwrap().is_some()
}

#[tokio::test]
async fn sweep_takes_old_files_without_message_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let (shelf, store) = open(&folder).await;
    for number in 1..=2 {
        for kind in Kind::ALL {
            let key = key(kind, &file(number));
            shelf.blobs.write(&key, "", vec![1]).await.unwrap();
        }
    }
    send(&store, 1).await;
    let plan = Plan::new(1).unwrap();
    let third = key(Kind::File, &file(3));
    let upload = shelf.blobs.begin(&third, "", plan).await.unwrap();
    let now = clock::unix_ms();

    assert_eq!(sweep(&shelf, &store, now).await.unwrap(), 0);
    assert!(stands(&shelf, Kind::File, 2).await);
    shelf.blobs.arrived(&upload).await.unwrap();

    sweep(&shelf, &store, now + FOUR_DAYS_MS).await.unwrap();
    for kind in Kind::ALL {
        assert!(stands(&shelf, kind, 1).await);
        assert!(!stands(&shelf, kind, 2).await);
    }
    assert!(shelf.blobs.arrived(&upload).await.is_err());

    let channel = ChannelId::from_random([1; 16]);
    store.delete_channel(&channel).await.unwrap();
    sweep(&shelf, &store, now + FOUR_DAYS_MS).await.unwrap();
    assert!(!stands(&shelf, Kind::File, 1).await);
}
