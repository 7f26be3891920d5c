//! Where the server is reached: names and addresses of this machine, and the origins made of them.

use std::net::IpAddr;

use anyhow::Context as _;
use url::Url;

use crate::config::Config;

/// What this machine is called by others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    /// Its addresses on networks, those of real interfaces first, IPv4 first. Without loopback.
    pub(crate) addresses: Vec<IpAddr>,
    /// Its host name, if it is one that can stand in a URL.
    pub(crate) hostname: Option<String>,
}

impl Machine {
    pub(crate) fn look() -> anyhow::Result<Self> {
        let mut interfaces =
            if_addrs::get_if_addrs().context("list the addresses of this machine")?;
        interfaces.retain(|interface| !interface.is_loopback() && is_usable(interface.ip()));
        interfaces.sort_by_key(|interface| (is_virtual(&interface.name), interface.ip().is_ipv6()));
        let mut addresses: Vec<_> = interfaces.iter().map(if_addrs::Interface::ip).collect();
        addresses.dedup();
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Ok(Self {
            addresses,
            hostname: host_label(hostname.trim()),
        })
    }

    /// Everything a browser may type for this machine, the best for other machines first.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = self.addresses.iter().copied().map(bracketed).collect();
        if let Some(name) = &self.hostname {
            hosts.push(format!("{name}.local"));
            hosts.push(name.clone());
        }
        hosts.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        hosts
    }
}

/// How the server is reached, from the flags and the port that it got.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    /// The one origin that tokens and links name. No slash at its end.
    pub(crate) public: String,
    /// All origins that the server itself is reached at.
    pub(crate) own: Vec<String>,
    /// Whether pages of the visitor's own machine may come.
    pub(crate) loopback: bool,
}

impl Reach {
    pub(crate) fn new(config: &Config, bind: IpAddr, port: u16, machine: &Machine) -> Self {
        let scheme = if config.lan { "https" } else { "http" };
        let origin = |host: &str| origin(scheme, host, port);
        let hosts = if bind.is_unspecified() {
            machine.hosts()
        } else if bind.is_loopback() {
            ["localhost", "127.0.0.1", "[::1]"]
                .map(str::to_owned)
                .into()
        } else {
            vec![bracketed(bind)]
        };
        let mut own: Vec<String> = hosts.iter().map(|host| origin(host)).collect();
        let public = match &config.public_url {
            Some(url) => url.origin().ascii_serialization(),
            // Without --lan only this machine has a use for it: browsers need https elsewhere.
            None if bind.is_unspecified() && !config.lan => origin("localhost"),
            None => own.first().cloned().unwrap_or_else(|| origin("localhost")),
        };
        if !own.contains(&public) {
            own.insert(0, public.clone());
        }
        Self {
            loopback: bind.is_loopback() || config.lan,
            public,
            own,
        }
    }
}

/// The origin as a browser writes it: a default port is left out.
fn origin(scheme: &str, host: &str, port: u16) -> String {
    let text = format!("{scheme}://{host}:{port}");
    text.parse::<Url>()
        .map_or(text, |url| url.origin().ascii_serialization())
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn is_usable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_unspecified(),
    }
}

/// Bridges and tunnels of containers: nobody on the network reaches them.
fn is_virtual(interface: &str) -> bool {
    ["docker", "br-", "veth", "virbr", "cni", "flannel", "kube"]
        .iter()
        .any(|prefix| interface.starts_with(prefix))
}

fn host_label(name: &str) -> Option<String> {
    let name = name
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let good = (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
        && name != "localhost";
    good.then_some(name)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::config::Cli;

    fn reach(flags: &[&str], bind: &str) -> Reach {
        let machine = Machine {
            addresses: vec![[192, 168, 1, 5].into(), "2001:db8::5".parse().unwrap()],
            hostname: Some("laptop".to_owned()),
        };
        let line = std::iter::once("gryt").chain(flags.iter().copied());
        let config = Cli::parse_from(line).config;
        Reach::new(&config, bind.parse().unwrap(), 8080, &machine)
    }

    #[test]
    fn laptop_is_reached_at_localhost() {
        let reach = reach(&[], "127.0.0.1");
        assert_eq!(reach.public, "http://localhost:8080");
        assert!(reach.own.contains(&"http://127.0.0.1:8080".to_owned()));
        assert!(reach.loopback);
    }

    #[test]
    fn lan_is_reached_by_https_at_every_address_and_name() {
        let reach = reach(&["--lan"], "0.0.0.0");
        assert_eq!(reach.public, "https://192.168.1.5:8080");
        for origin in [
            "https://[2001:db8::5]:8080",
            "https://laptop.local:8080",
            "https://localhost:8080",
        ] {
            assert!(reach.own.contains(&origin.to_owned()), "{origin}");
        }
        assert!(reach.loopback);
    }

    #[test]
    fn public_url_wins_and_a_public_server_trusts_no_loopback_page() {
        let reach = reach(&["--public-url", "https://chat.example.org/"], "0.0.0.0");
        assert_eq!(reach.public, "https://chat.example.org");
        assert!(reach.own.contains(&"https://chat.example.org".to_owned()));
        assert!(!reach.loopback);
    }

    #[test]
    fn host_names_that_cannot_stand_in_a_url_are_left_out() {
        assert_eq!(host_label("Laptop.home.arpa").as_deref(), Some("laptop"));
        for name in ["", "my laptop", "-x", "localhost", "ä", "a/b"] {
            assert_eq!(host_label(name), None, "{name}");
        }
    }
}
