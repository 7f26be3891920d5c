//! Places for connections: so many in all, so many per address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by network. Holds one entry per open connection at most.
#[derive(Clone)]
pub(super) struct Places {
    most: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A place that is given back when dropped.
pub(super) struct Place {
    places: Places,
    /// Nothing for this machine itself, which is not counted.
    network: Option<IpAddr>,
}

impl Places {
    /// `most` places per IPv4 address or IPv6 /64.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            taken: Arc::default(),
        }
    }

    /// Takes a place; `None` when the peer's network has all of its. This machine has no end of
    /// them: a proxy on it speaks for everybody, and we ask ourselves for keys.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Place> {
        let network = network(peer);
        if let Some(network) = network {
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let count = taken.entry(network).or_default();
            if *count >= self.most {
                return None;
            }
            *count += 1;
        }
        Some(Place {
            places: self.clone(),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else {
            return;
        };
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&network);
            }
        }
    }
}

/// A v6 network is one customer. `None` for this machine.
fn network(peer: IpAddr) -> Option<IpAddr> {
    match peer.to_canonical() {
        address if address.is_loopback() => None,
        IpAddr::V4(address) => Some(IpAddr::V4(address)),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn network_that_has_its_places_leaves_the_rest_to_others() {
        let places = Places::new(2);
        for [one, same, other] in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"],
        ] {
            let first = places.take(ip(one)).unwrap();
            let _second = places.take(ip(same)).unwrap();
            assert!(places.take(ip(one)).is_none());
            let _other = places.take(ip(other)).unwrap();
            drop(first);
            let _again = places.take(ip(one)).unwrap();
            assert!(places.take(ip(same)).is_none());
        }
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is kept");
    }

    #[test]
    fn this_machine_is_not_counted() {
        let places = Places::new(0);
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(places.take(ip(own)).is_some(), "{own}");
        }
        assert!(places.take(ip("192.0.2.1")).is_none());
    }
}
