//! The commands for Jobs: what is done to a server's data where an administrator's secret is at hand.
//! Any back end may be left out.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use gryt_blobs::S3;
use gryt_bus::redis::{self, AdministrationError};
use gryt_model::ServerId;
use gryt_signaling::cli::{Administration, ProvisionCommand, S3Args};
use gryt_store::cql::{self, Provision};
use tokio::time::{sleep, timeout};

/// A back end that does not answer is asked again for so long. A Job tries again after that.
const PATIENCE: Duration = Duration::from_secs(120);
const ASK_AGAIN: Duration = Duration::from_secs(3);

/// Makes the keyspace, the role and Redis's user.
pub(crate) async fn provision(command: ProvisionCommand) -> anyhow::Result<()> {
    let ProvisionCommand {
        administration,
        cql_replication,
    } = command;
    let server = &administration.server_id;
    // Before anything is made: what is of no use is said first.
    let (database, redis) = (administration.database()?, administration.redis()?);
    let (cql_password, redis_password) = (
        administration.cql.password()?,
        administration.redis_password()?,
    );
    if let (Some(settings), Some(replication)) = (database, cql_replication) {
        let has_role = cql_password.is_some();
        let wanted = Provision {
            server: server.clone(),
            isolation: administration.cql.isolation(),
            replication,
            password: cql_password,
        };
        patiently(async || cql::provision(&settings, &wanted).await).await?;
        tracing::info!(%server, has_role, "the server's keyspace is there");
    }
    match (redis, redis_password) {
        (Some(config), Some(password)) => {
            let password = password.expose();
            patiently(async || redis::provision(&config, server, password).await).await?;
            tracing::info!(%server, "the server's user of Redis is there");
        }
        (Some(_), None) => tracing::info!("no password for Redis is given, so no user is made"),
        (None, _) => {}
    }
    Ok(())
}

/// Brings the tables up to date.
pub(crate) async fn migrate(administration: Administration) -> anyhow::Result<()> {
    let Some(settings) = administration.database()? else {
        tracing::info!("no database is named, so there are no tables");
        return Ok(());
    };
    let isolation = administration.cql.isolation();
    let keyspace = isolation.keyspace(&administration.server_id);
    patiently(async || cql::migrate(&settings, &keyspace).await).await?;
    tracing::info!(%keyspace, "the tables are up to date");
    Ok(())
}

/// Removes the server's rows or keyspace, its role, what it has in Redis and its user there.
pub(crate) async fn purge(administration: Administration) -> anyhow::Result<()> {
    let server = &administration.server_id;
    let (database, redis) = (administration.database()?, administration.redis()?);
    if let Some(settings) = database {
        let isolation = administration.cql.isolation();
        patiently(async || cql::purge(&settings, server, &isolation).await).await?;
    }
    if let Some(config) = redis {
        patiently(async || redis::purge(&config, server).await).await?;
    }
    tracing::info!(%server, "nothing of the server is left");
    Ok(())
}

/// Makes the bucket. It is the same for all servers, so any id does.
pub(crate) async fn provision_files(s3: &S3Args) -> anyhow::Result<()> {
    open(s3, &ServerId::from_random([0; 16]))?
        .provision()
        .await?;
    let said = "The bucket is there, and pages may use what is signed for them.";
    Ok(writeln!(std::io::stdout(), "{said}")?)
}

/// Removes the server's files.
pub(crate) async fn purge_files(s3: &S3Args, server: &ServerId) -> anyhow::Result<()> {
    gryt_blobs::purge(&open(s3, server)?).await?;
    Ok(writeln!(std::io::stdout(), "No file of {server} is left.")?)
}

fn open(s3: &S3Args, server: &ServerId) -> anyhow::Result<S3> {
    let settings = s3.settings()?.context("no storage is named")?;
    Ok(S3::new(&settings, server)?)
}

/// An error that may be gone the next time.
trait MayPass: std::error::Error + Send + Sync + 'static {
    fn may_pass(&self) -> bool;
}

impl MayPass for cql::Error {
    fn may_pass(&self) -> bool {
        matches!(self, Self::Reach { .. })
    }
}

impl MayPass for AdministrationError {
    fn may_pass(&self) -> bool {
        self.is_passing()
    }
}

/// Asks a back end again that cannot be reached, for some time. Whatever else it says is final.
async fn patiently<E: MayPass>(work: impl AsyncFn() -> Result<(), E>) -> anyhow::Result<()> {
    let asking = async {
        loop {
            match work().await {
                Err(error) if error.may_pass() => {
                    let error = format!("{:#}", anyhow::Error::from(error));
                    tracing::warn!(error, "a back end is not there, trying again");
                }
                ended => return ended,
            }
            sleep(ASK_AGAIN).await;
        }
    };
    match timeout(PATIENCE, asking).await {
        Ok(ended) => Ok(ended?),
        // Once more, for the words.
        Err(_) => Ok(work().await?),
    }
}
