//! The developer's commands, thin: each module is one command or one part that several share.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a terminal program: it prints, reads the environment and the clock, and ends with a code"
)]

use clap::{Parser, Subcommand};

mod bench;
mod cache;
mod chaos;
mod cluster;
mod command;
mod count;
mod dependency_rules;
mod image;
mod images;
mod netns;
mod packages;
mod release;
mod screenshots;
mod stage;
mod test;
mod up;
mod web;
mod workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The developer's commands of Gryt.")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds what is missing, starts Gryt and prints its URL.
    Up(up::Up),
    /// A throwaway Kubernetes with the operator and a first server, for a developer's hands.
    Cluster(cluster::Cluster),
    /// Runs all tests, or the named stages.
    Test(test::Test),
    /// Breaks the parts of a server with several processes under load, and checks what it promised.
    Chaos(chaos::Chaos),
    /// Measures the running product; `--json` prints one line of JSON.
    Bench(bench::Bench),
    /// Takes the pictures of docs/images from the running product.
    Screenshots(screenshots::Screenshots),
}

fn main() {
    let ended = match Cli::parse().task {
        Task::Up(up) => up::run(&up),
        Task::Cluster(cluster) => cluster::run(&cluster),
        Task::Test(test) => test::run(&test),
        Task::Chaos(chaos) => chaos::run(&chaos),
        Task::Bench(bench) => bench::run(&bench),
        Task::Screenshots(screenshots) => screenshots::run(&screenshots),
    };
    if let Err(error) = ended {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}
