//! [`Store`] in a CQL database: ScyllaDB, or Apache Cassandra as its stand-in. Any number of
//! processes may use one server's data at once.
//!
//! Whatever needs one winner among them is a lightweight transaction: who is owner, a channel's
//! place, the next message id, a nonce. Every partition key begins with the server's id, so one
//! keyspace for each server and one for many (see [`Isolation`]) are the same code.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use gryt_model::{
    Channel, ChannelId, FileId, Member, MemberId, MemberName, Message, MessageId, UserId,
};
use tokio::sync::{Mutex, Semaphore};

use crate::cql::{self, Connection, Failure, Isolation, Settings};
use crate::error::Error;
use crate::{
    Appended, ChannelChange, Channels, FirstOpen, Members, MessageEdit, Messages, NewChannel,
    NewMessage, Page, Server, SignedIn, Store,
};

mod channels;
mod files;
mod heads;
mod members;
mod messages;
mod pages;
mod server;
mod statements;

use heads::Heads;
use statements::Statements;

/// Appends under way at once; the next ones wait for a place. Each holds a few statements.
const APPENDS_AT_ONCE: usize = 128;
/// After this long a caller is told that storage does not work, whatever the database still does.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A server's data in a CQL database. Lost connections are made again by themselves.
pub struct CqlStore {
    connection: Connection,
    statements: Statements,
    server: Server,
    heads: Heads,
    appends: Semaphore,
    /// First sign-ins of one process go one by one: at once they would only hinder each other.
    newcomers: Mutex<()>,
}

impl CqlStore {
    /// Connects to the keyspace of `first.server.id`, and writes there what `first` says if it is
    /// empty. The keyspace must have been migrated; this makes no tables, so that the role needs no
    /// right to.
    ///
    /// # Errors
    /// [`cql::Error::Reach`] or [`cql::Error::SignIn`] if there is no way in;
    /// [`cql::Error::OlderSchema`] and [`cql::Error::NewerSchema`] if the keyspace is not what this
    /// program needs; [`cql::Error::Open`] if it cannot be used.
    pub async fn open(
        settings: &Settings,
        isolation: &Isolation,
        first: FirstOpen,
    ) -> Result<Self, cql::Error> {
        let keyspace = isolation.keyspace(&first.server.id);
        let Some(connection) = Connection::open_in(settings, &keyspace).await? else {
            return Err(cql::older(&keyspace, 0));
        };
        cql::check_version(&connection, &keyspace).await?;
        let failed = |error: Failure| cql::Error::Open {
            keyspace: keyspace.clone(),
            source: error.into(),
        };
        let statements = Statements::prepare(&connection).await.map_err(failed)?;
        let server = server::prepare(&connection, &statements, first)
            .await
            .map_err(failed)?;
        Ok(Self {
            connection,
            statements,
            server,
            heads: Heads::default(),
            appends: Semaphore::new(APPENDS_AT_ONCE),
            newcomers: Mutex::new(()),
        })
    }

    /// Gives the server another name, before anybody was told the old one.
    ///
    /// # Errors
    /// [`Error`] if the database cannot be written.
    pub async fn rename_server(&mut self, name: &str) -> Result<(), Error> {
        if *self.server.name == *name {
            return Ok(());
        }
        write(server::rename(self, name)).await?;
        self.server.name = name.into();
        Ok(())
    }

    fn id(&self) -> &str {
        self.server.id.as_str()
    }
}

impl fmt::Debug for CqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CqlStore")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Store for CqlStore {
    fn server(&self) -> &Server {
        &self.server
    }
}

#[async_trait]
impl Members for CqlStore {
    async fn sign_in(
        &self,
        user: &UserId,
        name: MemberName,
        fresh: MemberId,
    ) -> Result<SignedIn, Error> {
        write(members::sign_in(self, user, name, fresh)).await
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>, Error> {
        read(members::find(self, id)).await
    }

    async fn members(&self) -> Result<Vec<Member>, Error> {
        read(members::list(self)).await
    }

    async fn set_server_muted(&self, id: &MemberId, muted: bool) -> Result<Option<Member>, Error> {
        write(members::set_server_muted(self, id, muted)).await
    }
}

#[async_trait]
impl Channels for CqlStore {
    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, Error> {
        read(channels::find(self, id)).await
    }

    async fn channels(&self) -> Result<Vec<Channel>, Error> {
        read(channels::list(self)).await
    }

    async fn create_channel(&self, new: NewChannel) -> Result<Channel, Error> {
        write(channels::create(self, new)).await
    }

    async fn update_channel(
        &self,
        id: &ChannelId,
        change: ChannelChange,
    ) -> Result<Option<Channel>, Error> {
        write(channels::update(self, id, change)).await
    }

    async fn delete_channel(&self, id: &ChannelId) -> Result<bool, Error> {
        write(channels::delete(self, id)).await
    }
}

#[async_trait]
impl Messages for CqlStore {
    async fn append_message(&self, new: NewMessage) -> Result<Appended, Error> {
        write(messages::append(self, new)).await
    }

    async fn edit_message(&self, edit: MessageEdit) -> Result<Option<Message>, Error> {
        write(messages::edit(self, &edit)).await
    }

    async fn delete_message(&self, channel: &ChannelId, id: MessageId) -> Result<bool, Error> {
        write(messages::delete(self, channel, id)).await
    }

    async fn message(&self, channel: &ChannelId, id: MessageId) -> Result<Option<Message>, Error> {
        read(messages::find(self, channel, id)).await
    }

    async fn author(&self, channel: &ChannelId, id: MessageId) -> Result<Option<MemberId>, Error> {
        read(messages::author(self, channel, id)).await
    }

    async fn messages(
        &self,
        channel: &ChannelId,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Page, Error> {
        read(pages::page(self, channel, before, limit)).await
    }

    async fn file_in_use(&self, file: &FileId) -> Result<bool, Error> {
        read(files::in_use(self, file)).await
    }

    async fn forget_file(&self, file: &FileId) -> Result<(), Error> {
        write(files::forget(self, file)).await
    }
}

async fn read<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Error> {
    in_time(work)
        .await
        .map_err(|failure| Error::Read(failure.into()))
}

async fn write<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Error> {
    in_time(work)
        .await
        .map_err(|failure| Error::Write(failure.into()))
}

async fn in_time<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // On the heap: the driver's futures are large, and so would be every caller's.
    let work = Box::pin(work);
    let ended = tokio::time::timeout(ANSWER_WITHIN, work).await;
    ended.unwrap_or(Err(Failure::TimedOut(ANSWER_WITHIN.as_secs())))
}
