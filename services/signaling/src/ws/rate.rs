//! How fast one session may ask.

use std::time::{Duration, Instant};

/// A token bucket: refills over time up to a burst; each request takes one.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    refilled_at: Instant,
}

impl Bucket {
    /// Starts full.
    pub(crate) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            tokens: burst.into(),
            refilled_at: now,
        }
    }

    /// Takes one, or says after which time there will be one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let passed = now
            .saturating_duration_since(self.refilled_at)
            .as_secs_f64();
        self.refilled_at = now;
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64(
            (1.0 - self.tokens) / self.per_second,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let start = clock::now();
        let mut bucket = Bucket::new(10, 3, start);
        for _ in 0..3 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        let wait = bucket.take(start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(bucket.take(start + Duration::from_millis(99)).is_err());
        assert_eq!(bucket.take(start + Duration::from_millis(201)), Ok(()));
    }
}
