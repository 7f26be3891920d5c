//! Several real processes of one server on one Redis and one Cassandra, which stands in for ScyllaDB.
//! Run by `cargo xtask test backends`.
#![expect(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail like tests and print what failed; what none waits for passes by"
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
