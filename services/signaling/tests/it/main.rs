//! Signaling as clients and SFUs see it: a real HTTP server, a real store, a small SFU, an issuer.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail like tests, and events that a test does not wait for pass by"
)]

mod background;
mod chat;
mod client;
mod doors;
mod found;
mod invites;
mod issuer;
mod keycloak;
mod replicas;
mod resume;
#[cfg(feature = "back-ends")]
mod s3_files;
mod sessions;
mod sfu;
mod voice;
mod world;
