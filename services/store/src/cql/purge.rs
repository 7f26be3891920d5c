//! Removes everything a server has in the database.

use gryt_model::ServerId;

use super::connection::{Connection, Settings};
use super::error::{Error, Failure};
use super::names::{Isolation, Keyspace, role_name};
use super::outcome::is_missing;
use super::schema::table;

/// Drops the server's keyspace or, where that is shared, deletes its rows; and drops its role. The
/// server's processes must have ended. Twice is harmless. In a shared keyspace this reads all of three
/// tables, so it takes as long as they are large. Needs the role that provisions.
///
/// # Errors
/// [`Error::Reach`] and [`Error::SignIn`] as for every connection; [`Error::Purge`] if something
/// cannot be removed.
pub async fn purge(
    settings: &Settings,
    server: &ServerId,
    isolation: &Isolation,
) -> Result<(), Error> {
    let keyspace = isolation.keyspace(server);
    let purged = match isolation {
        Isolation::Keyspace => {
            let connection = Connection::open(settings).await?;
            let dropped = format!("DROP KEYSPACE IF EXISTS {keyspace}");
            match connection.define(&dropped).await {
                Ok(()) => drop_role(&connection, server).await,
                Err(error) => Err(error),
            }
        }
        Isolation::Shared(_) => match Connection::open_in(settings, &keyspace).await? {
            Some(connection) => purge_rows(&connection, &keyspace, server).await,
            None => drop_role(&Connection::open(settings).await?, server).await,
        },
    };
    purged.map_err(|error| Error::Purge {
        keyspace,
        source: error.into(),
    })
}

async fn purge_rows(
    connection: &Connection,
    keyspace: &Keyspace,
    server: &ServerId,
) -> Result<(), Failure> {
    // Tables that a keyspace which was never migrated does not have.
    if super::schema::found(connection, keyspace).await? > 0 {
        purge_messages(connection, server).await?;
        purge_nonces(connection, server).await?;
        purge_files(connection, server).await?;
        for table in [table::USERS, table::MEMBERS, table::SERVERS] {
            let delete = format!("DELETE FROM {table} WHERE server = ?");
            let delete = connection.prepare(&delete).await?;
            connection.write(&delete, (server.as_str(),)).await?;
        }
    }
    drop_role(connection, server).await
}

async fn purge_messages(connection: &Connection, server: &ServerId) -> Result<(), Failure> {
    let heads = connection
        .prepare("SELECT channel, bucket FROM heads WHERE server = ? ALLOW FILTERING")
        .await?;
    let messages = connection
        .prepare("DELETE FROM messages WHERE server = ? AND channel = ? AND bucket = ?")
        .await?;
    let head = connection
        .prepare("DELETE FROM heads WHERE server = ? AND channel = ?")
        .await?;
    // A channel without messages has a row without bucket.
    let found: Vec<(String, Option<i32>)> = connection.all(&heads, (server.as_str(),)).await?;
    for (channel, bucket) in &found {
        if let Some(bucket) = bucket {
            let key = (server.as_str(), channel, bucket);
            connection.write(&messages, key).await?;
        }
    }
    for (channel, _) in &found {
        connection.write(&head, (server.as_str(), channel)).await?;
    }
    Ok(())
}

async fn purge_nonces(connection: &Connection, server: &ServerId) -> Result<(), Failure> {
    let nonces = connection
        .prepare("SELECT author, nonce FROM nonces WHERE server = ? ALLOW FILTERING")
        .await?;
    let delete = connection
        .prepare("DELETE FROM nonces WHERE server = ? AND author = ? AND nonce = ?")
        .await?;
    let found: Vec<(String, String)> = connection.all(&nonces, (server.as_str(),)).await?;
    for (author, nonce) in &found {
        let key = (server.as_str(), author, nonce);
        connection.write(&delete, key).await?;
    }
    Ok(())
}

async fn purge_files(connection: &Connection, server: &ServerId) -> Result<(), Failure> {
    let files = connection
        .prepare("SELECT DISTINCT server, file FROM files WHERE server = ? ALLOW FILTERING")
        .await;
    let files = match files {
        // A keyspace that was not migrated since has no such table.
        Err(Failure::Execute(error)) if is_missing(&error) => return Ok(()),
        files => files?,
    };
    let delete = connection
        .prepare("DELETE FROM files WHERE server = ? AND file = ?")
        .await?;
    let found: Vec<(String, String)> = connection.all(&files, (server.as_str(),)).await?;
    for (_, file) in &found {
        connection.write(&delete, (server.as_str(), file)).await?;
    }
    Ok(())
}

async fn drop_role(connection: &Connection, server: &ServerId) -> Result<(), Failure> {
    let role = role_name(server);
    connection
        .define(&format!("DROP ROLE IF EXISTS {role}"))
        .await
}
