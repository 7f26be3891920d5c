//! The bus from outside: the contract that every adapter keeps, and what is the local one's own.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

mod contract;
mod events;
mod fixture;
mod local;
#[cfg(feature = "redis")]
mod redis;
