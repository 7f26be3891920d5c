//! Which messages have a file, in SQLite.

use gryt_model::{Attachment, ChannelId, FileId, MessageId};
use rusqlite::Connection;

use super::messages::id_column;

pub(super) fn remember(
    connection: &Connection,
    attachments: &[Attachment],
    channel: &ChannelId,
    id: MessageId,
) -> rusqlite::Result<()> {
    for attachment in attachments {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO files (file, channel, message_id) VALUES (?1, ?2, ?3)",
            )?
            .execute((attachment.file.as_str(), channel.as_str(), id_column(id)))?;
    }
    Ok(())
}

pub(super) fn in_use(connection: &Connection, file: &FileId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (
                 SELECT 1 FROM files JOIN messages
                 ON messages.channel = files.channel AND messages.id = files.message_id
                 WHERE files.file = ?1 AND messages.text IS NOT NULL
             )",
        )?
        .query_row([file.as_str()], |row| row.get(0))
}

pub(super) fn forget(connection: &Connection, file: &FileId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM files WHERE file = ?1")?
        .execute([file.as_str()])
        .map(drop)
}
