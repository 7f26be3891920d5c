//! `gryt-operator`: prints the CRDs, or turns GrytServer objects into running servers.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use clap::{Parser, Subcommand};
use gryt_operator::config::Config;
use gryt_operator::lease::{Candidate, Held};
use gryt_operator::metrics::Metrics;
use gryt_operator::{controller, crd, secrets};
use gryt_runtime::Readiness;
use kube::Client;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

/// Turns GrytServer objects into running servers.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Works until it is told to stop. Needs a kubeconfig, or a pod's service account.
    Run(Box<Config>),
    /// Prints the custom resource definitions as YAML.
    Crd,
}

// One thread: the API server is the limit long before one core is, and threads that wake each other
// for every answer cost more than they bring.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    gryt_runtime::install_crypto();
    match Cli::parse().command {
        Command::Run(config) => run(*config).await,
        Command::Crd => {
            let yaml = crd::yaml()?;
            std::io::stdout()
                .write_all(yaml.as_bytes())
                .context("cannot print the CRDs")
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    gryt_runtime::init_logs(&config.log, config.log_format)?;
    let stop = gryt_runtime::on_signal().context("cannot listen for signals")?;
    let readiness = Readiness::starting();
    let metrics = Metrics::default();
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let router = Router::new()
        .merge(gryt_runtime::health_router(readiness.clone()))
        .merge(gryt_runtime::metrics_router(Arc::new(registry)));
    let probes = TcpListener::bind(config.probes_listen)
        .await
        .context("cannot bind the probes' address")?;
    let probes_stop = stop.clone();
    let served = tokio::spawn(async move {
        axum::serve(probes, router)
            .with_graceful_shutdown(probes_stop.cancelled_owned())
            .await
    });

    let client = Client::try_default()
        .await
        .context("cannot find the API server")?;
    let identity = match &config.identity {
        Some(identity) => identity.clone(),
        None => format!("gryt-operator-{}", secrets::draw_server_id()?),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        identity,
        namespace = config.namespace,
        lease = config.lease_name,
        "operator starts"
    );
    let mut candidate = Candidate::new(
        client.clone(),
        &config.namespace,
        &config.lease_name,
        identity.clone(),
    );
    // A replica that waits for the lease is as ready as one can be.
    readiness.set_ready();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = candidate.acquire() => {}
        }
        metrics.set_leading(true);
        let work = async {
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                ended = controller::run(client.clone(), &config, &identity, &metrics) => ended,
            }
        };
        let held = candidate.hold(work).await;
        metrics.set_leading(false);
        match held {
            Held::Finished(ended) => {
                ended.context("cannot reconcile")?;
                if stop.is_cancelled() {
                    break;
                }
            }
            // Another replica may work already: wait for our turn again.
            Held::Lost => {}
        }
    }
    readiness.set_unready("shutting down");
    served
        .await
        .context("cannot wait for the probes")?
        .context("cannot serve the probes")
}
