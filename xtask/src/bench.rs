//! `cargo xtask bench NAME`: figures, never part of pass or fail.

use std::process::Stdio;

use anyhow::{Result, bail};
use clap::Args;

use crate::cache;
use crate::command;
use crate::netns::Namespace;
use crate::packages;
use crate::{up, web};

/// Each bench needs root, for the network that it runs in.
#[derive(Args)]
pub(crate) struct Bench {
    /// click-to-sound: from the click on a voice channel to the first audible sample.
    name: String,
    /// Prints the JSON line alone on standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    if bench.name != "click-to-sound" {
        bail!(
            "there is no bench \"{}\"; there is click-to-sound",
            bench.name
        );
    }
    packages::ensure(&packages::BROWSER)?;
    up::build()?;
    web::install_in("tests/browser")?;
    let namespace = Namespace::open()?;
    let mut node = namespace.command("node", &["tests/browser/click-to-sound.mjs"]);
    node.env("CARGO_TARGET_DIR", cache::target())
        .stderr(Stdio::inherit());
    let printed = command::output(node)?;
    let shown = match bench.json {
        true => printed.lines().last().unwrap_or_default(),
        false => printed.trim_end(),
    };
    println!("{shown}");
    Ok(())
}
