//! The one place of this crate that looks at a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock, for deadlines.
#[expect(clippy::disallowed_methods, reason = "the shell's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for what people and tokens say.
#[expect(clippy::disallowed_methods, reason = "the shell's clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970.
pub(crate) fn unix_ms() -> u64 {
    let since = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
