//! The SFU shell: worker threads that each own a UDP socket and the rooms placed on them, and the
//! gRPC door through which signaling commands them. Holds no rule of media: that is `gryt_media`.

mod affinity;
mod candidates;
pub mod cli;
mod config;
mod convert;
mod door;
mod front;
mod inbox;
mod inquiries;
mod metrics;
mod node_addresses;
mod outcomes;
mod process;
mod roster;
mod sfu;
mod socket;
mod socket_memory;
mod termination;
mod worker;

pub use config::SfuConfig;
pub use front::Front;
pub use node_addresses::NodeAddressesError;
pub use process::{RunError, run};
pub use sfu::{AnnounceError, Occupancy, Sfu, StartError};
