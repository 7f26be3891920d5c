//! What a server keeps: its name, members, channels and messages. The port, and behind it SQLite or,
//! with the feature `cql`, ScyllaDB.
//!
//! A call that returned `Ok` is on disk: it survives `kill -9` and a power cut. Every adapter
//! passes the contract suite in `tests/it`.

use std::fmt::Debug;

use async_trait::async_trait;
use gryt_model::{
    Attachment, AudibleLimit, Channel, ChannelId, ChannelKind, ChannelName, FileId, Member,
    MemberId, MemberName, Message, MessageId, MessageText, Nonce, ServerId, UserId,
};

mod attachments;
#[cfg(feature = "cql")]
pub mod cql;
#[cfg(feature = "cql")]
mod cql_store;
mod error;
mod payload;
pub mod sqlite;
mod sqlite_store;

#[cfg(feature = "cql")]
pub use cql_store::CqlStore;
pub use error::{Cause, Error};
pub use sqlite_store::SqliteStore;

/// Everything that is kept for one server. Used as `Arc<dyn Store>`; the methods of the three
/// parts can be called on it without importing their traits.
pub trait Store: Members + Channels + Messages {
    /// The server this storage belongs to, known since it was opened.
    fn server(&self) -> &Server;
}

/// The people of a server.
#[async_trait]
pub trait Members: Debug + Send + Sync + 'static {
    /// Finds the member that `user` is here, or makes one with the id `fresh`. The first member of
    /// a server becomes its owner. A changed `name` replaces the old one.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read or written.
    async fn sign_in(
        &self,
        user: &UserId,
        name: MemberName,
        fresh: MemberId,
    ) -> Result<SignedIn, Error>;

    /// Finds a member; `None` if there is no such member.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn member(&self, id: &MemberId) -> Result<Option<Member>, Error>;

    /// Lists all members by id.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn members(&self) -> Result<Vec<Member>, Error>;

    /// Silences a member or ends that, and returns them as they are then; `None` if there is no
    /// such member.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn set_server_muted(&self, id: &MemberId, muted: bool) -> Result<Option<Member>, Error>;
}

/// The channels of a server.
#[async_trait]
pub trait Channels: Debug + Send + Sync + 'static {
    /// Finds a channel; `None` if there is no such channel.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, Error>;

    /// Lists all channels by position, then id.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn channels(&self) -> Result<Vec<Channel>, Error>;

    /// Adds a channel at the end of the list. Twice the same id is one channel: the second call
    /// returns what the first one made.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn create_channel(&self, new: NewChannel) -> Result<Channel, Error>;

    /// Changes a channel and returns it as it is then; `None` if there is no such channel.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn update_channel(
        &self,
        id: &ChannelId,
        change: ChannelChange,
    ) -> Result<Option<Channel>, Error>;

    /// Removes a channel with its messages; false if there was none.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn delete_channel(&self, id: &ChannelId) -> Result<bool, Error>;
}

/// The messages of a server. Order within a channel is the order of the ids, and ids rise in the
/// order in which the appends were made, whatever the clock does.
#[async_trait]
pub trait Messages: Debug + Send + Sync + 'static {
    /// Writes a message at the end of its channel. The same nonce of one author within
    /// [`NONCE_KEPT`] writes nothing; after an unanswered call it is safe to call again.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written. The message may be there nevertheless: call
    /// again with the same nonce to know.
    async fn append_message(&self, new: NewMessage) -> Result<Appended, Error>;

    /// Replaces the text of a message and returns it; `None` if there is no such message.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn edit_message(&self, edit: MessageEdit) -> Result<Option<Message>, Error>;

    /// Erases a message; false if there is no such message.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn delete_message(&self, channel: &ChannelId, id: MessageId) -> Result<bool, Error>;

    /// Finds a message; `None` if there is no such message in the channel.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn message(&self, channel: &ChannelId, id: MessageId) -> Result<Option<Message>, Error>;

    /// Who wrote a message, also one that has been deleted; `None` if there never was such a message
    /// in the channel.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn author(&self, channel: &ChannelId, id: MessageId) -> Result<Option<MemberId>, Error>;

    /// Reads up to `limit` messages with ids below `before`, the newest of them; without `before`
    /// the newest of all. An unknown channel has no messages.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn messages(
        &self,
        channel: &ChannelId,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Page, Error>;

    /// Whether a message that stands has this file.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be read.
    async fn file_in_use(&self, file: &FileId) -> Result<bool, Error>;

    /// Forgets which messages had a file, once the file is gone.
    ///
    /// # Errors
    /// [`Error`] if the storage cannot be written.
    async fn forget_file(&self, file: &FileId) -> Result<(), Error>;
}

/// How long a nonce is remembered at least, from the `unix_ms` of its message on.
pub const NONCE_KEPT: std::time::Duration = std::time::Duration::from_hours(48);

/// The server's own record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Drawn once, immutable.
    pub id: ServerId,
    /// What people read.
    pub name: Box<str>,
}

/// What storage that is opened for the first time begins with. Ignored ever after.
#[derive(Debug, Clone)]
pub struct FirstOpen {
    /// The server's record.
    pub server: Server,
    /// Its channels, in the order of the list.
    pub channels: Vec<NewChannel>,
}

/// What a sign-in found or made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The member as they are after it.
    pub member: Member,
    /// They were not known before.
    pub created: bool,
    /// They were known under another name.
    pub renamed: bool,
}

/// A channel to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChannel {
    /// From random bits of the caller.
    pub id: ChannelId,
    /// Its name for people.
    pub name: ChannelName,
    /// Text or voice.
    pub kind: ChannelKind,
}

/// What to change of a channel; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelChange {
    /// The new name.
    pub name: Option<ChannelName>,
    /// The new number of microphones heard at once.
    pub audible_limit: Option<AudibleLimit>,
}

/// A message that chat's rules let through. Its id is decided by the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Where it is written.
    pub channel: ChannelId,
    /// Who writes it: a member of this server.
    pub author: MemberId,
    /// What it says.
    pub text: MessageText,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// The author's mark.
    pub nonce: Nonce,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// A new text for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEdit {
    /// Where the message is.
    pub channel: ChannelId,
    /// Which message.
    pub id: MessageId,
    /// What it says from then on.
    pub text: MessageText,
    /// Milliseconds since 1970.
    pub unix_ms: u64,
}

/// How an append ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The message was written.
    New(Message),
    /// This nonce wrote this message before. As it is today: it may have been edited.
    Repeated(Message),
    /// This nonce wrote this message before, and it was deleted since.
    RepeatedDeleted(MessageId),
    /// This nonce stands for another text, other files or another channel.
    NonceReused,
    /// There is no such channel, or none any more.
    UnknownChannel,
}

/// A piece of a channel's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Ascending ids.
    pub messages: Vec<Message>,
    /// Whether older messages exist.
    pub has_more: bool,
}
