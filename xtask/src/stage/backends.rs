//! The adapters against real back ends, which the tests start and end themselves, with faults
//! between them by toxiproxy; then sign-in at a real Keycloak, and several processes of one server on
//! Redis and a CQL database. Apache Cassandra stands in for ScyllaDB, which no package registry
//! carries.

use std::process::Command;

use anyhow::Result;

use crate::command::cargo;
use crate::packages::{self, cassandra, keycloak, seaweedfs, toxiproxy};
use crate::stage::Steps;

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    bus(steps)?;
    blobs(steps)?;
    store(steps)?;
    sign_in(steps)?;
    replicas(steps)
}

fn bus(steps: &mut Steps) -> Result<()> {
    packages::ensure(&packages::REDIS)?;
    let toxiproxy = toxiproxy::ensure()?;
    let mut bus = cargo(&[
        "test",
        "--package",
        "gryt-bus",
        "--features",
        "redis",
        "--locked",
        "--no-fail-fast",
        "--",
        "--include-ignored",
        // Each test starts servers of its own: on two cores more would be in each other's way, and
        // timeouts are part of what is tested.
        "--test-threads=2",
    ]);
    bus.env("GRYT_TOXIPROXY", toxiproxy);
    steps.tests("bus on Redis", bus);
    Ok(())
}

fn blobs(steps: &mut Steps) -> Result<()> {
    let (seaweedfs, toxiproxy) = (seaweedfs::ensure()?, toxiproxy::ensure()?);
    let mut blobs = cargo(&[
        "test",
        "--package",
        "gryt-blobs",
        "--features",
        "s3",
        "--locked",
        "--no-fail-fast",
        "--",
        "--include-ignored",
        // Timeouts are part of what is tested.
        "--test-threads=2",
    ]);
    blobs
        .env("GRYT_SEAWEEDFS", &seaweedfs)
        .env("GRYT_TOXIPROXY", toxiproxy);
    steps.tests("blobs on SeaweedFS", blobs);
    let mut messages = signaling("s3_files::");
    messages.env("GRYT_SEAWEEDFS", seaweedfs);
    steps.tests("files of messages on SeaweedFS", messages);
    Ok(())
}

fn store(steps: &mut Steps) -> Result<()> {
    let cassandra = cassandra::ensure()?;
    let mut store = cargo(&[
        "test",
        "--package",
        "gryt-store",
        "--features",
        "cql",
        "--locked",
        "--no-fail-fast",
        "--",
        "--include-ignored",
        // The child of another test.
        "--skip",
        "child_writes_until_killed",
    ]);
    store
        .env("GRYT_TEST_CASSANDRA_JARS", cassandra.jars)
        .env("GRYT_TEST_JAVA_17", cassandra.java);
    steps.tests("store on Cassandra", store);
    Ok(())
}

fn sign_in(steps: &mut Steps) -> Result<()> {
    let keycloak = keycloak::ensure()?;
    let mut sign_in = signaling("keycloak::");
    sign_in
        .env("GRYT_TEST_KEYCLOAK", keycloak.home)
        .env("GRYT_TEST_JAVA_17", keycloak.java);
    steps.tests("sign-in at Keycloak", sign_in);
    Ok(())
}

/// The tests of signaling that need a back end, those below a module.
fn signaling(module: &str) -> Command {
    cargo(&[
        "test",
        "--package",
        "gryt-signaling",
        "--test",
        "it",
        "--locked",
        "--no-fail-fast",
        "--",
        "--ignored",
        module,
    ])
}

fn replicas(steps: &mut Steps) -> Result<()> {
    let cassandra = cassandra::ensure()?;
    let mut replicas = cargo(&[
        "test",
        "--package",
        "gryt-signaling",
        "--test",
        "replicas",
        "--locked",
        "--no-fail-fast",
        "--",
        // Each starts processes, kills some and looks at the clock.
        "--test-threads=1",
    ]);
    replicas
        .env("GRYT_TEST_CASSANDRA_JARS", cassandra.jars)
        .env("GRYT_TEST_JAVA_17", cassandra.java);
    steps.tests("replicas on Redis and Cassandra", replicas);
    Ok(())
}
