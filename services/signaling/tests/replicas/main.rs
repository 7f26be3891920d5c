//! Several real processes of one server on one Redis and one Cassandra, which stands in for ScyllaDB.
//! Run by `cargo xtask test backends`.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

mod chat;
mod chatter;
mod credentials;
mod isolation;
mod issuer;
mod limits;
mod presence;
mod replica;
mod server;
mod starts;
mod way;
