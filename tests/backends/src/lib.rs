//! Real back ends for tests. Each is a guard: its processes run in a temporary folder on free ports
//! of 127.0.0.1 and end when it is dropped, also by a panic. What cannot be started panics with the
//! program's own words, for nothing can be tested then. Where the programs are is told by the
//! environment that `cargo xtask test backends` sets.
#![expect(
    clippy::panic,
    reason = "this crate is only used by tests, where a panic is the failure"
)]

pub mod cassandra;
pub mod keycloak;
mod process;
pub mod redis;
pub mod seaweedfs;
pub mod toxiproxy;
mod wait;

pub use wait::eventually;
