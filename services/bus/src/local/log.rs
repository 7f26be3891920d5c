//! The event log in SQLite.

use std::sync::Arc;

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_store::sqlite::Schema;
use prost::Message as _;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use crate::{Audience, Delivery, EVENTS_KEPT, EventId, LogEpoch, Replay};

pub(super) const SCHEMA: Schema =
    Schema(&[include_str!("schema_1.sql"), include_str!("schema_2.sql")]);

/// Returns the log's epoch; writes `fresh` if the log is new.
pub(super) fn prepare(connection: &Connection, fresh: &LogEpoch) -> rusqlite::Result<LogEpoch> {
    let known = connection
        .query_row("SELECT epoch FROM log", [], |row| {
            Ok(LogEpoch::from_wire(row.get_ref(0)?.as_str()?))
        })
        .optional()?;
    if let Some(epoch) = known {
        return Ok(epoch);
    }
    connection.execute(
        "INSERT INTO log (only, epoch) VALUES (1, ?1)",
        [fresh.as_str()],
    )?;
    Ok(fresh.clone())
}

/// Writes an event under the next id and drops the one that is too old by it. What was deleted is
/// gone from here, too: the text in earlier events is emptied.
pub(super) fn append(
    connection: &Connection,
    audience: &Audience,
    event: &wire::Event,
) -> rusqlite::Result<EventId> {
    let audience = &audience.to_text();
    if let Some(Kind::MessageDeleted(deleted)) = &event.event {
        let of_message = "SELECT id, event FROM events WHERE message = ?2 AND audience = ?1";
        empty(connection, of_message, (audience, deleted.message_id))?;
    } else if let Some(Kind::ChannelDeleted(_)) = &event.event {
        let of_channel = "SELECT id, event FROM events WHERE message NOTNULL AND audience = ?1";
        empty(connection, of_channel, [audience])?;
    }
    // The newest event is never dropped, so SQLite's "largest plus one" leaves no gap and never
    // gives an id twice.
    let id: u64 = connection
        .prepare_cached(
            "INSERT INTO events (audience, event, message) VALUES (?1, ?2, ?3) RETURNING id",
        )?
        .query_row(
            (audience, event.encode_to_vec(), message_told(event)),
            |row| row.get(0),
        )?;
    connection
        .prepare_cached("DELETE FROM events WHERE id <= ?1")?
        .execute([id.saturating_sub(EVENTS_KEPT)])?;
    Ok(EventId(id))
}

/// The message whose text is in this event.
fn message_told(event: &wire::Event) -> Option<u64> {
    if let Some(Kind::MessageCreated(message) | Kind::MessageEdited(message)) = &event.event {
        return Some(message.message_id);
    }
    None
}

/// Empties the text of the events that `select` finds.
fn empty(connection: &Connection, select: &str, about: impl Params) -> rusqlite::Result<()> {
    let found: Vec<(u64, wire::Event)> = connection
        .prepare_cached(select)?
        .query_map(about, |row| Ok((row.get(0)?, event(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, mut event) in found {
        if let Some(Kind::MessageCreated(message) | Kind::MessageEdited(message)) = &mut event.event
        {
            message.text.clear();
        }
        connection
            .prepare_cached("UPDATE events SET event = ?2 WHERE id = ?1")?
            .execute((id, event.encode_to_vec()))?;
    }
    Ok(())
}

pub(super) fn head(connection: &Connection) -> rusqlite::Result<EventId> {
    connection
        .prepare_cached("SELECT coalesce(max(id), 0) FROM events")?
        .query_row([], |row| row.get(0).map(EventId))
}

/// Reads what follows `after` in this log's own epoch.
pub(super) fn replay(
    connection: &Connection,
    after: EventId,
    limit: u32,
) -> rusqlite::Result<Replay> {
    // One snapshot for all three questions, so that a trim in between makes no gap.
    let snapshot = connection.unchecked_transaction()?;
    let head = head(&snapshot)?;
    if after > head {
        return Ok(Replay::OtherEpoch);
    }
    if after == head {
        return Ok(Replay::Events(Vec::new()));
    }
    let oldest = snapshot
        .prepare_cached("SELECT min(id) FROM events")?
        .query_row([], |row| row.get(0).map(EventId))?;
    if after.0 + 1 < oldest.0 {
        return Ok(Replay::Trimmed);
    }
    let events = snapshot
        .prepare_cached(
            "SELECT id, audience, event FROM events WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map((after.0, limit), read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Replay::Events(events))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Arc<Delivery>> {
    let audience = Audience::from_text(row.get_ref(1)?.as_str()?)
        .ok_or_else(|| damaged(1, Type::Text, "stored audience is damaged".into()))?;
    let event = event(row, 2)?;
    let event_id = row.get(0)?;
    Ok(Arc::new(Delivery {
        event: wire::Event { event_id, ..event },
        audience,
    }))
}

fn event(row: &Row<'_>, column: usize) -> rusqlite::Result<wire::Event> {
    wire::Event::decode(row.get_ref(column)?.as_blob()?)
        .map_err(|error| damaged(column, Type::Blob, error.into()))
}

fn damaged(
    column: usize,
    kind: Type,
    source: Box<dyn std::error::Error + Send + Sync>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, source)
}
