//! The driver's session, and the few ways in which statements are run on it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::ExecutionError;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::Batch;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use scylla::statement::{Consistency, SerialConsistency};
use scylla::value::CqlValue;
use tokio::time::timeout;

use super::address::ContactPoint;
use super::error::{Error, Failure, is_no_keyspace, is_refused_sign_in};
use super::names::Keyspace;
use super::outcome::Outcome;
use super::pauses::Pauses;
use super::secret::Credentials;
use super::sign_in::SignIn;
use super::tls::Authorities;

/// One node's answer to a new connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// All of the beginning: names, connections, sign-in, what the cluster looks like.
const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// One statement, its retries included.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// One change of the schema, which all nodes must hear of.
const DEFINE_WITHIN: Duration = Duration::from_secs(60);

/// For what happens once and while tables are being made. Five doubling pauses of it are longer than
/// the 5 s for which Cassandra refuses to change a password that was just changed.
const FIRST_PAUSE_AT_BEGIN: Duration = Duration::from_millis(200);

/// How the database is reached. Parsed once, by whoever has the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// At least one node.
    pub contact_points: Vec<ContactPoint>,
    /// The data center whose nodes are asked, and whose quorum decides. Every process that uses a
    /// server's data must name the same one. `None` means a quorum of all data centers.
    pub local_datacenter: Option<Box<str>>,
    /// Who we are; `None` where the database asks nobody.
    pub credentials: Option<Credentials>,
    /// Whose certificates are believed; `None` means no TLS.
    pub authorities: Option<Authorities>,
}

impl Settings {
    pub(super) fn nodes(&self) -> String {
        let nodes: Vec<String> = self
            .contact_points
            .iter()
            .map(ToString::to_string)
            .collect();
        nodes.join(", ")
    }

    fn consistency(&self) -> Consistency {
        match self.local_datacenter {
            Some(_) => Consistency::LocalQuorum,
            None => Consistency::Quorum,
        }
    }

    fn serial(&self) -> SerialConsistency {
        match self.local_datacenter {
            Some(_) => SerialConsistency::LocalSerial,
            None => SerialConsistency::Serial,
        }
    }
}

/// A session. Reads and writes are by quorum; the driver repeats only what is idempotent.
#[derive(Debug)]
pub(crate) struct Connection {
    session: Session,
    serial: SerialConsistency,
}

