//! One round of everything that can break, under load, with the checker's own tests before it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::command::cargo;
use crate::packages::{self, cassandra};
use crate::stage::Steps;

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let checker = ["test", "--package", "gryt-tests", "--lib", "--locked"];
    steps.tests("checker", cargo(&[&checker[..], &["evidence"]].concat()));
    let built = builds()
        .into_iter()
        .all(|build| steps.program("build", build));
    if built {
        steps.tests("rounds", rounds(&[])?);
    }
    Ok(())
}

/// Makes the programs that are broken, each alone as the scripted clients do, too.
pub(crate) fn builds() -> [Command; 2] {
    ["gryt-signaling", "gryt-sfu"]
        .map(|name| cargo(&["build", "--package", name, "--bin", name, "--locked"]))
}

/// Runs the rounds once the programs are made. `more`: further arguments.
///
/// # Errors
/// When a back end is missing and can't be installed by us.
pub(crate) fn rounds(more: &[String]) -> Result<Command> {
    packages::ensure(&packages::REDIS)?;
    let cassandra = cassandra::ensure()?;
    // The folder of a test is its crate's.
    let target: PathBuf = std::path::absolute(cache::target())?;
    let programs = target.join("debug");
    let mut chaos = cargo(&["test", "--package", "gryt-tests", "--test", "chaos"]);
    chaos
        .args(["--locked", "--", "--signaling"])
        .arg(programs.join("gryt-signaling"))
        .arg("--sfu")
        .arg(programs.join("gryt-sfu"))
        .arg("--logs")
        .arg(target.join("chaos"))
        .args(more)
        .env("GRYT_TEST_CASSANDRA_JARS", cassandra.jars)
        .env("GRYT_TEST_JAVA_17", cassandra.java);
    Ok(chaos)
}
