//! Brings a keyspace's tables up to date: by one process at a time, upwards only.

use std::time::Duration;

use scylla::statement::prepared::PreparedStatement;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Settings};
use super::error::{Error, Failure};
use super::names::Keyspace;
use super::outcome::is_missing;
use super::schema::{self, Change, STEPS};
use crate::error::Cause;

/// Others may migrate a cluster with many nodes for a while.
const MIGRATE_WITHIN: Duration = Duration::from_secs(180);
/// How soon a process looks again whether another one has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Takes the steps that `keyspace` has not had yet. Any number of processes may do so at once: one
/// holds a lease of 60 s, which it renews before each statement, and the others wait for it. Should
/// it die, another goes on after the lease's end. Needs a role that may create tables.
///
/// # Errors
/// [`Error::NewerSchema`] if a newer program migrated it; [`Error::OlderSchema`] if there is no such
/// keyspace; [`Error::Migrate`] if a step cannot be taken or others take longer than 3 minutes.
pub async fn migrate(settings: &Settings, keyspace: &Keyspace) -> Result<(), Error> {
    let failed = |source: Cause| Error::Migrate {
        keyspace: keyspace.clone(),
        source,
    };
    let Some(connection) = Connection::open_in(settings, keyspace).await? else {
        return Err(schema::older(keyspace, 0));
    };
    // Before anything is written: what a newer program made is left as it is.
    let found = schema::found(&connection, keyspace).await;
    let found = found.map_err(|error| failed(error.into()))?;
    schema::refuse_newer(keyspace, found)?;
    if found == schema::known() {
        return Ok(());
    }
    let taken = timeout(MIGRATE_WITHIN, async {
        let lease = begin(&connection).await?;
        take_steps(&connection, keyspace, &lease).await
    });
    let reached = taken
        .await
        .map_err(|elapsed| failed(elapsed.into()))?
        .map_err(|error| failed(error.into()))?;
    schema::refuse_newer(keyspace, reached)
}

/// Makes the table of the lease, if nobody has.
async fn begin(connection: &Connection) -> Result<Lease<'_>, Failure> {
    loop {
        connection
            .define(
                "CREATE TABLE IF NOT EXISTS schema_version (
                     part text PRIMARY KEY, version int, holder text
                 )",
            )
            .await?;
        match Lease::prepare(connection).await {
            // Where several make it at once, all but one may be answered before it is there.
            Err(Failure::Execute(error)) if is_missing(&error) => sleep(LOOK_AGAIN).await,
            prepared => return prepared,
        }
    }
}

/// Returns the version reached, by us or by others.
async fn take_steps(
    connection: &Connection,
    keyspace: &Keyspace,
    lease: &Lease<'_>,
) -> Result<u32, Failure> {
    loop {
        let version = lease.version().await?;
        if version >= schema::known() {
            return Ok(version);
        }
        if lease.take().await? {
            // Once more under the lease: another process may have been faster.
            let mut version = lease.version().await?;
            while let Some(step) = STEPS.get(version as usize)
                && take_step((connection, keyspace), lease, step, version + 1).await?
            {
                version += 1;
            }
            lease.give_back().await?;
        } else {
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// False if the lease was lost on the way.
async fn take_step(
    (connection, keyspace): (&Connection, &Keyspace),
    lease: &Lease<'_>,
    step: &[Change],
    version: u32,
) -> Result<bool, Failure> {
    for change in step {
        if !lease.renew().await? {
            return Ok(false);
        }
        change.make(connection, keyspace).await?;
    }
    tracing::info!(version, "schema migrated");
    lease.record(version).await
}

/// The right to migrate: a column that vanishes by itself. Its table is the only one that is made
/// without it.
struct Lease<'a> {
    connection: &'a Connection,
    holder: String,
    read: PreparedStatement,
    take: PreparedStatement,
    renew: PreparedStatement,
    record: PreparedStatement,
    give_back: PreparedStatement,
}

impl<'a> Lease<'a> {
    async fn prepare(connection: &'a Connection) -> Result<Self, Failure> {
        Ok(Self {
            connection,
            holder: connection.session().session_id().to_string(),
            read: connection
                .prepare_serial("SELECT version FROM schema_version WHERE part = 'gryt'")
                .await?,
            take: connection
                .prepare_conditional(
                    "UPDATE schema_version USING TTL 60 SET holder = ? WHERE part = 'gryt'
                 IF holder = null",
                )
                .await?,
            renew: connection
                .prepare_conditional(
                    "UPDATE schema_version USING TTL 60 SET holder = ? WHERE part = 'gryt'
                 IF holder = ?",
                )
                .await?,
            record: connection
                .prepare_conditional(
                    "UPDATE schema_version SET version = ? WHERE part = 'gryt' IF holder = ?",
                )
                .await?,
            give_back: connection
                .prepare_conditional(
                    "UPDATE schema_version SET holder = null WHERE part = 'gryt' IF holder = ?",
                )
                .await?,
        })
    }

    async fn version(&self) -> Result<u32, Failure> {
        let row: Option<(Option<i32>,)> = self.connection.first(&self.read, ()).await?;
        let version = row.and_then(|(version,)| version).unwrap_or_default();
        u32::try_from(version).map_err(|_| Failure::Damaged("schema version"))
    }

    async fn take(&self) -> Result<bool, Failure> {
        let taken = self.connection.conditional(&self.take, (&self.holder,));
        Ok(taken.await?.applied)
    }

    async fn renew(&self) -> Result<bool, Failure> {
        let values = (&self.holder, &self.holder);
        Ok(self
            .connection
            .conditional(&self.renew, values)
            .await?
            .applied)
    }

    async fn record(&self, version: u32) -> Result<bool, Failure> {
        let version = i32::try_from(version).map_err(Failure::read_answer)?;
        let values = (version, &self.holder);
        Ok(self
            .connection
            .conditional(&self.record, values)
            .await?
            .applied)
    }

    async fn give_back(&self) -> Result<(), Failure> {
        let given = self
            .connection
            .conditional(&self.give_back, (&self.holder,));
        given.await.map(drop)
    }
}
