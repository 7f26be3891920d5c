//! Back ends that several processes share: Redis for events and presence, a CQL database for data.

use std::sync::Arc;
use std::time::Duration;

use gryt_bus::redis::{RedisBus, start_presence};
use gryt_bus::{Presence, Quotas};
use gryt_model::ServerId;
use gryt_store::{CqlStore, Store};

use super::{Foundation, FoundationError, bus_in_folder, first_open, store_in_folder};
use crate::cli::{BackEndError, Cql, Redis};
use crate::data_dir::DataDir;
use crate::entropy;
use crate::foundation::Naming;
use crate::refusal::chain;

/// The back ends of a server; what is left out is in its folder.
#[derive(Debug, Clone)]
pub struct BackEnds {
    /// Events and presence.
    pub redis: Redis,
    /// Messages and members.
    pub cql: Cql,
}

/// Between two attempts to use a database that cannot be used; each is twice as long as the one
/// before, and half of it is chance, so that replicas do not come all at once.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// What lasts is said again after so many attempts, every two minutes or so; what is new at once.
const SAID_EVERY: u32 = 10;

impl BackEnds {
    /// Whether the folder keeps anything of data and events.
    #[must_use]
    pub fn need_folder(&self) -> bool {
        self.redis.redis_url.is_none() || self.cql.cql_contact_points.is_empty()
    }

    /// Whether they are described so that they could be used.
    ///
    /// # Errors
    /// A value or a file that is of no use.
    pub fn check(&self, server: &ServerId) -> Result<(), BackEndError> {
        self.redis.place(server)?;
        self.cql.place(server)?;
        Ok(())
    }

    /// Opens the back ends that are named, and the files in the folder for what is not. Waits for a
    /// database for as long as it takes. Redis is not waited for: the bus and presence do that.
    ///
    /// # Errors
    /// A file that cannot be used, or a value that never will be.
    pub async fn open(
        &self,
        data: &DataDir,
        server: &ServerId,
        name: &str,
    ) -> anyhow::Result<Foundation> {
        let naming = Naming::Given(server.clone(), name.to_owned());
        let store: Arc<dyn Store> = if self.cql.cql_contact_points.is_empty() {
            Arc::new(store_in_folder(data, &naming).await?)
        } else {
            Arc::new(self.store(server, name).await)
        };
        let Some(redis) = self.redis.place(server)? else {
            return Ok(Foundation {
                store,
                bus: Arc::new(bus_in_folder(data)?),
                presence: Presence::local(),
                quotas: Quotas::local(),
            });
        };
        let (presence, quotas) = start_presence(redis.clone(), server, entropy::seed());
        Ok(Foundation {
            store,
            bus: Arc::new(RedisBus::start(redis, server, entropy::seed())),
            presence,
            quotas,
        })
    }

    async fn store(&self, server: &ServerId, name: &str) -> CqlStore {
        let mut attempts: u32 = 0;
        let mut said = String::new();
        loop {
            // On the heap: the driver's futures are large.
            let error = match Box::pin(self.try_store(server, name)).await {
                Ok(store) => {
                    tracing::info!(attempts, "the database is open");
                    return store;
                }
                Err(error) => error,
            };
            let error = chain(&error);
            if attempts.is_multiple_of(SAID_EVERY) || error != said {
                tracing::error!(error, "the database cannot be used, trying again");
                said = error;
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << attempts.min(10));
            let chance = 0.5 + entropy::fraction() / 2.0;
            tokio::time::sleep(pause.min(LONGEST_PAUSE).mul_f64(chance)).await;
            attempts = attempts.saturating_add(1);
        }
    }

    /// With secrets as they are now: they may be renewed meanwhile.
    async fn try_store(&self, server: &ServerId, name: &str) -> Result<CqlStore, Unusable> {
        let settings = self.cql.place(server).map_err(Unusable::Described)?;
        let settings = settings.ok_or(Unusable::None)?;
        let first = first_open(server.clone(), name).map_err(Unusable::First)?;
        let mut store = CqlStore::open(&settings, &self.cql.isolation(), first)
            .await
            .map_err(Unusable::Open)?;
        store.rename_server(name).await.map_err(Unusable::Rename)?;
        Ok(store)
    }
}

/// Why a database is not used this time.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("read how the database is reached")]
    Described(#[source] BackEndError),
    #[error("no database is named")]
    None,
    #[error("describe the server")]
    First(#[source] FoundationError),
    #[error("open the database")]
    Open(#[source] gryt_store::cql::Error),
    #[error("name the server")]
    Rename(#[source] gryt_store::Error),
}
