//! A store of each test's own, and the things to put into it.

use std::path::Path;
use std::sync::Arc;

use gryt_model::{ChannelId, ChannelKind, MemberId, MessageText, Nonce, ServerId, UserId};
use gryt_store::{FirstOpen, NewChannel, NewMessage, Server, SqliteStore, Store};
use tempfile::TempDir;

/// An adapter under test with whatever it needs to live.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

/// The first adapter: a file in a folder that vanishes with the fixture.
pub(crate) fn sqlite() -> Fixture {
    let folder = TempDir::new().unwrap();
    let store = open(&folder.path().join("gryt.db"));
    Fixture {
        store: Arc::new(store),
        _folder: Some(folder),
    }
}

/// A server of its own in the database that all tests share.
#[cfg(feature = "cql")]
pub(crate) async fn cql(home: crate::cassandra::Home) -> Fixture {
    Fixture {
        store: Arc::new(home.ready().await.open().await),
        _folder: None,
    }
}

pub(crate) fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, first_open()).unwrap()
}

/// One text channel, `channel(1)`, and one voice channel, `channel(2)`.
pub(crate) fn first_open() -> FirstOpen {
    FirstOpen {
        server: Server {
            id: ServerId::from_random([7; 16]),
            name: "Home".into(),
        },
        channels: vec![
            new_channel(1, "general", ChannelKind::Text),
            new_channel(2, "Lounge", ChannelKind::Voice),
        ],
    }
}

pub(crate) fn new_channel(number: u8, name: &str, kind: ChannelKind) -> NewChannel {
    NewChannel {
        id: channel(number),
        name: name.parse().unwrap(),
        kind,
    }
}

pub(crate) fn channel(number: u8) -> ChannelId {
    ChannelId::from_random([number; 16])
}

pub(crate) fn member(number: u8) -> MemberId {
    MemberId::from_random([number; 16])
}

pub(crate) fn user(subject: &str) -> UserId {
    UserId {
        issuer: "local".into(),
        subject: subject.into(),
    }
}

/// Signs `ann` in as `member(1)`, who may then write.
pub(crate) async fn sign_ann_in(store: &dyn Store) -> MemberId {
    let name = "Ann".parse().unwrap();
    let signed_in = store.sign_in(&user("ann"), name, member(1)).await.unwrap();
    signed_in.member.id
}

pub(crate) fn text(text: &str) -> MessageText {
    MessageText::new(text).unwrap()
}

pub(crate) fn nonce(text: &str) -> Nonce {
    text.parse().unwrap()
}

/// A message by `member(1)` in `channel(1)`, at the time 1,000,000 ms.
pub(crate) fn new_message(says: &str, mark: &str) -> NewMessage {
    NewMessage {
        channel: channel(1),
        author: member(1),
        text: text(says),
        attachments: Vec::new(),
        nonce: nonce(mark),
        unix_ms: 1_000_000,
    }
}
