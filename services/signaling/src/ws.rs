//! The browser socket.

mod greeting;
pub(crate) mod outbox;
mod rate;
mod requests;
mod session;
mod sockets;
mod upgrade;
mod writer;

pub(crate) use greeting::PROTOCOL_VERSION;
pub(crate) use sockets::Sockets;
pub(crate) use upgrade::upgrade;
