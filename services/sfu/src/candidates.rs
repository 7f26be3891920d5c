//! The addresses that a worker offers as ICE host candidates.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// The addresses to offer for a socket bound to `bound`, the best first: what the operator
/// announces, else the bound address, else every address of the host.
///
/// # Errors
/// When the host's interfaces cannot be listed.
pub(crate) fn addresses(announce: &[IpAddr], bound: IpAddr) -> io::Result<Vec<IpAddr>> {
    if !announce.is_empty() {
        return Ok(announce.to_vec());
    }
    if !bound.is_unspecified() {
        return Ok(vec![bound]);
    }
    let interfaces = if_addrs::get_if_addrs()?;
    Ok(rank(interfaces.iter().map(if_addrs::Interface::ip), bound))
}

/// Joins the addresses with a worker's port.
pub(crate) fn with_port(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    addresses
        .iter()
        .map(|&ip| SocketAddr::new(ip, port))
        .collect()
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
    fn announced_addresses_replace_the_hosts() {
        let announced = ips(&["192.0.2.9"]);
        assert_eq!(
            addresses(&announced, "::".parse().unwrap()).unwrap(),
            announced
        );
    }

    #[test]
    fn a_bound_address_is_the_only_one_offered() {
        assert_eq!(
            addresses(&[], ips(&["127.0.0.1"])[0]).unwrap(),
            ips(&["127.0.0.1"])
        );
    }
}
