//! How many probes are answered: anybody may ask for its mapped address, so the rate is bounded,
//! for each source and for all of them. The memory is fixed, however many addresses ask.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Counts the replies of one second.
#[derive(Debug)]
pub(super) struct Budget {
    since: Option<Instant>,
    used: u32,
    /// Replies by the hash of the source. Two sources may share a place, and then its rate.
    used_by_source: Box<[u8; PLACES]>,
    /// Keyed, so that nobody can choose addresses that take another one's place.
    hash: RandomState,
}

/// Replies per window over all sources. An operator probes a node every few seconds.
const MOST: u32 = 100;
/// Replies per window to one source.
const MOST_OF_SOURCE: u8 = 10;
const WINDOW: Duration = Duration::from_secs(1);
const PLACES: usize = 1_024;

impl Default for Budget {
    fn default() -> Self {
        Self {
            since: None,
            used: 0,
            used_by_source: Box::new([0; PLACES]),
            hash: RandomState::new(),
        }
    }
}

impl Budget {
    /// Takes one reply's worth for `source`, if there is one. A source that has used up its own
    /// takes nothing of the others'.
    pub(super) fn take(&mut self, source: IpAddr, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.since = Some(now);
            self.used = 0;
            self.used_by_source.fill(0);
        }
        let place = self.place(source);
        if self.used_by_source[place] >= MOST_OF_SOURCE || self.used >= MOST {
            return false;
        }
        self.used_by_source[place] += 1;
        self.used += 1;
        true
    }

    /// One host owns a whole /64 of IPv6, so that counts as one source.
    fn place(&self, source: IpAddr) -> usize {
        const NETWORK: u128 = !(u64::MAX as u128);
        let source = match source.to_canonical() {
            IpAddr::V4(ip) => u128::from(u32::from(ip)),
            IpAddr::V6(ip) => u128::from(ip) & NETWORK,
        };
        let hash = self.hash.hash_one(source);
        usize::try_from(hash % PLACES as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
        Instant::now()
    }

    /// Replies to `asked` probes, each from the source of its number.
    fn replies(
        budget: &mut Budget,
        asked: u32,
        now: Instant,
        source: impl Fn(u32) -> IpAddr,
    ) -> usize {
        (0..asked)
            .filter(|number| budget.take(source(*number), now))
            .count()
    }

    #[test]
    fn a_source_gets_ten_replies_a_second_and_leaves_the_rest_to_others() {
        let (mut budget, start) = (Budget::default(), start());
        let [flood, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
        for second in 0..3 {
            let now = start + WINDOW * second;
            assert_eq!(replies(&mut budget, 1_000, now, |_| flood), 10);
            if budget.place(flood) != budget.place(other) {
                assert_eq!(replies(&mut budget, 1, now, |_| other), 1);
            }
        }
    }

    #[test]
    fn a_flood_of_all_addresses_gets_a_hundred_replies_a_second() {
        let (mut budget, start) = (Budget::default(), start());
        for second in 0..3 {
            let now = start + WINDOW * second;
            let any = |number| IpAddr::V4(Ipv4Addr::from(number));
            assert_eq!(replies(&mut budget, 100_000, now, any), 100);
        }
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_as_one_source() {
        let (mut budget, now) = (Budget::default(), start());
        let host = |number| IpAddr::V6(Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(number)));
        assert_eq!(replies(&mut budget, 1_000, now, host), 10);
    }
}
