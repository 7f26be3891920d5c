//! Waits on conditions.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take; machines under test are busy ones.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits until there is an answer.
///
/// # Panics
/// When there is none after a minute; `what` says what was awaited.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(LONGEST, what, ask)
}

/// Waits until there is an answer, for what may take longer.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where this crate waits: it asks again until there is an answer"
)]
pub(crate) fn eventually_within<T>(
    longest: Duration,
    what: &str,
    mut ask: impl FnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + longest;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
