//! How many sockets one address and one person have open.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use gryt_model::UserId;

/// Counts open sockets. A place is given back when it is dropped. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sockets {
    by_address: Arc<Places<IpAddr>>,
    by_user: Arc<Places<UserId>>,
}

impl Sockets {
    pub(crate) fn new(per_address: usize, per_user: usize) -> Self {
        Self {
            by_address: Arc::new(Places::new(per_address)),
            by_user: Arc::new(Places::new(per_user)),
        }
    }

    /// A place for a socket from this address, if one is free.
    pub(crate) fn take_of_address(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        Place::take(&self.by_address, network(address))
    }

    /// A place for a socket of this person, if one is free.
    pub(crate) fn take_of_user(&self, user: UserId) -> Option<Place<UserId>> {
        Place::take(&self.by_user, user)
    }
}

/// A person with IPv6 has at least a /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) >> 64 << 64;
            std::net::Ipv6Addr::from(prefix).into()
        }
    }
}

#[derive(Debug)]
struct Places<K> {
    each: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K> Places<K> {
    fn new(each: usize) -> Self {
        Self {
            each,
            taken: Mutex::new(HashMap::new()),
        }
    }
}

/// One of a key's places.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq> {
    key: K,
    of: Arc<Places<K>>,
}

impl<K: Hash + Eq + Clone> Place<K> {
    fn take(of: &Arc<Places<K>>, key: K) -> Option<Self> {
        let mut taken = of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&key).copied().unwrap_or_default();
        if count >= of.each {
            return None;
        }
        taken.insert(key.clone(), count + 1);
        drop(taken);
        Some(Self {
            key,
            of: Arc::clone(of),
        })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_socket_is_gone() {
        let sockets = Sockets::new(2, 1);
        let address = |text: &str| text.parse().unwrap();
        let first = sockets.take_of_address(address("192.0.2.1"));
        let _second = sockets.take_of_address(address("::ffff:192.0.2.1"));
        assert!(sockets.take_of_address(address("192.0.2.1")).is_none());
        assert!(sockets.take_of_address(address("192.0.2.2")).is_some());

        drop(first);
        assert!(sockets.take_of_address(address("192.0.2.1")).is_some());
    }

    #[test]
    fn one_ipv6_network_is_one_address() {
        let sockets = Sockets::new(1, 1);
        let _place = sockets.take_of_address("2001:db8::1".parse().unwrap());
        assert!(
            sockets
                .take_of_address("2001:db8::2".parse().unwrap())
                .is_none()
        );
    }
}
