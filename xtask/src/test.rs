//! `cargo xtask test`: the stages in order, each with its minutes, its counts and its budget.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::cache;
use crate::count::Count;
use crate::stage::{STAGES, Stage, Steps};

/// Without names, all stages.
#[derive(Args)]
pub(crate) struct Test {
    /// The stages to run, in the order of `--list`.
    stages: Vec<String>,
    /// Prints the stages and their minutes, and ends.
    #[arg(long)]
    list: bool,
}

const WHOLE_RUN: Duration = Duration::from_secs(75 * 60);

pub(crate) fn run(test: &Test) -> Result<()> {
    if test.list {
        for stage in &STAGES {
            println!(
                "{:8} {:2} min  {}",
                stage.name, stage.budget_min, stage.about
            );
        }
        println!(
            "The minutes are what a stage may take on 2 cores with nothing built or downloaded."
        );
        return Ok(());
    }
    let stages = chosen(&test.stages)?;
    let started = Instant::now();
    let mut steps = Steps::new(started + WHOLE_RUN);
    let mut total = Count::default();
    for stage in stages {
        total += run_stage(stage, &mut steps);
    }
    print_summary(&steps, started.elapsed());
    println!("{total}");
    if total.failed > 0 {
        bail!("{} failed", total.failed);
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Stage>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !STAGES.iter().any(|s| s.name == **name))
    {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        bail!(
            "there is no stage \"{unknown}\"; the stages are {}",
            known.join(", ")
        );
    }
    Ok(STAGES
        .iter()
        .filter(|s| names.is_empty() || names.iter().any(|n| n == s.name))
        .collect())
}

fn run_stage(stage: &'static Stage, steps: &mut Steps) -> Count {
    println!("\n== {} ({}) ==", stage.name, stage.about);
    if stage.needs_root && !crate::packages::is_root() && !cache::in_ci() {
        println!(
            "!!!! SKIPPED: the stage {} needs root: sudo -E cargo xtask test {} !!!!",
            stage.name, stage.name
        );
        return Count::SKIPPED;
    }
    let started = Instant::now();
    steps.begin(stage.name);
    if let Err(error) = (stage.run)(steps) {
        steps.fail(&format!("{error:#}"));
    }
    let count = steps.end();
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!(
        "-- {}: {minutes:.1} of {} min: {count}",
        stage.name, stage.budget_min
    );
    count
}

fn print_summary(steps: &Steps, took: Duration) {
    println!(
        "\n== {:.1} min in all; slowest steps ==",
        took.as_secs_f64() / 60.0
    );
    for (name, duration) in steps.slowest(5) {
        println!("{:6.1} min  {name}", duration.as_secs_f64() / 60.0);
    }
    for failure in steps.failures() {
        println!("FAILED  {failure}");
    }
}
