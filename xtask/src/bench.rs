//! `cargo xtask bench NAME`: figures, never part of pass or fail.

use anyhow::Result;
use clap::{Args, Subcommand};

mod click_to_sound;
mod operator;

/// Each bench needs root: for the network that it runs in, or for the API server's.
#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    name: Name,
}

#[derive(Subcommand)]
enum Name {
    /// From the click on a voice channel to the first audible sample.
    ClickToSound(click_to_sound::ClickToSound),
    /// Writes, processor time, memory and rate of the operator with many servers, against an API
    /// server without nodes.
    Operator(operator::Operator),
}

pub(crate) fn run(bench: &Bench) -> Result<()> {
    match &bench.name {
        Name::ClickToSound(bench) => click_to_sound::run(bench),
        Name::Operator(bench) => operator::run(bench),
    }
}
