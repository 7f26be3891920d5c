//! What signaling asks of a node, and why it may be refused. Mirrors `gryt.sfu.v1`.

use gryt_model::{AudibleLimit, Epoch, ParticipantId, RoomId};

/// Names a place in a room, and the caller's right to command it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room.
    pub room: RoomId,
    /// The caller's ownership of the room.
    pub epoch: Epoch,
    /// Chosen by signaling, unique in the room.
    pub participant: ParticipantId,
}

/// A place to take. The room is made on the first one.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Which.
    pub place: Place,
    /// What the participant may do.
    pub capabilities: Capabilities,
    /// The room's audible limit.
    pub audible_limit: AudibleLimit,
}

/// What a participant may do, whatever its client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Its microphone is forwarded.
    pub may_speak: bool,
    /// Its camera and screen are forwarded.
    pub may_show: bool,
}

/// An SDP offer for a participant's client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Ascending per participant; the answer names it.
    pub revision: u32,
    /// RFC 8829.
    pub sdp: String,
}

/// Why a command was not carried out. `Display` is the text for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The epoch is lower than one that was seen for this room.
    #[error("the room is owned at epoch {}", highest.0)]
    StaleEpoch {
        /// The highest epoch seen.
        highest: Epoch,
    },
    /// Nobody sits in this room.
    #[error("the room is not on this node")]
    UnknownRoom,
    /// The room has no such participant.
    #[error("the participant does not sit in the room")]
    UnknownParticipant,
    /// The node has no place left.
    #[error("all {places} places are taken")]
    Full {
        /// The configured number.
        places: usize,
    },
    /// The answer does not fit the offer.
    #[error("the answer does not fit the offer: {what}")]
    BadAnswer {
        /// Where.
        what: String,
    },
    /// A newer offer is out.
    #[error("the latest offer has revision {latest}")]
    StaleOffer {
        /// The revision to answer.
        latest: u32,
    },
}
