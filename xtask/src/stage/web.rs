//! The web client's own tests and build.

use anyhow::Result;

use crate::stage::Steps;
use crate::web::{self, npm};

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    web::install()?;
    steps.tests("vitest", npm(&["test", "--silent"]));
    steps.program("build", npm(&["run", "build", "--silent"]));
    Ok(())
}