impl Connection {
    /// Connects without choosing a keyspace.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Error> {
        Self::connect(settings, builder(settings)).await
    }

    async fn connect(settings: &Settings, builder: SessionBuilder) -> Result<Self, Error> {
        let unreachable = |source| Error::Reach {
            nodes: settings.nodes(),
            source,
        };
        let built = timeout(OPEN_WITHIN, builder.build()).await;
        let session = built
            .map_err(|elapsed| unreachable(elapsed.into()))?
            .map_err(|error| {
                if is_refused_sign_in(&error) {
                    let who = settings.credentials.as_ref();
                    return Error::SignIn {
                        nodes: settings.nodes(),
                        role: who.map(|who| who.role.clone()).unwrap_or_default(),
                        origin: who.map(|who| who.password.origin()).unwrap_or_default(),
                        source: error.into(),
                    };
                }
                unreachable(error.into())
            })?;
        Ok(Self {
            session,
            serial: settings.serial(),
        })
    }

    /// Connects and works in `keyspace` from then on; `None` if there is no such keyspace.
    pub(crate) async fn open_in(
        settings: &Settings,
        keyspace: &Keyspace,
    ) -> Result<Option<Self>, Error> {
        // Of a cluster with a thousand keyspaces only this one is of interest.
        let builder = builder(settings).keyspaces_to_fetch([keyspace.as_str()]);
        let connection = Self::connect(settings, builder).await?;
        let chosen = connection.session.use_keyspace(keyspace.as_str(), false);
        match timeout(OPEN_WITHIN, chosen).await {
            Ok(Ok(())) => Ok(Some(connection)),
            Ok(Err(error)) if is_no_keyspace(&error) => Ok(None),
            Ok(Err(error)) => Err(Error::Reach {
                nodes: settings.nodes(),
                source: error.into(),
            }),
            Err(elapsed) => Err(Error::Reach {
                nodes: settings.nodes(),
                source: elapsed.into(),
            }),
        }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Runs a statement that makes, changes or drops something and is harmless twice, and waits until
    /// all nodes agree.
    pub(crate) async fn define(&self, statement: &str) -> Result<(), Failure> {
        let mut statement = Statement::new(statement);
        statement.set_request_timeout(Some(DEFINE_WITHIN));
        let mut pauses = Pauses::of(FIRST_PAUSE_AT_BEGIN);
        loop {
            let answer = self.session.query_unpaged(statement.clone(), ()).await;
            let ended = answer.map(drop).map_err(Failure::from);
            if !pauses.another(&ended).await {
                return ended;
            }
        }
    }

    /// Prepares a read or a write by quorum that is harmless twice.
    pub(crate) async fn prepare(&self, statement: &str) -> Result<PreparedStatement, Failure> {
        let mut pauses = Pauses::of(FIRST_PAUSE_AT_BEGIN);
        loop {
            let prepared = self.session.prepare(statement).await;
            let ended = prepared.map_err(|error| Failure::from(ExecutionError::from(error)));
            if !pauses.another(&ended).await {
                let mut prepared = ended?;
                prepared.set_is_idempotent(true);
                return Ok(prepared);
            }
        }
    }

    /// Prepares a read that sees every lightweight transaction that has ended, also one whose
    /// writer was told nothing.
    pub(crate) async fn prepare_serial(
        &self,
        statement: &str,
    ) -> Result<PreparedStatement, Failure> {
        let mut prepared = self.prepare(statement).await?;
        prepared.set_consistency(match self.serial {
            SerialConsistency::Serial => Consistency::Serial,
            SerialConsistency::LocalSerial => Consistency::LocalSerial,
        });
        Ok(prepared)
    }

    /// Prepares a lightweight transaction, which the driver never repeats.
    pub(crate) async fn prepare_conditional(
        &self,
        statement: &str,
    ) -> Result<PreparedStatement, Failure> {
        let mut prepared = self.prepare(statement).await?;
        prepared.set_is_idempotent(false);
        Ok(prepared)
    }

    /// Writes by quorum, again if it must be.
    pub(crate) async fn write(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<(), Failure> {
        self.execute(statement, &values).await.map(drop)
    }

    /// Runs a lightweight transaction once. After a failure it may have taken effect.
    pub(crate) async fn conditional(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Outcome, Failure> {
        let answer = self.session.execute_unpaged(statement, values).await?;
        Outcome::read(answer)
    }

    /// Runs a lightweight transaction that is harmless twice, again if it must be. So its outcome
    /// may be a refusal by an earlier attempt of its own.
    pub(crate) async fn conditional_again(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<Outcome, Failure> {
        Outcome::read(self.execute(statement, &values).await?)
    }

    /// As [`conditional`](Self::conditional), with writes that happen if the condition holds.
    pub(crate) async fn conditional_batch(
        &self,
        batch: &Batch,
        values: Vec<Vec<CqlValue>>,
    ) -> Result<Outcome, Failure> {
        Outcome::read(self.session.batch(batch, values).await?)
    }

    /// As [`conditional_again`](Self::conditional_again), with writes that happen if the condition
    /// holds.
    pub(crate) async fn conditional_batch_again(
        &self,
        batch: &Batch,
        values: Vec<Vec<CqlValue>>,
    ) -> Result<Outcome, Failure> {
        let mut pauses = Pauses::new();
        loop {
            let answer = self.session.batch(batch, &values).await;
            let ended = answer.map_err(Failure::from);
            if !pauses.another(&ended).await {
                return Outcome::read(ended?);
            }
        }
    }

    /// The first row, where there is one. For reads of a few rows.
    pub(crate) async fn first<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow + Sync,
    ) -> Result<Option<R>, Failure>
    where
        R: for<'f, 'm> DeserializeRow<'f, 'm>,
    {
        let answer = self.execute(statement, &values).await?;
        let rows = answer.into_rows_result().map_err(Failure::read_answer)?;
        rows.maybe_first_row().map_err(Failure::read_answer)
    }

    async fn execute<V: SerializeRow + Sync>(
        &self,
        statement: &PreparedStatement,
        values: &V,
    ) -> Result<QueryResult, Failure> {
        let mut pauses = Pauses::new();
        loop {
            let answer = self.session.execute_unpaged(statement, values).await;
            let ended = answer.map_err(Failure::from);
            if !pauses.another(&ended).await {
                return ended;
            }
        }
    }

    /// All rows, fetched page by page.
    pub(crate) async fn all<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Vec<R>, Failure>
    where
        R: for<'f, 'm> DeserializeRow<'f, 'm>,
    {
        let rows = self.session.execute_iter(statement.clone(), values).await;
        let rows = rows.map_err(Failure::read_answer)?;
        let rows = rows.rows_stream().map_err(Failure::read_answer)?;
        rows.try_collect().await.map_err(Failure::read_answer)
    }
}

fn builder(settings: &Settings) -> SessionBuilder {
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = &settings.local_datacenter {
        policy = policy.prefer_datacenter(datacenter.to_string());
    }
    let profile = ExecutionProfile::builder()
        .consistency(settings.consistency())
        .serial_consistency(Some(settings.serial()))
        .request_timeout(Some(ANSWER_WITHIN))
        .load_balancing_policy(policy.build())
        .build();
    let nodes = settings.contact_points.iter().map(ToString::to_string);
    let mut builder = SessionBuilder::new()
        .known_nodes(nodes)
        .connection_timeout(CONNECT_WITHIN)
        .pool_size(PoolSize::PerShard(NonZeroUsize::MIN))
        .fetch_full_schema_metadata(false)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(who) = &settings.credentials {
        builder = builder.authenticator_provider(Arc::new(SignIn::new(who.clone())));
    }
    if let Some(authorities) = &settings.authorities {
        builder = builder.tls_context(Some(authorities.config()));
    }
    builder
}
