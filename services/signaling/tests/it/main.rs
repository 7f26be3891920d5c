//! Signaling as clients and SFUs see it: a real HTTP server, a real store, a small SFU, an issuer.

mod chat;
mod client;
mod doors;
mod issuer;
mod resume;
mod sessions;
mod sfu;
mod voice;
mod world;
