//! `cargo xtask up`: from a clone to a running Gryt.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
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
    let binary = binary();
    let mut gryt = Command::new(&binary);
    gryt.args(&up.args);
    if up.args.iter().any(|arg| arg == "--help" || arg == "-h") {
        // What the usage line shows is what was typed.
        gryt.arg0("cargo xtask up");
    }
    // Replaces this process, so that Ctrl-C and the exit code are gryt's own.
    let error = gryt.exec();
    Err(error).with_context(|| format!("start \"{}\"", binary.display()))
}

/// Builds the web client, then the binary that carries it.
///
/// # Errors
/// When one of the builds fails.
pub(crate) fn build() -> Result<()> {
    eprintln!("1/3 Installing what the web client is built from");
    web::install().context("install the web client's packages")?;
    eprintln!("2/3 Building the web client");
    web::build().context("build the web client")?;
    let patience = match binary().is_file() {
        true => "",
        false => " (the first time: about 6 min on 2 cores)",
    };
    eprintln!("3/3 Compiling the server{patience}");
    command::run(cargo(&["build", "--release", "-p", "gryt"])).context("build the gryt binary")
}

fn binary() -> PathBuf {
    cache::target().join("release/gryt")
}
