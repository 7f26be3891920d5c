//! One room and who is in it.

use std::collections::BTreeMap;
use std::time::Instant;

use gryt_model::{AudibleLimit, Epoch, MemberId, NodeId, ParticipantId, SessionId, WatcherId};

use crate::command::TakenSeat;

/// What the others see of a participant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VoiceState {
    /// Chose to be silent.
    pub muted: bool,
    /// Chose to hear nothing.
    pub deafened: bool,
    /// Joined without a microphone.
    pub listen_only: bool,
}

/// What a participant may do, enforced by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Be heard.
    pub may_speak: bool,
    /// Be seen.
    pub may_show: bool,
}

/// Who holds a place. The node keeps it for the process that comes after this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The person.
    pub member: MemberId,
    /// The session that holds the place.
    pub session: SessionId,
    /// The process that serves the session.
    pub watcher: WatcherId,
    /// What the others see.
    pub voice: VoiceState,
}

/// One device of a member in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// Unique in the room.
    pub id: ParticipantId,
    /// Whose place it is.
    pub holder: Holder,
    /// What the node enforces.
    pub capabilities: Capabilities,
    /// How far the node is with the seat.
    pub(crate) seat: Seat,
    /// Until when a resumed session finds the place kept.
    pub(crate) kept_until: Option<Instant>,
    /// The node was asked for the place and has not said yet whose it is.
    pub(crate) asked: Option<Asked>,
}

/// A place that was ordered, or is to come over from another session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The session that the node should know as its holder until then; `None` for an order.
    pub(crate) from: Option<SessionId>,
    /// What the node said of it meanwhile: it may be another process's.
    pub(crate) seen: Option<TakenSeat>,
}

/// How far a node is with a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// Asked for: nobody was told of the participant.
    Ordered,
    /// Taken, and everyone was told.
    Taken {
        /// Ascending over all seats of the node.
        number: u64,
    },
}

/// A voice channel's live session. Never empty.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) node: NodeId,
    /// The ownership that its node was commanded with.
    pub(crate) epoch: Epoch,
    pub(crate) audible_limit: AudibleLimit,
    pub(crate) participants: BTreeMap<ParticipantId, Participant>,
}

impl Room {
    /// The place of a member, of which there is one at most.
    pub(crate) fn of_member(&self, member: &MemberId) -> Option<&Participant> {
        self.participants
            .values()
            .find(|p| p.holder.member == *member)
    }
}
