//! Channels in SQLite.

use gryt_model::{AudibleLimit, Channel, ChannelId, ChannelKind};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{damaged, parse};
use crate::{ChannelChange, NewChannel};

pub(super) fn find(connection: &Connection, id: &ChannelId) -> rusqlite::Result<Option<Channel>> {
    connection
        .prepare_cached(
            "SELECT id, name, kind, position, audible_limit FROM channels WHERE id = ?1",
        )?
        .query_row([id.as_str()], read)
        .optional()
}

pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<Channel>> {
    connection
        .prepare_cached(
            "SELECT id, name, kind, position, audible_limit FROM channels ORDER BY position, id",
        )?
        .query_map([], read)?
        .collect()
}

pub(super) fn create(connection: &Connection, new: NewChannel) -> rusqlite::Result<Channel> {
    if let Some(known) = find(connection, &new.id)? {
        return Ok(known);
    }
    let position = connection
        .prepare_cached("SELECT coalesce(max(position) + 1, 0) FROM channels")?
        .query_row([], |row| row.get(0))?;
    let NewChannel { id, name, kind } = new;
    let channel = Channel {
        id,
        name,
        kind,
        position,
        audible_limit: AudibleLimit::default(),
    };
    connection
        .prepare_cached(
            "INSERT INTO channels (id, name, kind, position, audible_limit)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            channel.id.as_str(),
            channel.name.as_str(),
            kind_text(channel.kind),
            channel.position,
            channel.audible_limit.get(),
        ))?;
    Ok(channel)
}

pub(super) fn update(
    connection: &Connection,
    id: &ChannelId,
    change: ChannelChange,
) -> rusqlite::Result<Option<Channel>> {
    let Some(mut channel) = find(connection, id)? else {
        return Ok(None);
    };
    let ChannelChange {
        name,
        audible_limit,
    } = change;
    channel.name = name.unwrap_or(channel.name);
    channel.audible_limit = audible_limit.unwrap_or(channel.audible_limit);
    connection
        .prepare_cached("UPDATE channels SET name = ?2, audible_limit = ?3 WHERE id = ?1")?
        .execute((
            id.as_str(),
            channel.name.as_str(),
            channel.audible_limit.get(),
        ))?;
    Ok(Some(channel))
}

pub(super) fn delete(connection: &Connection, id: &ChannelId) -> rusqlite::Result<bool> {
    let deleted = connection
        .prepare_cached("DELETE FROM channels WHERE id = ?1")?
        .execute([id.as_str()])?;
    Ok(deleted > 0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Channel> {
    Ok(Channel {
        id: parse(row, 0)?,
        name: parse(row, 1)?,
        kind: kind(row.get_ref(2)?.as_str()?).ok_or_else(|| damaged(2, "channel kind"))?,
        position: row.get(3)?,
        audible_limit: AudibleLimit::new(row.get(4)?).ok_or_else(|| damaged(4, "audible limit"))?,
    })
}

fn kind_text(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Text => "text",
        ChannelKind::Voice => "voice",
    }
}

fn kind(text: &str) -> Option<ChannelKind> {
    [ChannelKind::Text, ChannelKind::Voice]
        .into_iter()
        .find(|kind| kind_text(*kind) == text)
}
