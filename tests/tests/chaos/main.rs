//! Breaks one part after the other of a server with several processes, under a steady load of
//! scripted clients, and checks what the server promised. Run by `cargo xtask chaos`.

#![expect(
    clippy::print_stdout,
    reason = "a program of the terminal: it prints what happens"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use tokio::signal::unix::{SignalKind, signal};

mod crowd;
mod fault;
mod person;
mod progress;
mod report;
mod round;
mod visit;
mod world;

use crowd::{Crowd, Size};
use fault::Fault;
use progress::Progress;
use round::{Outcome, Pause};
use world::{Programs, World};

#[derive(Parser)]
struct Config {
    /// The program gryt-signaling.
    #[arg(long)]
    signaling: PathBuf,
    /// The program gryt-sfu.
    #[arg(long)]
    sfu: PathBuf,
    /// Folder in which the logs of a failed run stay.
    #[arg(long)]
    logs: PathBuf,
    /// How often everything is broken.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Parts that pause do so for 60 s, not 12.
    #[arg(long)]
    full: bool,
    /// Breaks these alone.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Clients that write.
    #[arg(long, default_value_t = 200)]
    clients: u32,
    /// How many of them talk, two to a room.
    #[arg(long, default_value_t = 8)]
    callers: u32,
    /// Messages per second of all of them together.
    #[arg(long, default_value_t = 25.0)]
    rate: f64,
    /// Of everything that clients do by chance. Left out: another one each time.
    #[arg(long)]
    seed: Option<u64>,
}

/// Longer than any lease in Redis and any call to a back end waits.
const PAUSE: Pause = Pause(Duration::from_secs(12));
const LONG_PAUSE: Pause = Pause(Duration::from_secs(60));
/// More of one round's failures are no news.
const MOST_FAILURES: usize = 12;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    let config = Config::parse();
    // Where this is built together with what compiles a second one in, none would be chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = match config.seed {
        Some(seed) => seed,
        None => u64::from(OsRng.try_next_u32()?),
    };
    let logs = config.logs.join(format!("seed-{seed}"));
    std::fs::create_dir_all(&logs).context("make the folder of the logs")?;
    let broken = tokio::select! {
        broken = run(&config, seed, &logs) => broken,
        // So that all that was started ends.
        told = told_to_end() => told.and(Err(anyhow!("told to end"))),
    };
    let failed = match &broken {
        Ok(outcomes) => {
            println!("\n{}\n", report::table(outcomes));
            outcomes
                .iter()
                .filter(|outcome| !outcome.failures.is_empty())
                .count()
        }
        Err(error) => {
            println!("FAILED outside a round: {error:#}");
            1
        }
    };
    let passed = broken.map_or(0, |outcomes| outcomes.len() - failed);
    if failed == 0 {
        std::fs::remove_dir_all(&logs).context("remove the logs")?;
    } else {
        println!("seed {seed}; the logs are in {}", logs.display());
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    Ok(ExitCode::from(u8::from(failed > 0)))
}

async fn told_to_end() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

async fn run(config: &Config, seed: u64, logs: &std::path::Path) -> Result<Vec<Outcome>> {
    let progress = Progress::begin();
    progress.say(&format!(
        "seed {seed}; starting the back ends and the server's processes"
    ));
    let programs = Programs {
        signaling: config.signaling.clone(),
        sfu: config.sfu.clone(),
    };
    let mut world = World::start(&programs, logs).await?;
    progress.say(&format!("{} clients sign in", config.clients));
    let size = Size {
        writers: config.clients,
        callers: config.callers,
        rate: config.rate,
    };
    let mut crowd = Crowd::enter(&world, size, seed).await?;
    let pause = if config.full { LONG_PAUSE } else { PAUSE };
    let faults = match &config.only[..] {
        [] => &Fault::ALL[..],
        only => only,
    };
    let mut outcomes = Vec::new();
    for number in 1..=config.rounds {
        for fault in faults {
            progress.say(&format!(
                "round {number} of {}: {}",
                config.rounds,
                fault.name()
            ));
            let outcome = round::run(*fault, pause, &mut world, &mut crowd, progress).await;
            let outcome = outcome.with_context(|| format!("in {}", fault.name()))?;
            for failure in outcome.failures.iter().take(MOST_FAILURES) {
                println!("        FAILED: {failure}");
            }
            if outcome.failures.len() > MOST_FAILURES {
                println!(
                    "        and {} more",
                    outcome.failures.len() - MOST_FAILURES
                );
            }
            outcomes.push(outcome);
        }
    }
    progress.say("done");
    Ok(outcomes)
}
