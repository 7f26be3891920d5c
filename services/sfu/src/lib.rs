//! The SFU shell: worker threads that each own a UDP socket and the rooms placed on them, and the
//! gRPC door through which signaling commands them. Holds no rule of media: that is `gryt_media`.

mod affinity;
mod candidates;
mod config;
mod convert;
mod front;
mod inbox;
mod metrics;
mod outcomes;
mod roster;
mod sfu;
mod socket;
mod socket_memory;
mod worker;

pub use config::SfuConfig;
pub use front::Front;
pub use sfu::{Sfu, StartError};
