//! [`Store`] in one SQLite file. Every rule that needs the state is decided inside a transaction.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use async_trait::async_trait;
use gryt_model::{
    Channel, ChannelId, FileId, Member, MemberId, MemberName, Message, MessageId, UserId,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Row};

use crate::error::Error;
use crate::sqlite::{Database, Schema};
use crate::{
    Appended, ChannelChange, Channels, FirstOpen, Members, MessageEdit, Messages, NewChannel,
    NewMessage, Page, Server, SignedIn, Store,
};

mod channels;
mod files;
mod members;
mod messages;
mod server;

const SCHEMA: Schema = Schema(&[
    include_str!("sqlite_store/schema_1.sql"),
    include_str!("sqlite_store/schema_2.sql"),
]);

/// A server's data in one file.
#[derive(Debug)]
pub struct SqliteStore {
    database: Database,
    server: Server,
}

impl SqliteStore {
    /// Opens the file, or makes it with what `first` says. Blocks for the time of some fsyncs.
    ///
    /// # Errors
    /// [`Error::NewerSchema`] if a newer program wrote the file; [`Error::Open`] and
    /// [`Error::Migrate`] if it cannot be used.
    pub fn open(path: &Path, first: FirstOpen) -> Result<Self, Error> {
        let (database, server) = Database::open(path, &SCHEMA, |connection| {
            server::prepare(connection, first)
        })?;
        Ok(Self { database, server })
    }

    /// Gives the server another name, before anybody was told the old one.
    ///
    /// # Errors
    /// [`Error`] if the file cannot be written.
    pub async fn rename_server(&mut self, name: &str) -> Result<(), Error> {
        if *self.server.name == *name {
            return Ok(());
        }
        let wanted = name.to_owned();
        let work = move |connection: &Connection| server::rename(connection, &wanted);
        self.database.write(work).await?;
        self.server.name = name.into();
        Ok(())
    }

    /// Copies the file as it is at this moment to `destination`, while it is in use.
    ///
    /// # Errors
    /// [`Error::BackupExists`] if there is something at `destination`; [`Error::Backup`] if the
    /// copy cannot be written.
    pub async fn backup(&self, destination: PathBuf) -> Result<(), Error> {
        self.database.backup(destination).await
    }

    /// Transactions committed since the file was opened: fewer than writes, where writes came
    /// together.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.database.commits()
    }
}

impl Store for SqliteStore {
    fn server(&self) -> &Server {
        &self.server
    }
}

#[async_trait]
impl Members for SqliteStore {
    async fn sign_in(
        &self,
        user: &UserId,
        name: MemberName,
        fresh: MemberId,
    ) -> Result<SignedIn, Error> {
        // Nearly every sign-in changes nothing, and so need not wait for the writers.
        let known = user.clone();
        let look = move |connection: &Connection| members::find_user(connection, &known);
        if let Some(member) = self.database.read(look).await?
            && member.name == name
        {
            return Ok(SignedIn {
                member,
                created: false,
                renamed: false,
            });
        }
        let user = user.clone();
        let work = move |connection: &Connection| members::sign_in(connection, &user, name, fresh);
        self.database.write(work).await
    }

    async fn member(&self, id: &MemberId) -> Result<Option<Member>, Error> {
        let id = id.clone();
        let work = move |connection: &Connection| members::find(connection, &id);
        self.database.read(work).await
    }

    async fn members(&self) -> Result<Vec<Member>, Error> {
        self.database.read(members::list).await
    }

    async fn set_server_muted(&self, id: &MemberId, muted: bool) -> Result<Option<Member>, Error> {
        let id = id.clone();
        let work = move |connection: &Connection| members::set_server_muted(connection, &id, muted);
        self.database.write(work).await
    }
}

#[async_trait]
impl Channels for SqliteStore {
    async fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, Error> {
        let id = id.clone();
        let work = move |connection: &Connection| channels::find(connection, &id);
        self.database.read(work).await
    }

    async fn channels(&self) -> Result<Vec<Channel>, Error> {
        self.database.read(channels::list).await
    }

    async fn create_channel(&self, new: NewChannel) -> Result<Channel, Error> {
        let work = move |connection: &Connection| channels::create(connection, new);
        self.database.write(work).await
    }

    async fn update_channel(
        &self,
        id: &ChannelId,
        change: ChannelChange,
    ) -> Result<Option<Channel>, Error> {
        let id = id.clone();
        let work = move |connection: &Connection| channels::update(connection, &id, change);
        self.database.write(work).await
    }

    async fn delete_channel(&self, id: &ChannelId) -> Result<bool, Error> {
        let id = id.clone();
        let work = move |connection: &Connection| channels::delete(connection, &id);
        self.database.write(work).await
    }
}

#[async_trait]
impl Messages for SqliteStore {
    async fn append_message(&self, new: NewMessage) -> Result<Appended, Error> {
        let work = move |connection: &Connection| messages::append(connection, new);
        self.database.write(work).await
    }

    async fn edit_message(&self, edit: MessageEdit) -> Result<Option<Message>, Error> {
        let work = move |connection: &Connection| messages::edit(connection, &edit);
        self.database.write(work).await
    }

    async fn delete_message(&self, channel: &ChannelId, id: MessageId) -> Result<bool, Error> {
        let channel = channel.clone();
        let work = move |connection: &Connection| messages::delete(connection, &channel, id);
        self.database.write(work).await
    }

    async fn message(&self, channel: &ChannelId, id: MessageId) -> Result<Option<Message>, Error> {
        let channel = channel.clone();
        let work = move |connection: &Connection| messages::find(connection, &channel, id);
        self.database.read(work).await
    }

    async fn author(&self, channel: &ChannelId, id: MessageId) -> Result<Option<MemberId>, Error> {
        let channel = channel.clone();
        let work = move |connection: &Connection| messages::author(connection, &channel, id);
        self.database.read(work).await
    }

    async fn messages(
        &self,
        channel: &ChannelId,
        before: Option<MessageId>,
        limit: u32,
    ) -> Result<Page, Error> {
        let channel = channel.clone();
        let work =
            move |connection: &Connection| messages::page(connection, &channel, before, limit);
        self.database.read(work).await
    }

    async fn file_in_use(&self, file: &FileId) -> Result<bool, Error> {
        let file = file.clone();
        let work = move |connection: &Connection| files::in_use(connection, &file);
        self.database.read(work).await
    }

    async fn forget_file(&self, file: &FileId) -> Result<(), Error> {
        let file = file.clone();
        let work = move |connection: &Connection| files::forget(connection, &file);
        self.database.write(work).await
    }
}

/// Reads a text column as the value it was written from.
fn parse<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

/// A column whose value no version of this program wrote.
fn damaged(column: usize, what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        format!("stored {what} is damaged").into(),
    )
}
