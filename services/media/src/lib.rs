//! Forwards RTP between the participants of rooms. Knows no socket, no clock, no signaling.
//!
//! # The contract
//! A [`Node`] is plain state. The shell makes one call that feeds it (`seat`, `answer`, …,
//! `handle_datagram`, `handle_timeout`), then drains `poll_output` until it is empty and
//! `poll_event` likewise, then sleeps until `poll_timeout` or the next input. `now` is an
//! argument and never runs backwards; randomness is a seed given at the start. Nothing a remote
//! sends can make it panic.

mod command;
mod counters;
mod event;
/// Doors for the fuzz targets.
#[doc(hidden)]
pub mod fuzzing;
mod microphone;
mod node;
mod output;
mod participant;
mod path;
/// The control part of a peer; public for `examples/echo.rs` and the fuzz targets only.
#[doc(hidden)]
pub mod peer;
mod random;
mod room;
mod rtcp;
mod rtp;
mod slab;
mod slots;
mod speakers;
/// Packet crypto; public for `examples/echo.rs` and the fuzz targets only.
#[doc(hidden)]
pub mod srtp;
mod timers;
mod ufrag;

pub use command::{Capabilities, Offer, Place, Refusal, Seat};
pub use counters::{Counters, Discard};
pub use event::{Event, EventKind, LossCause, Seated};
pub use node::{Node, NodeConfig};
pub use output::Transmit;
pub use path::Path;
pub use peer::{Certificate, MakeCertificateError};
