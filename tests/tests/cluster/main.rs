//! The product on a real Kubernetes of two nodes. One cluster for the whole run, a namespace for
//! each test.

mod belongings;
mod certificates;
mod control_plane;
mod deletions;
mod drain;
mod exposure;
mod interrupted;
mod inventory;
mod isolation;
mod people;
mod platform;
mod quiet;
mod refusals;
mod rivals;
mod rollouts;
mod rules;
mod server;
mod servers;
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
