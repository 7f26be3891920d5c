//! The wall clock, read here and nowhere else in this crate.

use std::time::SystemTime;

#[expect(
    clippy::disallowed_methods,
    reason = "the binary is the shell; what it calls takes `now`"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
