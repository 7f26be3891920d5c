//! `cargo xtask chaos`: what the stage of the same name does, for as many rounds as wanted.

use anyhow::Result;
use clap::Args;

use crate::command;
use crate::stage::chaos;
use crate::workspace;

/// Without flags, one round of each fault as in the stage.
#[derive(Args)]
pub(crate) struct Chaos {
    /// How often everything is broken.
    #[arg(long)]
    rounds: Option<usize>,
    /// Parts that pause do so for 60 s, not 12.
    #[arg(long)]
    full: bool,
    /// Breaks these alone: signaling-killed, redis-killed, redis-emptied, redis-paused,
    /// database-paused, sfu-killed, issuer-gone.
    #[arg(long, value_name = "FAULTS")]
    only: Option<String>,
    /// Clients that write.
    #[arg(long)]
    clients: Option<u32>,
    /// Messages per second of all of them together.
    #[arg(long)]
    rate: Option<f64>,
    /// Repeats what clients did by chance in a run that printed this.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(chaos: &Chaos) -> Result<()> {
    let Chaos {
        rounds,
        full,
        only,
        clients,
        rate,
        seed,
    } = chaos;
    let mut more: Vec<String> = Vec::new();
    let mut add = |flag: &str, value: Option<String>| {
        more.extend(value.map(|value| format!("--{flag}={value}")));
    };
    add("rounds", rounds.map(|rounds| rounds.to_string()));
    add("only", only.clone());
    add("clients", clients.map(|clients| clients.to_string()));
    add("rate", rate.map(|rate| rate.to_string()));
    add("seed", seed.map(|seed| seed.to_string()));
    if *full {
        more.push("--full".to_owned());
    }
    command::run(workspace::test(&["--no-run"]))?;
    command::run(chaos::rounds(&more)?)
}
