//! `cargo xtask up`: from a clone to a running Gryt.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::cache;
use crate::command::{self, cargo};
use crate::web;

/// Everything after `up` goes to the `gryt` binary; `cargo xtask up --help` shows its flags.
#[derive(Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Up {
    /// Flags of `gryt`: --port, --media-port, --data-dir, --bind, --lan, …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(up: &Up) -> Result<()> {
    build()?;
    let binary = cache::target().join("release/gryt");
    // Replaces this process, so that Ctrl-C and the exit code are gryt's own.
    let error = Command::new(&binary).args(&up.args).exec();
    Err(error).with_context(|| format!("start \"{}\"", binary.display()))
}

/// Builds the web client, then the binary that carries it.
///
/// # Errors
/// When one of the builds fails.
pub(crate) fn build() -> Result<()> {
    web::build().context("build the web client")?;
    command::run(cargo(&["build", "--release", "-p", "gryt"])).context("build the gryt binary")
}
