//! `cargo xtask cluster up|down`: the cluster of the tests, kept for a developer's hands.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::packages;

pub(crate) mod gateway;
pub(crate) mod nodes;
pub(crate) mod product;
pub(crate) mod programs;
pub(crate) mod progress;

use nodes::Nodes;
use progress::step;

/// Needs root, but for `up --kubeconfig`.
#[derive(Args)]
pub(crate) struct Cluster {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Starts two nodes, installs the operator by its chart, applies one server, prints its URL.
    /// A cluster that already runs is kept: images and charts are brought up to date.
    Up(Up),
    /// Ends the cluster and removes every trace of it.
    Down,
}

#[derive(Args)]
struct Up {
    /// Uses an existing cluster (kind, k3d, a real one) in place of two nodes of our own.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Where the images come from with --kubeconfig: a registry that the cluster can pull from.
    #[arg(long, requires = "kubeconfig")]
    registry: Option<String>,
    /// The first server's hostname.
    #[arg(long, default_value = "chat.gryt.test")]
    hostname: String,
}

pub(crate) fn run(cluster: &Cluster) -> Result<()> {
    match &cluster.task {
        Task::Up(up) => match &up.kubeconfig {
            Some(kubeconfig) => {
                product::install_on(kubeconfig, up.registry.as_deref(), &up.hostname)
            }
            None => start(&up.hostname),
        },
        Task::Down => {
            anyhow::ensure!(packages::is_root(), "ending the nodes needs root");
            step("end the cluster", || Nodes::developers()?.down())
        }
    }
}

fn start(hostname: &str) -> Result<()> {
    anyhow::ensure!(
        packages::is_root(),
        "nodes are namespaces of this machine, which only root may make: sudo -E env \"PATH=$PATH\" cargo xtask cluster up"
    );
    let nodes = Nodes::developers()?;
    let images = nodes.prepare()?;
    let ran = nodes.serve();
    if ran {
        println!("the cluster runs already");
        step("load images", || nodes.load(&images.product))?;
    } else {
        step("start the nodes", || nodes.up(&images))?;
    }
    step("gateway", || gateway::install(&nodes))?;
    product::install(&nodes, hostname)?;
    if ran {
        product::restart(&nodes)?;
    }
    product::print_the_way_in(&nodes, hostname);
    Ok(())
}
