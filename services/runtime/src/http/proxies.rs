//! Whose word on the client's address is believed: the proxies in front of us, and nobody else's.

use std::net::IpAddr;

use hyper::HeaderMap;
use ipnet::IpNet;

/// Networks of proxies that say in `X-Forwarded-For` for whom they ask. The scheme is never asked
/// for: the configured public address says it.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks. With none, nobody is believed.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    pub(super) fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// For whom `peer` asks: from the right, the first address that is no proxy of ours. What is
    /// left of it was written by the client.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trust(peer) {
            return peer;
        }
        let lines: Vec<_> = headers
            .get_all("x-forwarded-for")
            .iter()
            .filter_map(|line| line.to_str().ok())
            .collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        let mut client = peer;
        for hop in hops {
            // What cannot be read was not written by a proxy of ours.
            let Some(address) = parse(hop.trim()) else {
                break;
            };
            client = address;
            if !self.trust(address) {
                break;
            }
        }
        client
    }
}

/// Some proxies add the port, and IPv6 then has brackets.
fn parse(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .ok()
        .or_else(|| {
            hop.parse()
                .ok()
                .map(|with_port: std::net::SocketAddr| with_port.ip())
        })
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted = TrustedProxies::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8:ffff::/48".parse().unwrap(),
        ]);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        trusted.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_say_for_whom_they_ask() {
        let table: [(&str, &[&str], &str); 10] = [
            ("192.0.2.9", &["203.0.113.1"], "192.0.2.9"),
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &["203.0.113.1"], "203.0.113.1"),
            ("::ffff:10.1.1.1", &["203.0.113.1"], "203.0.113.1"),
            ("10.1.1.1", &["6.6.6.6, 203.0.113.1"], "203.0.113.1"),
            ("10.1.1.1", &["203.0.113.1, 10.2.2.2"], "203.0.113.1"),
            (
                "10.1.1.1",
                &["6.6.6.6", "203.0.113.1,10.2.2.2"],
                "203.0.113.1",
            ),
            ("10.1.1.1", &["203.0.113.1, nonsense"], "10.1.1.1"),
            ("10.1.1.1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("2001:db8:ffff::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
        ];
        for (peer, forwarded, expected) in table {
            assert_eq!(client(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
