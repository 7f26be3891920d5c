//! Every crate's own tests, and those of the crates together that need nothing beside them.

use anyhow::Result;

use crate::stage::Steps;
use crate::workspace;

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    steps.tests("cargo test", workspace::test(&[]));
    Ok(())
}
