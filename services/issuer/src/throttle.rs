//! Brute force made slow: so many tries per account and per address, then a wait.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, SystemTime};

/// How fast one key may go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Tries at once, after a rest.
    pub(crate) burst: u32,
    /// One more try per.
    pub(crate) every: Duration,
}

/// Counts tries by key (generic cell rate algorithm: one time per key).
///
/// Holds [`MAX_KEYS`] keys; for a new one then those closest to rest
/// make room, and could try once more early.
#[derive(Debug)]
pub(crate) struct Throttle<K> {
    rate: Rate,
    /// When the key has had its rest.
    rested_at: HashMap<K, SystemTime>,
}

const MAX_KEYS: usize = 10_000;

/// Come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

impl<K: Hash + Eq + Clone> Throttle<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            rested_at: HashMap::new(),
        }
    }

    /// Takes one try. Taken before the work, so that parallel tries count.
    pub(crate) fn take(&mut self, key: &K, now: SystemTime) -> Result<(), Wait> {
        let rested_at = self.rested_at.get(key).map_or(now, |at| (*at).max(now));
        let ahead = rested_at.duration_since(now).unwrap_or_default();
        let allowed = self.rate.every * (self.rate.burst - 1);
        if ahead > allowed {
            return Err(Wait(ahead - allowed));
        }
        self.make_room(key, now);
        self.rested_at
            .insert(key.clone(), rested_at + self.rate.every);
        Ok(())
    }

    /// Gives a try back that turned out to be good.
    pub(crate) fn give_back(&mut self, key: &K) {
        if let Some(at) = self.rested_at.get_mut(key) {
            *at -= self.rate.every;
        }
    }

    /// Forgets the tries of a key that has shown who it is.
    pub(crate) fn forget(&mut self, key: &K) {
        self.rested_at.remove(key);
    }

    fn make_room(&mut self, key: &K, now: SystemTime) {
        if self.rested_at.len() < MAX_KEYS || self.rested_at.contains_key(key) {
            return;
        }
        self.rested_at.retain(|_, at| *at > now);
        if self.rested_at.len() < MAX_KEYS {
            return;
        }
        // A quarter at a time, so that a flood of new keys does not search the map for each.
        let mut times: Vec<_> = self.rested_at.values().copied().collect();
        let (_, quarter, _) = times.select_nth_unstable(MAX_KEYS / 4);
        let quarter = *quarter;
        let mut surplus = MAX_KEYS / 4;
        self.rested_at.retain(|_, at| {
            let goes = *at <= quarter && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }
}

/// Keys that have shown who they are. Holds [`MAX_KEYS`]; then a new one takes the place of the
/// oldest.
#[derive(Debug)]
pub(crate) struct Known<K> {
    keys: HashSet<K>,
    by_age: VecDeque<K>,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self {
            keys: HashSet::new(),
            by_age: VecDeque::new(),
        }
    }
}

impl<K: Hash + Eq + Clone> Known<K> {
    pub(crate) fn add(&mut self, key: &K) {
        if !self.keys.insert(key.clone()) {
            return;
        }
        self.by_age.push_back(key.clone());
        if self.by_age.len() > MAX_KEYS
            && let Some(oldest) = self.by_age.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }

    pub(crate) fn has(&self, key: &K) -> bool {
        self.keys.contains(key)
    }
}

/// The part of an address that one attacker cannot change at will: a v6 network is one customer.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        every: Duration::from_secs(10),
    };

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + secs)
    }

    #[test]
    fn burst_is_followed_by_a_wait_and_then_one_by_one() {
        let mut throttle = Throttle::new(RATE);
        for _ in 0..3 {
            assert_eq!(throttle.take(&"ada", at(0)), Ok(()));
        }
        assert_eq!(throttle.take(&"ada", at(0)), Err(Wait(RATE.every)));
        assert_eq!(
            throttle.take(&"ada", at(4)),
            Err(Wait(Duration::from_secs(6)))
        );
        assert_eq!(throttle.take(&"bob", at(4)), Ok(()));
        assert_eq!(throttle.take(&"ada", at(10)), Ok(()));
        assert!(throttle.take(&"ada", at(10)).is_err());
    }

    #[test]
    fn good_tries_cost_nothing() {
        let mut throttle = Throttle::new(RATE);
        for _ in 0..100 {
            assert_eq!(throttle.take(&"ada", at(0)), Ok(()));
            throttle.give_back(&"ada");
        }
        for _ in 0..3 {
            throttle.take(&"ada", at(0)).unwrap();
        }
        throttle.forget(&"ada");
        assert_eq!(throttle.take(&"ada", at(0)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_key_stays() {
        let mut throttle = Throttle::new(RATE);
        for _ in 0..3 {
            throttle.take(&0, at(0)).unwrap();
        }
        for key in 1..30_000 {
            throttle.take(&key, at(0)).unwrap();
        }
        assert!(throttle.rested_at.len() <= MAX_KEYS);
        assert!(throttle.take(&0, at(0)).is_err());
    }

    #[test]
    fn known_keys_are_bounded_and_the_oldest_goes() {
        let mut known = Known::default();
        for key in 0..=MAX_KEYS {
            known.add(&key);
            known.add(&key);
        }
        assert!(!known.has(&0));
        assert!(known.has(&1) && known.has(&MAX_KEYS));
        assert_eq!(known.keys.len(), known.by_age.len());
    }

    #[test]
    fn v6_network_counts_as_one() {
        let network_of = |text: &str| network(text.parse().unwrap());
        assert_eq!(network_of("2001:db8::1"), network_of("2001:db8::ffff"));
        assert_ne!(network_of("2001:db8::1"), network_of("2001:db8:0:1::1"));
        assert_eq!(network_of("::ffff:10.0.0.1"), network_of("10.0.0.1"));
        assert_ne!(network_of("10.0.0.1"), network_of("10.0.0.2"));
    }
}
