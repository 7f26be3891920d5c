//! The binary as a person starts it: real processes, ports chosen by the system, folders of
//! their own.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

mod commands;
mod lan;
mod person;
mod process;
mod serving;
