//! The command line of `gryt-sfu`. Every flag is an environment variable too, which is how the
//! operator sets it; its test parses what it writes by this type.

use std::net::SocketAddr;
use std::num::ParseIntError;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use gryt_runtime::LogFormat;

use crate::config::SfuConfig;

/// Forwards the voices of rooms between WebRTC clients, on the word of a signaling server.
#[derive(Debug, Clone, Parser)]
#[command(name = "gryt-sfu", version)]
pub struct Config {
    /// Address of the gRPC listener for signaling. Without --tls-dir it is plain text: keep it off
    /// public networks.
    #[arg(long, env = "GRYT_SFU_LISTEN", default_value = "127.0.0.1:8082")]
    pub listen: SocketAddr,

    /// Folder with tls.crt and tls.key for the gRPC listener, and ca.crt: only a client is let in
    /// whose certificate is by one in ca.crt and names signaling of the same server as our own.
    /// Read again when it changes; calls that run go on.
    #[arg(long, env = "GRYT_SFU_TLS_DIR")]
    pub tls_dir: Option<PathBuf>,

    /// Address of `/healthz`, `/readyz` and `/metrics`.
    #[arg(long, env = "GRYT_SFU_PROBES_LISTEN", default_value = "127.0.0.1:8083")]
    pub probes_listen: SocketAddr,

    /// File with the addresses of nodes as clients reach them: lines of a node's name and its
    /// addresses. Where it names this node, it wins over --announce. Read again when it changes,
    /// for seats from then on.
    #[arg(long, env = "GRYT_SFU_NODE_ADDRESSES", requires = "node_name")]
    pub node_addresses: Option<PathBuf>,

    /// Name of the node that this process runs on, for --node-addresses.
    #[arg(long, env = "GRYT_SFU_NODE_NAME")]
    pub node_name: Option<String>,

    /// Seconds that calls may go on after SIGTERM. With the last participant the process ends
    /// earlier; at a second signal, and at SIGINT, at once.
    #[arg(long, env = "GRYT_SFU_DRAIN_TIMEOUT", default_value = "540", value_parser = seconds)]
    pub drain_timeout: Duration,

    /// File that tells how many calls were cut at the end, if any were. Left out:
    /// /dev/termination-log where that exists, as in a pod.
    #[arg(long, env = "GRYT_SFU_TERMINATION_LOG")]
    pub termination_log: Option<PathBuf>,

    /// What is logged, as in `info,gryt_sfu=debug`.
    #[arg(long, env = "GRYT_SFU_LOG", default_value = "info")]
    pub log: String,

    /// How a log line looks: auto, text or json.
    #[arg(long, env = "GRYT_SFU_LOG_FORMAT", default_value = "auto")]
    pub log_format: LogFormat,

    /// The media side.
    #[command(flatten)]
    pub sfu: SfuConfig,
}

fn seconds(text: &str) -> Result<Duration, ParseIntError> {
    text.parse().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_nodes_need_the_own_nodes_name() {
        let parse = |flags: &[&str]| Config::try_parse_from([&["gryt-sfu"], flags].concat());
        assert!(parse(&["--node-addresses", "/nodes"]).is_err());
        let config = parse(&["--node-addresses", "/nodes", "--node-name", "a"]).unwrap();
        assert_eq!(config.node_name.as_deref(), Some("a"));
    }

    #[test]
    fn the_drain_timeout_is_in_seconds() {
        let parse = |text| Config::try_parse_from(["gryt-sfu", "--drain-timeout", text]);
        assert_eq!(parse("90").unwrap().drain_timeout, Duration::from_secs(90));
        assert!(parse("90s").is_err());
        assert!(parse("-1").is_err());
    }
}
