//! What every reconcile shares: the client, the caches and what is remembered between reconciles.
//! Nothing here outlives the process, and nothing that counts would be missed after a restart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt as _};
use tokio::sync::{Notify, watch};

use crate::claims::Claimants;
use crate::class::Defaults;
use crate::controller::prober::Prober;
use crate::controller::queue::Queue;
use crate::controller::rollouts::Rollouts;
use crate::crd::{GrytServer, GrytServerClass};
use crate::events::Events;
use crate::fetch::ServerKey;
use crate::fetch::live::LiveObjects;
use crate::fetch::named::NamedSecretsByName;
use crate::fetch::surroundings::Surroundings;
use crate::metrics::Metrics;
use crate::names::Namespace;

/// Shared by all reconciles of one term of leadership.
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The operator's own.
    pub(crate) namespace: Namespace,
    pub(crate) defaults: Defaults,
    pub(crate) servers: Store<GrytServer>,
    /// True once `servers` has all of them. `Store::wait_until_ready` wakes one waiter only.
    pub(crate) servers_listed: watch::Sender<bool>,
    pub(crate) classes: Store<GrytServerClass>,
    /// Follows `servers`.
    pub(crate) claimants: Mutex<Claimants>,
    pub(crate) live: LiveObjects,
    pub(crate) surroundings: Surroundings,
    pub(crate) named: NamedSecretsByName,
    pub(crate) metrics: Metrics,
    pub(crate) events: Events,
    pub(crate) queue: Queue,
    pub(crate) prober: Prober,
    pub(crate) rollouts: Rollouts,
    /// True once every cache has been filled. Before that, what is not seen may well exist.
    pub(crate) synced: watch::Receiver<bool>,
    /// Somebody should look for CAs without a server.
    pub(crate) sweep: Notify,
    pub(crate) memory: Mutex<HashMap<ServerKey, Memory>>,
}

/// What is remembered about one server between two reconciles. Forgotten with the server.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// As our last write returned it, until the cache has caught up.
    pub(crate) newest: Option<Arc<GrytServer>>,
    /// Reconciles that failed in a row.
    pub(crate) failures: u32,
    /// What the last reconcile that found or made everything as wanted went by.
    settled: Option<Settled>,
    /// It waits for something that its own spec or other servers decide.
    pub(crate) refused: bool,
}

/// As long as nothing of this changes, building and comparing again would end in the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Stands for what is wanted.
    pub(crate) wanted: u64,
    /// Stands for what is there.
    pub(crate) live: u64,
    /// When certificates are to be looked at again.
    pub(crate) due: SystemTime,
}

impl Context {
    /// When certificates are due, if everything is known to be as wanted until then.
    pub(crate) fn settled(
        &self,
        key: &ServerKey,
        wanted: u64,
        now: SystemTime,
    ) -> Option<SystemTime> {
        let live = self.live.settled(key)?;
        let settled = self.memory().get(key)?.settled?;
        let same = settled.wanted == wanted && settled.live == live && now < settled.due;
        same.then_some(settled.due)
    }

    /// Notes that everything is as wanted, if it still is.
    pub(crate) fn settle(&self, key: &ServerKey, wanted: u64, due: SystemTime) {
        let live = self.live.settled(key);
        let mut memory = self.memory();
        memory.entry(key.clone()).or_default().settled =
            live.map(|live| Settled { wanted, live, due });
    }

    /// The server as the cache has it or as we wrote it, whichever is newer.
    pub(crate) fn newest(&self, cached: &Arc<GrytServer>) -> Arc<GrytServer> {
        let mut memory = self.memory();
        let Some(memory) = memory.get_mut(&ServerKey::of(cached)) else {
            return Arc::clone(cached);
        };
        let ahead = memory.newest.take_if(|written| {
            written.uid() != cached.uid() || version(written) <= version(cached)
        });
        drop(ahead);
        memory
            .newest
            .as_ref()
            .map_or_else(|| Arc::clone(cached), Arc::clone)
    }

    /// Notes what a write of ours returned.
    pub(crate) fn wrote(&self, written: &Arc<GrytServer>) {
        let mut memory = self.memory();
        let memory = memory.entry(ServerKey::of(written)).or_default();
        memory.newest = Some(Arc::clone(written));
    }

    /// The cache has this version: what we remember of it is no longer needed.
    pub(crate) fn caught_up(&self, cached: &GrytServer) {
        if let Some(memory) = self.memory().get_mut(&ServerKey::of(cached)) {
            memory
                .newest
                .take_if(|written| version(written) <= version(cached));
        }
    }

    /// The server as the cache has it.
    pub(crate) fn server(&self, key: &ServerKey) -> Option<Arc<GrytServer>> {
        let named = ObjectRef::new(&key.name).within(&key.namespace);
        self.servers.get(&named)
    }

    /// Every server that may have to do with the claims of `server`.
    pub(crate) fn beside(&self, server: &GrytServer) -> Vec<Arc<GrytServer>> {
        let keys = self.claimants().beside(server);
        keys.iter().filter_map(|key| self.server(key)).collect()
    }

    pub(crate) fn claimants(&self) -> MutexGuard<'_, Claimants> {
        let claimants = self.claimants.lock();
        claimants.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the server with this UID exists, as far as the cache knows.
    pub(crate) fn holds(&self, key: &ServerKey, uid: &str) -> bool {
        self.server(key).is_some_and(|server| {
            server.metadata.uid.as_deref() == Some(uid)
                && server.metadata.deletion_timestamp.is_none()
        })
    }

    /// Counts a failure and returns how many there were in a row.
    pub(crate) fn failed(&self, key: &ServerKey) -> u32 {
        let mut memory = self.memory();
        let memory = memory.entry(key.clone()).or_default();
        memory.failures = memory.failures.saturating_add(1);
        memory.failures
    }

    /// How many reconciles of the server failed in a row.
    pub(crate) fn failures(&self, key: &ServerKey) -> u32 {
        self.memory().get(key).map_or(0, |memory| memory.failures)
    }

    /// Notes how a reconcile ended that did not fail.
    pub(crate) fn finished(&self, key: &ServerKey, refused: bool) {
        let mut all = self.memory();
        let memory = all.entry(key.clone()).or_default();
        memory.failures = 0;
        memory.refused = refused;
        let failing = all.values().filter(|memory| memory.failures > 0).count();
        drop(all);
        self.metrics.set_servers(self.servers.len(), failing);
    }

    /// The servers whose last reconcile ended in a refusal.
    pub(crate) fn refused(&self) -> BTreeSet<ServerKey> {
        let memory = self.memory();
        let refused = memory.iter().filter(|(_, memory)| memory.refused);
        refused.map(|(key, _)| key.clone()).collect()
    }

    /// Forgets a server that is gone.
    pub(crate) fn forget(&self, key: &ServerKey) {
        self.memory().remove(key);
        self.prober.aim(key, BTreeMap::new());
        self.rollouts.forget(key);
        self.sweep.notify_one();
    }

    /// Every server that the cache holds.
    pub(crate) fn all_servers(&self) -> Vec<ServerKey> {
        let servers = self.servers.state();
        servers.iter().map(|server| ServerKey::of(server)).collect()
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<ServerKey, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The resourceVersion as a number: it grows with every change.
fn version(server: &GrytServer) -> Option<u64> {
    server.resource_version()?.parse().ok()
}
