//! `gryt-sfu`: one SFU node as a process of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use clap::Parser;
use gryt_runtime::{LogFormat, Readiness};
use gryt_sfu::{Sfu, SfuConfig};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

/// Forwards the voices of rooms between WebRTC clients, on the word of a signaling server.
#[derive(Debug, Parser)]
#[command(version)]
struct Config {
    /// Address of the gRPC listener for signaling. Plain text: keep it off public networks.
    #[arg(long, env = "GRYT_SFU_LISTEN", default_value = "127.0.0.1:8082")]
    listen: SocketAddr,

    /// Address of `/healthz`, `/readyz` and `/metrics`.
    #[arg(long, env = "GRYT_SFU_PROBES_LISTEN", default_value = "127.0.0.1:8083")]
    probes_listen: SocketAddr,

    /// What is logged, as in `info,gryt_sfu=debug`.
    #[arg(long, env = "GRYT_SFU_LOG", default_value = "info")]
    log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_SFU_LOG_FORMAT", default_value = "auto")]
    log_format: LogFormat,

    #[command(flatten)]
    sfu: SfuConfig,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Config {
        listen,
        probes_listen,
        log,
        log_format,
        sfu,
    } = Config::parse();
    gryt_runtime::init_logs(&log, log_format)?;
    let stop = gryt_runtime::on_signal().context("cannot listen for signals")?;
    let readiness = Readiness::starting();

    let sfu = Sfu::start(sfu)?;
    let mut registry = Registry::default();
    sfu.register(&mut registry);
    let probes = TcpListener::bind(probes_listen)
        .await
        .context("cannot bind the probes' address")?;
    let incoming = TcpIncoming::bind(listen).context("cannot bind the gRPC address")?;
    let router = Router::new()
        .merge(gryt_runtime::health_router(readiness.clone()))
        .merge(gryt_runtime::metrics_router(Arc::new(registry)));
    let probes_stop = stop.clone();
    let served = tokio::spawn(async move {
        axum::serve(probes, router)
            .with_graceful_shutdown(probes_stop.cancelled_owned())
            .await
    });
    readiness.set_ready();

    let calls_stop = stop.clone();
    let calls = tonic::transport::Server::builder()
        .add_service(sfu.service())
        .serve_with_incoming_shutdown(incoming, async {
            calls_stop.cancelled().await;
            readiness.set_unready("shutting down");
            sfu.shutdown().await;
        });
    calls.await.context("cannot serve gRPC")?;
    stop.cancel();
    served
        .await
        .context("cannot wait for the probes")?
        .context("cannot serve the probes")?;
    Ok(())
}
