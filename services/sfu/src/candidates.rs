//! The addresses that a worker offers as ICE host candidates.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

/// What a person who runs the node says of how clients reach it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Announcement {
    /// The best first. Empty: what the socket and the host say.
    pub(crate) addresses: Vec<IpAddr>,
    /// Of the first worker. `None`: the bound port of each.
    pub(crate) first_port: Option<NonZeroU16>,
}

impl Announcement {
    /// What worker `number` offers, whose socket is bound to `bound`.
    ///
    /// # Errors
    /// When the host's interfaces cannot be listed.
    pub(crate) fn candidates(
        &self,
        number: usize,
        bound: SocketAddr,
    ) -> io::Result<Vec<SocketAddr>> {
        let port = self.port(number).unwrap_or_else(|| bound.port());
        let addresses = addresses(&self.addresses, bound.ip())?;
        Ok(addresses
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port))
            .collect())
    }

    /// Whether there is a port to announce for each of so many workers.
    pub(crate) fn has_ports_for(&self, workers: usize) -> bool {
        self.first_port.is_none() || self.port(workers.saturating_sub(1)).is_some()
    }

    fn port(&self, number: usize) -> Option<u16> {
        let number = u16::try_from(number).ok()?;
        self.first_port?.get().checked_add(number)
    }
}

/// The addresses to offer for a socket bound to `bound`, the best first: what is announced, else
/// the bound address, else every address of the host.
fn addresses(announced: &[IpAddr], bound: IpAddr) -> io::Result<Vec<IpAddr>> {
    if !announced.is_empty() {
        return Ok(announced.to_vec());
    }
    if !bound.is_unspecified() {
        return Ok(vec![bound]);
    }
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(rank(interfaces.iter().map(if_addrs::Interface::ip), bound))
}

/// Loopback comes last: it reaches only browsers of the same host, which have other ways too.
/// Link-local addresses are left out, they mean nothing without a zone (RFC 8445 section 5.1.1.1).
fn rank(found: impl Iterator<Item = IpAddr>, bound: IpAddr) -> Vec<IpAddr> {
    let mut usable: Vec<IpAddr> = found
        .filter(|ip| bound.is_ipv6() || ip.is_ipv4())
        .filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_link_local() && !ip.is_unspecified(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local() && !ip.is_unspecified(),
        })
        .collect();
    usable.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    usable.dedup();
    usable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_last_and_link_local_is_left_out() {
        let found = ips(&[
            "127.0.0.1",
            "::1",
            "fe80::1",
            "2001:db8::2",
            "10.0.0.7",
            "169.254.3.4",
        ]);
        let ranked = rank(found.into_iter(), "::".parse().unwrap());
        assert_eq!(
            ranked,
            ips(&["10.0.0.7", "2001:db8::2", "127.0.0.1", "::1"])
        );
    }

    #[test]
    fn a_socket_of_ipv4_offers_no_ipv6() {
        let found = ips(&["::1", "127.0.0.1"]);
        assert_eq!(
            rank(found.into_iter(), "0.0.0.0".parse().unwrap()),
            ips(&["127.0.0.1"])
        );
    }

    #[test]
    fn announced_addresses_and_port_replace_the_hosts() {
        let announcement = Announcement {
            addresses: ips(&["192.0.2.9", "2001:db8::9"]),
            first_port: NonZeroU16::new(31_000),
        };
        let bound = "[::]:8081".parse().unwrap();
        let offered = |worker| announcement.candidates(worker, bound).unwrap();
        let expected: [SocketAddr; 2] = [
            "192.0.2.9:31000".parse().unwrap(),
            "[2001:db8::9]:31000".parse().unwrap(),
        ];
        assert_eq!(offered(0), expected);
        assert_eq!(offered(2)[0].port(), 31_002);
    }

    #[test]
    fn a_bound_address_is_the_only_one_offered() {
        let bound = "127.0.0.1:5000".parse().unwrap();
        let offered = Announcement::default().candidates(3, bound).unwrap();
        assert_eq!(offered, [bound]);
    }

    #[test]
    fn ports_beyond_the_last_are_noticed() {
        let announcement = Announcement {
            addresses: Vec::new(),
            first_port: NonZeroU16::new(65_534),
        };
        assert!(announcement.has_ports_for(2));
        assert!(!announcement.has_ports_for(3));
    }
}
