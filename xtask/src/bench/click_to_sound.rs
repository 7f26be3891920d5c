//! From the click on a voice channel to the first audible sample, in a real browser.

use std::process::Stdio;

use anyhow::Result;
use clap::Args;

use crate::cache;
use crate::command;
use crate::netns::Namespace;
use crate::packages;
use crate::{up, web};

#[derive(Args)]
pub(super) struct ClickToSound {
    /// Prints the JSON line alone on standard output.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(bench: &ClickToSound) -> Result<()> {
    packages::ensure(&packages::BROWSER)?;
    up::build()?;
    web::install_in("tests/browser")?;
    let namespace = Namespace::open()?;
    let mut node = command::command("node", &["tests/browser/click-to-sound.mjs"]);
    node.env("CARGO_TARGET_DIR", cache::target());
    let mut node = namespace.inside(&node);
    node.stderr(Stdio::inherit());
    let printed = command::output(node)?;
    let shown = match bench.json {
        true => printed.lines().last().unwrap_or_default(),
        false => printed.trim_end(),
    };
    println!("{shown}");
    Ok(())
}
