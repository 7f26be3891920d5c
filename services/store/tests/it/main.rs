//! The store from outside: the contract that every adapter keeps, and what is SQLite's own.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

mod channels;
mod contract;
mod fixture;
mod killed;
mod members;
mod messages;
mod sqlite;
