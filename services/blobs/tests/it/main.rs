//! The files of a server from outside: the contract that every adapter keeps, and what is each one's own.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

mod blobs;
mod browser;
mod contract;
mod fixture;
mod folder;
#[cfg(feature = "s3")]
mod s3;
mod uploads;
