//! The tables, the steps that make them, and which step a keyspace has reached.
//!
//! Step n makes version n; steps are only ever added. Each change is harmless twice.

use super::connection::Connection;
use super::error::{Error, Failure};
use super::names::Keyspace;
use super::outcome::is_missing;

/// One change of the tables.
#[derive(Debug)]
pub(super) enum Change {
    /// `CREATE TABLE IF NOT EXISTS`.
    Make(&'static str),
    /// A further column. ScyllaDB knows no `IF NOT EXISTS` for columns, so it is looked for.
    AddColumn {
        table: &'static str,
        column: &'static str,
        kind: &'static str,
    },
}

/// The steps from an empty keyspace to today's tables.
pub(super) const STEPS: [&[Change]; 2] = [
    &[
        Change::Make(include_str!("schema/1_servers.cql")),
        Change::Make(include_str!("schema/1_users.cql")),
        Change::Make(include_str!("schema/1_members.cql")),
        Change::Make(include_str!("schema/1_heads.cql")),
        Change::Make(include_str!("schema/1_messages.cql")),
        Change::Make(include_str!("schema/1_nonces.cql")),
    ],
    &[
        Change::Make(include_str!("schema/2_files.cql")),
        // As `attachments.rs` writes it.
        Change::AddColumn {
            table: "messages",
            column: "attachments",
            kind: "text",
        },
    ],
];

impl Change {
    /// Makes the change, if it has not been made.
    pub(super) async fn make(
        &self,
        connection: &Connection,
        keyspace: &Keyspace,
    ) -> Result<(), Failure> {
        match self {
            Self::Make(statement) => connection.define(statement).await,
            Self::AddColumn {
                table,
                column,
                kind,
            } => {
                let look = connection
                    .prepare(
                        "SELECT column_name FROM system_schema.columns
                         WHERE keyspace_name = ? AND table_name = ? AND column_name = ?",
                    )
                    .await?;
                let values = (keyspace.as_str(), *table, *column);
                let found: Option<(String,)> = connection.first(&look, values).await?;
                if found.is_some() {
                    return Ok(());
                }
                let add = format!("ALTER TABLE {table} ADD {column} {kind}");
                connection.define(&add).await
            }
        }
    }
}

/// Names of tables, for whoever writes statements about all of them.
pub(crate) mod table {
    pub(crate) const SERVERS: &str = "servers";
    pub(crate) const USERS: &str = "users";
    pub(crate) const MEMBERS: &str = "members";
}

/// The version that this program makes and needs.
pub(super) fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// The version of the keyspace that `connection` works in; 0 if it has none.
pub(super) async fn found(connection: &Connection, keyspace: &Keyspace) -> Result<u32, Failure> {
    let tables = connection
        .prepare(
            "SELECT table_name FROM system_schema.tables
             WHERE keyspace_name = ? AND table_name = 'schema_version'",
        )
        .await?;
    let table: Option<(String,)> = connection.first(&tables, (keyspace.as_str(),)).await?;
    if table.is_none() {
        return Ok(0);
    }
    let read = connection
        .prepare_serial("SELECT version FROM schema_version WHERE part = 'gryt'")
        .await;
    let read = match read {
        // Somebody is making it: Cassandra lists a table some moments before it is there.
        Err(Failure::Execute(error)) if is_missing(&error) => return Ok(0),
        read => read?,
    };
    let row: Option<(Option<i32>,)> = connection.first(&read, ()).await?;
    let version = row.and_then(|(version,)| version).unwrap_or_default();
    u32::try_from(version).map_err(|_| Failure::Damaged("schema version"))
}

/// Whether the keyspace is exactly what this program needs.
pub(crate) async fn check_version(
    connection: &Connection,
    keyspace: &Keyspace,
) -> Result<(), Error> {
    let found = found(connection, keyspace)
        .await
        .map_err(|error| Error::Open {
            keyspace: keyspace.clone(),
            source: error.into(),
        })?;
    refuse_newer(keyspace, found)?;
    if found < known() {
        return Err(older(keyspace, found));
    }
    Ok(())
}

/// The keyspace is missing or needs migrating.
pub(crate) fn older(keyspace: &Keyspace, found: u32) -> Error {
    Error::OlderSchema {
        keyspace: keyspace.clone(),
        found,
        known: known(),
    }
}

/// A newer program migrated the keyspace.
pub(super) fn refuse_newer(keyspace: &Keyspace, found: u32) -> Result<(), Error> {
    if found > known() {
        return Err(Error::NewerSchema {
            keyspace: keyspace.clone(),
            found,
            known: known(),
        });
    }
    Ok(())
}
