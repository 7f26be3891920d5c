//! The product on a real Kubernetes of two nodes. One cluster for the whole run, a namespace for
//! each test.

#[cfg(test)]
mod belongings;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod control_plane;
#[cfg(test)]
mod deletions;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod exposure;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod people;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod quiet;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rivals;
#[cfg(test)]
mod rollouts;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod server;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod slots;
#[cfg(test)]
mod upgrades;

use anyhow::Result;
use gryt_tests::cluster::Cluster;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

fn cluster() -> Result<Cluster> {
    Cluster::from_environment()
}

/// There is one operator: a test that measures it, or that takes it away, has it for itself.
static OPERATOR: RwLock<()> = RwLock::const_new(());

/// For a test that shares the operator.
async fn among_others() -> RwLockReadGuard<'static, ()> {
    OPERATOR.read().await
}

/// For a test that needs the operator for itself.
async fn alone() -> RwLockWriteGuard<'static, ()> {
    OPERATOR.write().await
}
