//! Release builds that stand alone: linked statically, so that an image needs nothing but them.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache;
use crate::command::{cargo, command, output, run};

/// Builds the packages' programs in one run of cargo, so that what they share is compiled once.
/// Gives back the folder of the programs.
///
/// # Errors
/// When the build fails.
pub(crate) fn build(packages: &[&str]) -> Result<PathBuf> {
    let host = host_triple()?;
    let mut build = cargo(&[
        "build",
        "--release",
        "--locked",
        "--bins",
        "--target",
        &host,
    ]);
    for package in packages {
        build.args(["--package", package]);
    }
    // With the target named, the flag is for the programs alone and not for build scripts.
    build.env("RUSTFLAGS", "-Ctarget-feature=+crt-static");
    run(build)?;
    Ok(cache::target().join(host).join("release"))
}

/// The target that rustc builds for here.
///
/// # Errors
/// When rustc is missing.
pub(crate) fn host_triple() -> Result<String> {
    let version = output(command("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("rustc does not name its host")
}
