//! Messages in SQLite.

use gryt_model::{ChannelId, MemberId, Message, MessageId, MessageText, Nonce};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{damaged, files, parse};
use crate::attachments;
use crate::payload::payload_hash;
use crate::{Appended, MessageEdit, NONCE_KEPT, NewMessage, Page};

/// Every append forgets up to this many nonces that are old enough, so that the table stays as
/// small as two days of messages and no append pays for many others.
const NONCES_FORGOTTEN_PER_APPEND: u32 = 4;

const COLUMNS: &str = "channel, id, author, text, nonce, created_at_ms, edited_at_ms, attachments";

pub(super) fn append(connection: &Connection, new: NewMessage) -> rusqlite::Result<Appended> {
    if !channel_exists(connection, &new.channel)? {
        return Ok(Appended::UnknownChannel);
    }
    let payload_hash = payload_hash(&new);
    if let Some(used) = find_nonce(connection, &new.author, &new.nonce)? {
        return repeated(connection, &new.channel, &used, payload_hash);
    }
    let id = MessageId::next(last_id(connection, &new.channel)?, new.unix_ms);
    connection
        .prepare_cached(
            "INSERT INTO nonces (author, nonce, channel, message_id, payload_hash, unix_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            new.author.as_str(),
            new.nonce.as_str(),
            new.channel.as_str(),
            id_column(id),
            payload_hash,
            new.unix_ms,
        ))?;
    forget_old_nonces(connection, new.unix_ms)?;
    let NewMessage {
        channel,
        author,
        text,
        attachments,
        nonce,
        unix_ms,
    } = new;
    files::remember(connection, &attachments, &channel, id)?;
    connection
        .prepare_cached(
            "INSERT INTO messages (channel, id, author, text, nonce, created_at_ms, attachments)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            channel.as_str(),
            id_column(id),
            author.as_str(),
            text.as_str(),
            nonce.as_str(),
            unix_ms,
            attachments::write(&attachments),
        ))?;
    Ok(Appended::New(Message {
        id,
        channel,
        author,
        text,
        attachments,
        nonce,
        created_at_ms: unix_ms,
        edited_at_ms: None,
    }))
}

pub(super) fn edit(
    connection: &Connection,
    edit: &MessageEdit,
) -> rusqlite::Result<Option<Message>> {
    connection
        .prepare_cached(
            "UPDATE messages SET text = ?3, edited_at_ms = ?4
             WHERE channel = ?1 AND id = ?2 AND text IS NOT NULL",
        )?
        .execute((
            edit.channel.as_str(),
            id_column(edit.id),
            edit.text.as_str(),
            edit.unix_ms,
        ))?;
    find(connection, &edit.channel, edit.id)
}

pub(super) fn delete(
    connection: &Connection,
    channel: &ChannelId,
    id: MessageId,
) -> rusqlite::Result<bool> {
    let deleted = connection
        .prepare_cached(
            "UPDATE messages SET text = NULL, attachments = NULL
             WHERE channel = ?1 AND id = ?2 AND text IS NOT NULL",
        )?
        .execute((channel.as_str(), id_column(id)))?;
    Ok(deleted > 0)
}

pub(super) fn find(
    connection: &Connection,
    channel: &ChannelId,
    id: MessageId,
) -> rusqlite::Result<Option<Message>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages WHERE channel = ?1 AND id = ?2 AND text IS NOT NULL"
        ))?
        .query_row((channel.as_str(), id_column(id)), read)
        .optional()
}

pub(super) fn author(
    connection: &Connection,
    channel: &ChannelId,
    id: MessageId,
) -> rusqlite::Result<Option<MemberId>> {
    connection
        .prepare_cached("SELECT author FROM messages WHERE channel = ?1 AND id = ?2")?
        .query_row((channel.as_str(), id_column(id)), |row| parse(row, 0))
        .optional()
}

pub(super) fn page(
    connection: &Connection,
    channel: &ChannelId,
    before: Option<MessageId>,
    limit: u32,
) -> rusqlite::Result<Page> {
    let before = before.map_or(i64::MAX, id_column);
    // One more than asked tells whether there is more.
    let rows = i64::from(limit) + 1;
    let mut messages = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM messages
             WHERE channel = ?1 AND id < ?2 AND text IS NOT NULL ORDER BY id DESC LIMIT ?3"
        ))?
        .query_map((channel.as_str(), before, rows), read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let has_more = messages.len() as u64 > u64::from(limit);
    if has_more {
        messages.pop();
    }
    messages.reverse();
    Ok(Page { messages, has_more })
}

fn channel_exists(connection: &Connection, channel: &ChannelId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM channels WHERE id = ?1)")?
        .query_row([channel.as_str()], |row| row.get(0))
}

struct UsedNonce {
    message_id: MessageId,
    payload_hash: [u8; 32],
}

fn find_nonce(
    connection: &Connection,
    author: &MemberId,
    nonce: &Nonce,
) -> rusqlite::Result<Option<UsedNonce>> {
    connection
        .prepare_cached(
            "SELECT message_id, payload_hash FROM nonces WHERE author = ?1 AND nonce = ?2",
        )?
        .query_row((author.as_str(), nonce.as_str()), |row| {
            Ok(UsedNonce {
                message_id: MessageId::new(row.get(0)?),
                payload_hash: row.get(1)?,
            })
        })
        .optional()
}

fn repeated(
    connection: &Connection,
    channel: &ChannelId,
    used: &UsedNonce,
    payload_hash: [u8; 32],
) -> rusqlite::Result<Appended> {
    if used.payload_hash != payload_hash {
        return Ok(Appended::NonceReused);
    }
    Ok(match find(connection, channel, used.message_id)? {
        Some(message) => Appended::Repeated(message),
        None => Appended::RepeatedDeleted(used.message_id),
    })
}

fn last_id(connection: &Connection, channel: &ChannelId) -> rusqlite::Result<Option<MessageId>> {
    let last: Option<u64> = connection
        .prepare_cached("SELECT max(id) FROM messages WHERE channel = ?1")?
        .query_row([channel.as_str()], |row| row.get(0))?;
    Ok(last.map(MessageId::new))
}

fn forget_old_nonces(connection: &Connection, unix_ms: u64) -> rusqlite::Result<()> {
    let kept_ms = u64::try_from(NONCE_KEPT.as_millis()).unwrap_or(u64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM nonces WHERE (author, nonce) IN
             (SELECT author, nonce FROM nonces WHERE unix_ms < ?1 ORDER BY unix_ms LIMIT ?2)",
        )?
        .execute((unix_ms.saturating_sub(kept_ms), NONCES_FORGOTTEN_PER_APPEND))?;
    Ok(())
}

/// SQLite's integers are signed. Ids beyond them come only from a client's `before`, and mean the
/// newest.
pub(super) fn id_column(id: MessageId) -> i64 {
    i64::try_from(id.get()).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Message> {
    let text = row.get_ref(3)?.as_str()?;
    let files = row.get_ref(7)?.as_str_or_null()?;
    Ok(Message {
        channel: parse(row, 0)?,
        id: MessageId::new(row.get(1)?),
        author: parse(row, 2)?,
        text: MessageText::new(text).ok_or_else(|| damaged(3, "message text"))?,
        attachments: attachments::read(files).ok_or_else(|| damaged(7, "list of files"))?,
        nonce: parse(row, 4)?,
        created_at_ms: row.get(5)?,
        edited_at_ms: row.get(6)?,
    })
}
