//! How many probes are answered: anybody may ask for its mapped address, so the rate is bounded.

use std::time::{Duration, Instant};

/// A token bucket for the whole worker.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: u32,
    since: Option<Instant>,
}

/// Replies per window. An operator probes a node every few seconds.
const MOST: u32 = 100;
const WINDOW: Duration = Duration::from_secs(1);

impl Budget {
    /// Takes one reply's worth, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.since = Some(now);
            self.used = 0;
        }
        self.used += u32::from(self.used < MOST + 1);
        self.used <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_a_hundred_replies_a_second() {
        #[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
        let now = Instant::now();
        let mut budget = Budget::default();
        for second in 0..3 {
            let now = now + WINDOW * second;
            assert_eq!((0..1_000).filter(|_| budget.take(now)).count(), 100);
        }
    }
}
