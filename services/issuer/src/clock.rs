//! The wall clock, read here and nowhere else in this crate.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the HTTP handlers take for now.
#[expect(
    clippy::disallowed_methods,
    reason = "the shell of this crate; everything below it takes `now`"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Seconds since 1970, the form of times in tokens and in the database.
pub(crate) fn unix_secs(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
