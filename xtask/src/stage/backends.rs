//! The adapters against real back ends, which the tests start and end themselves, with faults
//! between them by toxiproxy; sign-in at a real Keycloak, and several processes of one server on
//! Redis and a CQL database. Apache Cassandra stands in for ScyllaDB, which no package registry
//! carries.

use anyhow::Result;

use crate::packages::back_ends::BackEnds;
use crate::stage::Steps;
use crate::workspace;

/// What the unit stage leaves out, of all crates.
const ADAPTERS: [&str; 6] = [
    "--test",
    "it",
    "--",
    "--ignored",
    // The child of another test.
    "--skip=child_writes_until_killed",
    // Each test starts servers of its own: on two cores more would be in each other's way, and
    // timeouts are part of what is tested.
    "--test-threads=2",
];
const REPLICAS: [&str; 4] = [
    "--test",
    "replicas",
    "--",
    // Each starts processes, kills some and looks at the clock.
    "--test-threads=1",
];

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let back_ends = BackEnds::ensure()?;
    steps.tests("adapters", back_ends.told_to(workspace::test(&ADAPTERS)));
    steps.tests("replicas", back_ends.told_to(workspace::test(&REPLICAS)));
    Ok(())
}
