//! What a person who runs an SFU may choose.

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU16, NonZeroUsize};

/// The media side of a node.
#[derive(Debug, Clone, clap::Args)]
pub struct SfuConfig {
    /// UDP port of the first worker; worker n takes this plus n. With 0 the system chooses each.
    #[arg(long, env = "GRYT_SFU_MEDIA_PORT", default_value_t = 8081)]
    pub media_port: u16,

    /// Address that the workers' sockets bind. The default takes IPv6 and IPv4, or IPv4 alone
    /// where the host has no IPv6.
    #[arg(long, env = "GRYT_SFU_MEDIA_BIND", default_value_t = IpAddr::V6(Ipv6Addr::UNSPECIFIED))]
    pub media_bind: IpAddr,

    /// Address that clients reach this node at; repeat it for several, the best first. Clients are
    /// told these and no others. Left out: every address of the host's interfaces. Needed behind
    /// a NAT, a node port or a load balancer.
    #[arg(long, env = "GRYT_SFU_ANNOUNCE", value_delimiter = ',')]
    pub announce: Vec<IpAddr>,

    /// UDP port that clients reach the first worker at; worker n is announced at this plus n. Left
    /// out: the bound port. Needed where another port is mapped to ours, as a node port is.
    #[arg(long, env = "GRYT_SFU_ANNOUNCE_PORT")]
    pub announce_port: Option<NonZeroU16>,

    /// Number of worker threads. Left out: one per CPU that this process may use. In a pod one is
    /// right: a second core is a second pod.
    #[arg(long, env = "GRYT_SFU_WORKERS")]
    pub workers: Option<NonZeroUsize>,

    /// Places per worker. A seat beyond is refused; memory for output is set aside by it.
    #[arg(long, env = "GRYT_SFU_PLACES_PER_WORKER", default_value = "500")]
    pub places_per_worker: NonZeroUsize,
}

impl Default for SfuConfig {
    fn default() -> Self {
        const PLACES: NonZeroUsize = NonZeroUsize::new(500).expect("invariant: 500 is not 0");
        Self {
            media_port: 8081,
            media_bind: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            announce: Vec::new(),
            announce_port: None,
            workers: None,
            places_per_worker: PLACES,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        sfu: SfuConfig,
    }

    #[test]
    fn flags_left_out_are_the_defaults() {
        let parsed = Cli::parse_from(["sfu"]).sfu;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", SfuConfig::default()));
    }

    #[test]
    fn several_addresses_are_announced_in_the_order_given() {
        let parsed = Cli::parse_from([
            "sfu",
            "--announce",
            "192.0.2.1",
            "--announce",
            "2001:db8::1",
        ]);
        let expected: [IpAddr; 2] = [[192, 0, 2, 1].into(), "2001:db8::1".parse().unwrap()];
        assert_eq!(parsed.sfu.announce, expected);
    }
}
