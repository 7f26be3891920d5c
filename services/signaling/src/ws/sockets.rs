//! How many sockets one address and one person have open: in this process, and in all processes of
//! the server as far as they can be counted.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gryt_bus::Quotas;
use gryt_model::UserId;
use tokio::runtime::Handle;

/// Counts open sockets. A place is given back when it is dropped. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Sockets {
    by_address: Arc<Places<IpAddr>>,
    by_user: Arc<Places<UserId>>,
}

impl Sockets {
    pub(crate) fn new(per_address: usize, per_user: usize, quotas: &Quotas) -> Self {
        Self {
            by_address: Arc::new(Places::new(per_address, quotas)),
            by_user: Arc::new(Places::new(per_user, quotas)),
        }
    }

    /// A place for a socket from this address, if one is free.
    pub(crate) async fn take_of_address(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        let address = network(address);
        let name = format!("address:{address}");
        Place::take(&self.by_address, address, name).await
    }

    /// A place for a socket of this person, if one is free.
    pub(crate) async fn take_of_user(&self, user: UserId) -> Option<Place<UserId>> {
        let name = format!("user:{}:{}", user.issuer, user.subject);
        Place::take(&self.by_user, user, name).await
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
    quotas: Quotas,
}

impl<K: Hash + Eq + Clone> Places<K> {
    fn new(each: usize, quotas: &Quotas) -> Self {
        Self {
            each,
            taken: Mutex::new(HashMap::new()),
            quotas: quotas.clone(),
        }
    }

    /// Takes a place here, if one is free, and returns how many are taken then.
    fn take(&self, key: &K) -> Option<usize> {
        let mut taken = self.taken();
        let count = taken.get(key).copied().unwrap_or_default();
        if count >= self.each {
            return None;
        }
        taken.insert(key.clone(), count + 1);
        Some(count + 1)
    }

    /// Gives a place back, and returns how many are still taken.
    fn give_back(&self, key: &K) -> usize {
        let mut taken = self.taken();
        let Some(count) = taken.get_mut(key) else {
            return 0;
        };
        *count -= 1;
        let left = *count;
        if left == 0 {
            taken.remove(key);
        }
        left
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of a key's places.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq + Clone> {
    key: K,
    /// What the other processes know it by.
    name: String,
    of: Arc<Places<K>>,
}

impl<K: Hash + Eq + Clone> Place<K> {
    async fn take(of: &Arc<Places<K>>, key: K, name: String) -> Option<Self> {
        let here = of.take(&key)?;
        let place = Self {
            key,
            name,
            of: Arc::clone(of),
        };
        // Two that come at once may both be refused the last place, and never both get it.
        let everywhere = of.quotas.count(&place.name, here).await;
        (everywhere <= of.each).then_some(place)
    }
}

impl<K: Hash + Eq + Clone> Drop for Place<K> {
    fn drop(&mut self) {
        let left = self.of.give_back(&self.key);
        if !self.of.quotas.are_shared() {
            return;
        }
        // Whole numbers are told, not changes: one that comes late is mended by the next.
        let (quotas, name) = (self.of.quotas.clone(), std::mem::take(&mut self.name));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { quotas.count(&name, left).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_its_socket_is_gone() {
        let sockets = Sockets::new(2, 1, &Quotas::local());
        let address = |text: &str| text.parse().unwrap();
        let first = sockets.take_of_address(address("192.0.2.1")).await;
        let _second = sockets.take_of_address(address("::ffff:192.0.2.1")).await;
        let third = sockets.take_of_address(address("192.0.2.1")).await;
        assert!(third.is_none());
        let other = sockets.take_of_address(address("192.0.2.2")).await;
        assert!(other.is_some());

        drop(first);
        let again = sockets.take_of_address(address("192.0.2.1")).await;
        assert!(again.is_some());
    }

    #[tokio::test]
    async fn one_ipv6_network_is_one_address() {
        let sockets = Sockets::new(1, 1, &Quotas::local());
        let _place = sockets
            .take_of_address("2001:db8::1".parse().unwrap())
            .await;
        let neighbor = sockets
            .take_of_address("2001:db8::2".parse().unwrap())
            .await;
        assert!(neighbor.is_none());
    }
}
