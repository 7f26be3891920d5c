//! One round of everything that can break, under load. The checker's own tests are the unit stage's.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::packages::back_ends::BackEnds;
use crate::stage::Steps;
use crate::workspace;

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    if steps.program("build what is broken", workspace::test(&["--no-run"])) {
        steps.tests("rounds", rounds(&[])?);
    }
    Ok(())
}

/// Runs the rounds once the programs are made. `more`: further arguments.
///
/// # Errors
/// When a back end is missing and can't be installed by us.
pub(crate) fn rounds(more: &[String]) -> Result<Command> {
    let back_ends = BackEnds::ensure()?;
    // The folder of a test is its crate's.
    let target: PathBuf = std::path::absolute(cache::target())?;
    let program = |name| std::path::absolute(workspace::program(name));
    let mut chaos = workspace::test(&["--test", "chaos", "--", "--signaling"]);
    chaos
        .arg(program("gryt-signaling")?)
        .arg("--sfu")
        .arg(program("gryt-sfu")?)
        .arg("--logs")
        .arg(target.join("chaos"))
        .args(more);
    Ok(back_ends.told_to(chaos))
}
