//! What a reader would otherwise have to look for: formats, lints, docs, rules, licences.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::cluster::programs;
use crate::command::{self, cargo, command};
use crate::dependency_rules;
use crate::stage::Steps;
use crate::web::{self, npm};
use crate::workspace;

const DENY_VERSION: &str = "0.20.2";
const BUF_VERSION: &str = "1.75.0";
/// Adapters that are not compiled into every program.
const BACK_ENDS: &str = "gryt-blobs/s3,gryt-bus/redis,gryt-store/cql";

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    steps.program("rustfmt", cargo(&["fmt", "--all", "--check"]));
    steps.check("dependency rules", dependency_rules::check);
    web::install()?;
    steps.program("web lint", npm(&["run", "lint", "--silent"]));
    steps.program("typescript", npm(&["run", "typecheck", "--silent"]));
    let buf = buf()?;
    let buf = buf.to_string_lossy();
    steps.program("buf lint", command(&buf, &["lint", "proto"]));
    steps.program("clippy", clippy(&["--all-targets"]));
    steps.program("clippy, tests of other stages", clippy(&["--test", "*"]));
    steps.program("rustdoc", docs());
    let mut charts = workspace::test(&["--test", "charts"]);
    charts.env("GRYT_HELM", programs::helm()?);
    steps.tests("charts", charts);
    let deny = deny()?;
    let deny = deny.to_string_lossy();
    // Advisories come from a git repository that a build machine may not reach.
    steps.program(
        "cargo-deny",
        command(
            &deny,
            &["--workspace", "check", "bans", "licenses", "sources"],
        ),
    );
    Ok(())
}

/// What cargo calls all targets leaves out the tests that only their stage runs; these, asked for by
/// name, leave out everything else.
fn clippy(targets: &[&str]) -> Command {
    let mut clippy = cargo(&["clippy", "--workspace", "--features", BACK_ENDS, "--locked"]);
    clippy.args(targets).args(["--", "-D", "warnings"]);
    clippy
}

fn docs() -> Command {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked", "--quiet"]);
    doc.args(["--features", BACK_ENDS]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    doc
}

/// cargo-deny, built once into the cache.
fn deny() -> Result<PathBuf> {
    let home = cache::dir().join(format!("cargo-deny-{DENY_VERSION}"));
    let binary = home.join("bin/cargo-deny");
    if !binary.is_file() {
        let root = home.to_string_lossy().into_owned();
        let version = format!("cargo-deny@{DENY_VERSION}");
        // Unoptimised: it runs for a second, and an optimised build takes five minutes.
        command::run(cargo(&[
            "install", "--locked", "--debug", "--root", &root, &version,
        ]))?;
    }
    Ok(binary)
}

/// buf, from its Python wheel: npm's package downloads at install, the wheel carries the binary.
fn buf() -> Result<PathBuf> {
    let home = cache::dir().join(format!("buf-{BUF_VERSION}"));
    let binary = home.join("bin/buf");
    if !binary.is_file() {
        let target = home.to_string_lossy().into_owned();
        let wheel = format!("buf-bin=={BUF_VERSION}");
        command::run(command(
            "python3",
            &[
                "-m",
                "pip",
                "install",
                "--quiet",
                "--root-user-action=ignore",
                "--target",
                &target,
                &wheel,
            ],
        ))?;
    }
    Ok(binary)
}
