//! The node as its callers see it, on a virtual clock: clients with real ICE, DTLS and SRTP over
//! in-memory links.

mod allocation;
mod client;
mod hostile;
mod rooms;
mod selection;
mod voice;
mod world;
