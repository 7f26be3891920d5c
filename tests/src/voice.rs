//! A scripted participant's media: answers the SFU's offers, speaks and listens.
//!
//! Built on `rtc`, the sans-IO core that the `webrtc` crate wraps: that crate hides its socket and
//! drops packets when one of its queues is full, so a gap would not tell who lost the packet.

mod peer;
mod reception;
mod sdp;
mod speech;

pub use peer::{Voice, VoiceConfig};
pub use reception::{Reception, SlotRecord};
pub use sdp::Offered;
pub use speech::Spoken;
