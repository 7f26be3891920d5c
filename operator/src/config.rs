//! The flags of `gryt-operator run`. Each can also be given by the environment.

use std::net::SocketAddr;

use clap::Args;
use gryt_runtime::LogFormat;

/// What the operator is told at its start. Everything about servers stands in classes instead.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Namespace of the operator: its lease, the CA of every server and the Secrets that classes
    /// name live here.
    #[arg(long, env = "GRYT_OPERATOR_NAMESPACE", default_value = "gryt-system")]
    pub namespace: String,

    /// Name of the lease that decides which replica works. Only operators that must not know of
    /// each other differ here.
    #[arg(
        long,
        env = "GRYT_OPERATOR_LEASE_NAME",
        default_value = "gryt-operator"
    )]
    pub lease_name: String,

    /// Name of this replica in the lease and in Events; the chart passes the pod's name.
    /// Left out, a random one is drawn.
    #[arg(long, env = "GRYT_OPERATOR_IDENTITY")]
    pub identity: Option<String>,

    /// Address of `/healthz`, `/readyz` and `/metrics`.
    #[arg(long, env = "GRYT_OPERATOR_PROBES_LISTEN", default_value = "[::]:8080")]
    pub probes_listen: SocketAddr,

    /// Registry and path of the images where no class says otherwise.
    #[arg(
        long,
        env = "GRYT_OPERATOR_IMAGE_REGISTRY",
        default_value = "ghcr.io/gryt-chat"
    )]
    pub image_registry: String,

    /// Tag of the images where no class says otherwise; the operator's own version by default.
    #[arg(
        long,
        env = "GRYT_OPERATOR_IMAGE_TAG",
        default_value = env!("CARGO_PKG_VERSION")
    )]
    pub image_tag: String,

    /// Servers that are reconciled at the same time. More is faster after a restart and heavier
    /// on the API server.
    #[arg(
        long,
        env = "GRYT_OPERATOR_CONCURRENCY",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    pub concurrency: u16,

    /// What is logged, as in `info,gryt_operator=debug`.
    #[arg(long, env = "GRYT_OPERATOR_LOG", default_value = "info")]
    pub log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_OPERATOR_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,
}
