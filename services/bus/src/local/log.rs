//! The event log in SQLite.

use std::sync::Arc;

use gryt_proto::client::v1 as wire;
use gryt_store::sqlite::Schema;
use prost::Message as _;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::LocalBus;
use crate::{Audience, Delivery, EventId, LogEpoch, Replay};

pub(super) const SCHEMA: Schema = Schema(&[include_str!("schema_1.sql")]);

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

/// Writes an event under the next id and drops the one that is too old by it.
pub(super) fn append(
    connection: &Connection,
    audience: &Audience,
    event: &[u8],
) -> rusqlite::Result<EventId> {
    // The newest event is never dropped, so SQLite's "largest plus one" leaves no gap and never
    // gives an id twice.
    let id: u64 = connection
        .prepare_cached("INSERT INTO events (audience, event) VALUES (?1, ?2) RETURNING id")?
        .query_row((audience_text(audience), event), |row| row.get(0))?;
    connection
        .prepare_cached("DELETE FROM events WHERE id <= ?1")?
        .execute([id.saturating_sub(LocalBus::EVENTS_KEPT)])?;
    Ok(EventId(id))
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
    let damaged =
        |column, kind, source| rusqlite::Error::FromSqlConversionFailure(column, kind, source);
    let audience = audience(row.get_ref(1)?.as_str()?)
        .ok_or_else(|| damaged(1, Type::Text, "stored audience is damaged".into()))?;
    let event = wire::Event::decode(row.get_ref(2)?.as_blob()?)
        .map_err(|error| damaged(2, Type::Blob, error.into()))?;
    let event_id = row.get(0)?;
    Ok(Arc::new(Delivery {
        event: wire::Event { event_id, ..event },
        audience,
    }))
}

fn audience_text(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => "everyone".to_owned(),
        Audience::Channel(id) => format!("channel {id}"),
        Audience::Member(id) => format!("member {id}"),
        Audience::Session(id) => format!("session {id}"),
    }
}

fn audience(text: &str) -> Option<Audience> {
    let (kind, id) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "everyone" => Some(Audience::Everyone),
        "channel" => id.parse().ok().map(Audience::Channel),
        "member" => id.parse().ok().map(Audience::Member),
        "session" => id.parse().ok().map(Audience::Session),
        _ => None,
    }
}
