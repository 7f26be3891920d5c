//! The tests' one clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for durations.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests run in real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Now, for tokens: since 1970.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "tests run in real time")]
pub fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}
