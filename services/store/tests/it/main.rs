//! The store from outside: the contract that every adapter keeps, and what is an adapter's own.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

#[cfg(feature = "cql")]
mod cassandra;
mod channels;
mod contract;
#[cfg(feature = "cql")]
mod cql;
mod files;
mod fixture;
mod killed;
mod members;
mod messages;
mod sqlite;
