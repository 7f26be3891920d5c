//! Voice rooms of one server: who is in which room, on which node. Knows no socket, no clock, no database.
//!
//! Feed commands and timeouts with the current time, perform the effects in their order, and come
//! back at [`Rooms::poll_timeout`].

mod command;
mod effect;
mod placement;
mod room;
mod rooms;

pub use command::{Command, Join, Seated, TakenSeat};
pub use effect::{Effect, End, Refusal, SeatOrder};
pub use room::{Capabilities, Holder, Participant, VoiceState};
pub use rooms::{FOUND_GRACE, GRACE, NODE_GRACE, Rooms, SHORT_SILENCE, Start};
