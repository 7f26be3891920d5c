//! Which messages have a file, in CQL.

use gryt_model::{ChannelId, FileId, Message, MessageId};

use super::heads::id_column;
use super::{CqlStore, messages};
use crate::cql::Failure;

/// Before the message is written: a file whose message does not follow is nobody's, a message
/// without its files would lose them.
pub(super) async fn remember(store: &CqlStore, message: &Message) -> Result<(), Failure> {
    for attachment in &message.attachments {
        let values = (
            store.id(),
            attachment.file.as_str(),
            message.channel.as_str(),
            id_column(message.id),
        );
        let statement = &store.statements.insert_file;
        store.connection.write(statement, values).await?;
    }
    Ok(())
}

pub(super) async fn in_use(store: &CqlStore, file: &FileId) -> Result<bool, Failure> {
    let values = (store.id(), file.as_str());
    let places: Vec<(String, i64)> = store
        .connection
        .all(&store.statements.file_places, values)
        .await?;
    for (channel, id) in places {
        let damaged = || Failure::Damaged("place of a file");
        let channel: ChannelId = channel.parse().map_err(|_| damaged())?;
        let id = MessageId::new(u64::try_from(id).map_err(|_| damaged())?);
        if messages::find(store, &channel, id).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn forget(store: &CqlStore, file: &FileId) -> Result<(), Failure> {
    let values = (store.id(), file.as_str());
    let statement = &store.statements.forget_file;
    store.connection.write(statement, values).await
}
