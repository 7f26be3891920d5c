//! The server's own record, the first opening, and a new name.

use rusqlite::{Connection, OptionalExtension as _};

use super::{channels, parse};
use crate::{FirstOpen, Server};

/// Returns the record; writes what `first` says if there is none.
pub(super) fn prepare(connection: &Connection, first: FirstOpen) -> rusqlite::Result<Server> {
    let known = connection
        .query_row("SELECT id, name FROM server", [], |row| {
            Ok(Server {
                id: parse(row, 0)?,
                name: row.get::<_, String>(1)?.into(),
            })
        })
        .optional()?;
    if let Some(server) = known {
        return Ok(server);
    }
    let FirstOpen { server, channels } = first;
    connection.execute(
        "INSERT INTO server (only, id, name) VALUES (1, ?1, ?2)",
        (server.id.as_str(), &server.name),
    )?;
    for channel in channels {
        channels::create(connection, channel)?;
    }
    Ok(server)
}

/// Writes another name.
pub(super) fn rename(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE server SET name = ?1 WHERE name <> ?1", [name])
        .map(drop)
}
