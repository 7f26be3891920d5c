//! The node as its callers see it, on a virtual clock: clients with real ICE, DTLS and SRTP over
//! in-memory links.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test's own helpers fail loudly"
)]

mod allocation;
mod client;
mod hostile;
mod rooms;
mod selection;
mod voice;
mod world;
