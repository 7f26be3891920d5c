//! The product on a real Kubernetes of two nodes. One cluster for the whole run, a namespace for
//! each test.

mod platform;

use anyhow::Result;
use gryt_tests::cluster::Cluster;

fn cluster() -> Result<Cluster> {
    Cluster::from_environment()
}
