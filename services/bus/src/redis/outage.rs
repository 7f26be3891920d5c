//! How often Redis is tried while it is gone, and how much is said about it.

use std::error::Error as _;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tokio::time::Instant;

use super::session::Broken;

/// The first pause; each is twice as long as the one before.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest pause. Half of each pause is random, so that processes do not come all at once.
const LONGEST: Duration = Duration::from_secs(2);

/// A failure that lasts is said again after so many attempts, which is about a minute.
const SAID_EVERY: u32 = 30;

/// From the loss of a connection to the next one that serves for a while.
#[derive(Debug)]
pub(super) struct Outage {
    /// What the connection is for.
    of: &'static str,
    attempts: u32,
    connected_at: Option<Instant>,
    /// Failures that were said since the attempts were last counted as many.
    said: Vec<Discriminant<Broken>>,
}

impl Outage {
    pub(super) fn of(of: &'static str) -> Self {
        Self {
            of,
            attempts: 0,
            connected_at: None,
            said: Vec::new(),
        }
    }

    /// Redis serves, it seems.
    pub(super) fn end(&mut self, now: Instant) {
        tracing::info!(of = self.of, attempts = self.attempts, "connected to redis");
        self.connected_at = Some(now);
    }

    /// Says what is wrong: each kind of failure at first, and then from time to time.
    pub(super) fn begin(&mut self, broken: &Broken, now: Instant) {
        // Who refuses as soon as it is used is no better than who does not answer.
        let served = self.connected_at.take();
        if served.is_some_and(|since| now.duration_since(since) >= LONGEST) {
            self.attempts = 0;
        }
        let cause = broken.source().map(ToString::to_string).unwrap_or_default();
        if self.is_news(broken) {
            tracing::warn!(of = self.of, error = %broken, cause, "redis does not serve, trying again");
        }
    }

    fn is_news(&mut self, broken: &Broken) -> bool {
        if self.attempts.is_multiple_of(SAID_EVERY) {
            self.said.clear();
        }
        let kind = discriminant(broken);
        let is_news = !self.said.contains(&kind);
        if is_news {
            self.said.push(kind);
        }
        is_news
    }

    /// How long to wait before the next attempt. `chance`: 0..1.
    pub(super) fn pause(&mut self, chance: f64) -> Duration {
        let pause = SHORTEST
            .saturating_mul(1 << self.attempts.min(10))
            .min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        pause.mul_f64(0.5 + chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_that_breaks_at_once_does_not_shorten_the_pauses() {
        let now = Instant::now();
        let mut outage = Outage::of("events");
        for _ in 0..5 {
            outage.pause(1.0);
        }
        outage.end(now);
        outage.begin(&Broken::Closed, now + Duration::from_millis(10));
        assert_eq!(outage.pause(1.0).as_millis(), 1600);
        outage.end(now);
        outage.begin(&Broken::Closed, now + Duration::from_secs(60));
        assert_eq!(outage.pause(1.0).as_millis(), 50);
    }

    #[test]
    fn another_failure_is_said_at_once_and_the_same_one_from_time_to_time() {
        let mut outage = Outage::of("events");
        assert!(outage.is_news(&Broken::Closed));
        outage.pause(1.0);
        assert!(!outage.is_news(&Broken::Closed));
        assert!(outage.is_news(&Broken::Fenced));
        assert!(!outage.is_news(&Broken::Closed));
        for _ in 1..SAID_EVERY {
            outage.pause(1.0);
        }
        assert!(outage.is_news(&Broken::Closed));
    }

    #[test]
    fn pauses_double_up_to_two_seconds_and_half_of_each_is_chance() {
        let mut outage = Outage::of("events");
        let pauses: Vec<u128> = (0..8).map(|_| outage.pause(1.0).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(outage.pause(0.0).as_millis(), 1000);
    }
}
