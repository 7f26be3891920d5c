//! The commands for Jobs: what is done to a server's data where an administrator's secret is at hand.

use std::time::Duration;

use anyhow::Context as _;
use gryt_bus::redis::RedisBus;
use gryt_signaling::cli::{Administration, ProvisionCommand, PurgeCommand};
use gryt_store::cql::{self, Provision, Settings};
use tokio::time::{sleep, timeout};

/// A database that does not answer is asked again for so long. A Job tries again after that.
const PATIENCE: Duration = Duration::from_secs(120);
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// For Redis to forget a server.
const FORGET_WITHIN: Duration = Duration::from_secs(60);

/// Makes the keyspace and the role.
pub(crate) async fn provision(command: ProvisionCommand) -> anyhow::Result<()> {
    let ProvisionCommand {
        administration,
        cql_replication,
    } = command;
    let wanted = Provision {
        server: administration.server_id.clone(),
        isolation: administration.cql.isolation(),
        replication: cql_replication,
        password: administration.cql.password()?,
    };
    let settings = administration.settings()?;
    patiently(&settings, async |settings| {
        cql::provision(settings, &wanted).await
    })
    .await?;
    tracing::info!(server = %wanted.server, "the server's keyspace and role are there");
    Ok(())
}

/// Brings the tables up to date.
pub(crate) async fn migrate(administration: Administration) -> anyhow::Result<()> {
    let keyspace = administration
        .cql
        .isolation()
        .keyspace(&administration.server_id);
    let settings = administration.settings()?;
    patiently(&settings, async |settings| {
        cql::migrate(settings, &keyspace).await
    })
    .await?;
    tracing::info!(%keyspace, "the tables are up to date");
    Ok(())
}

/// Removes the server's rows or keyspace, its role, and what it has in Redis.
pub(crate) async fn purge(command: PurgeCommand) -> anyhow::Result<()> {
    let PurgeCommand {
        administration,
        redis,
    } = command;
    let server = &administration.server_id;
    let redis = redis.place()?;
    let settings = administration.settings()?;
    let isolation = administration.cql.isolation();
    patiently(&settings, async |settings| {
        cql::purge(settings, server, &isolation).await
    })
    .await?;
    if let Some(redis) = redis {
        timeout(FORGET_WITHIN, RedisBus::purge(redis, server))
            .await
            .context("Redis does not answer in time")?
            .context("remove what the server has in Redis")?;
    }
    tracing::info!(%server, "nothing of the server is left");
    Ok(())
}

/// Asks a database again that cannot be reached, for some time. Whatever else it says is final.
async fn patiently(
    settings: &Settings,
    work: impl AsyncFn(&Settings) -> Result<(), cql::Error>,
) -> Result<(), cql::Error> {
    let asking = async {
        loop {
            match work(settings).await {
                Err(error @ cql::Error::Reach { .. }) => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(error, "the database is not there, trying again");
                }
                ended => return ended,
            }
            sleep(ASK_AGAIN).await;
        }
    };
    match timeout(PATIENCE, asking).await {
        Ok(ended) => ended,
        // Once more, for the words.
        Err(_) => work(settings).await,
    }
}
