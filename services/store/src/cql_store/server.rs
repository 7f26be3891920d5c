//! The server's own record, the first opening, and a new name.

use gryt_model::{AudibleLimit, ServerId};
use scylla::value::CqlValue;

use super::CqlStore;
use super::channels::kind_text;
use super::statements::{Statements, conditional_batch};
use crate::cql::{Connection, Failure};
use crate::{FirstOpen, NewChannel, Server};

/// Returns the record; writes what `first` says if there is none. Of several processes that open an
/// empty server at once, one's `first` is written whole and the others' are ignored.
pub(super) async fn prepare(
    connection: &Connection,
    statements: &Statements,
    first: FirstOpen,
) -> Result<Server, Failure> {
    let FirstOpen { server, channels } = first;
    // The second look is for whoever was slower.
    for _ in 0..2 {
        if let Some(name) = name(connection, statements, &server.id).await? {
            return Ok(Server {
                id: server.id,
                name,
            });
        }
        if claim(connection, statements, &server, &channels).await? {
            return Ok(server);
        }
    }
    Err(Failure::Damaged("server record"))
}

async fn name(
    connection: &Connection,
    statements: &Statements,
    id: &ServerId,
) -> Result<Option<Box<str>>, Failure> {
    let row: Option<(Option<String>,)> =
        connection.first(&statements.server, (id.as_str(),)).await?;
    Ok(row.and_then(|(name,)| name).map(Into::into))
}

/// False if there is a record already: another process's, or ours of an attempt that was told
/// nothing.
async fn claim(
    connection: &Connection,
    statements: &Statements,
    server: &Server,
    channels: &[NewChannel],
) -> Result<bool, Failure> {
    let id = server.id.as_str();
    let count = i32::try_from(channels.len()).map_err(Failure::read_answer)?;
    let inserts = channels.iter().map(|_| &statements.insert_channel);
    let batch = conditional_batch(&statements.claim_server, inserts);
    let limit = i32::from(AudibleLimit::default().get());
    let text = |text: &str| CqlValue::Text(text.to_owned());
    let mut values = vec![vec![text(&server.name), CqlValue::Int(count), text(id)]];
    for (channel, position) in channels.iter().zip(0..) {
        values.push(vec![
            text(id),
            text(channel.id.as_str()),
            text(channel.name.as_str()),
            text(kind_text(channel.kind)),
            CqlValue::Int(position),
            CqlValue::Int(limit),
        ]);
    }
    Ok(connection
        .conditional_batch_again(&batch, values)
        .await?
        .applied)
}

/// Writes another name.
pub(super) async fn rename(store: &CqlStore, name: &str) -> Result<(), Failure> {
    let statement = &store.statements.rename_server;
    let values = (name, store.id());
    store
        .connection
        .conditional_again(statement, values)
        .await
        .map(drop)
}
