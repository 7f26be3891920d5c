//! What the shell must do about it.

use gryt_model::{AudibleLimit, Epoch, MemberId, NodeId, ParticipantId, RoomId, SessionId};

use crate::command::Seated;
use crate::room::{Capabilities, Holder, Participant};

/// A call to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatOrder {
    /// Whom to call.
    pub node: NodeId,
    /// Where.
    pub room: RoomId,
    /// The ownership to call with.
    pub epoch: Epoch,
    /// Who.
    pub participant: ParticipantId,
}

/// What the shell must now do. Calls to a room's node keep their order while the room is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Call the node for a seat, tell the outcome by `SeatTaken` or `SeatRefused`, and hand the
    /// offer to the session.
    Seat {
        /// Which.
        order: SeatOrder,
        /// Who asked.
        holder: Holder,
        /// What it may do.
        capabilities: Capabilities,
        /// The room's limit.
        audible_limit: AudibleLimit,
    },
    /// Call the node to give the seat up.
    Unseat {
        /// Which.
        order: SeatOrder,
        /// Whose it is as this process knows it: the node keeps it if it has gone to another
        /// session meanwhile. `None` if nobody knows.
        held_by: Option<SessionId>,
    },
    /// Call the node to change what a participant may do.
    SetCapabilities {
        /// Which.
        order: SeatOrder,
        /// Whose: the node changes nothing if somebody else has the id.
        member: MemberId,
        /// From now on.
        capabilities: Capabilities,
    },
    /// Call the node to change who holds a place.
    SetHolder {
        /// Which.
        order: SeatOrder,
        /// Until now, as the node should know it.
        from: SessionId,
        /// From now on.
        holder: Holder,
    },
    /// Call the node to change a room's audible limit.
    SetAudibleLimit {
        /// Whom to call.
        node: NodeId,
        /// Where.
        room: RoomId,
        /// The ownership to call with.
        epoch: Epoch,
        /// From now on.
        limit: AudibleLimit,
    },
    /// Tell everyone who may see it: a participant is there.
    Joined {
        /// Where.
        room: RoomId,
        /// Who.
        participant: Participant,
    },
    /// Tell everyone who may see it: a participant changed.
    Updated {
        /// Where.
        room: RoomId,
        /// As it is now.
        participant: Participant,
    },
    /// Tell everyone who saw it join: a participant is gone.
    Left(Seated),
    /// Tell the session: its place is gone, and not by its own wish.
    Ended {
        /// Whom to tell.
        session: SessionId,
        /// Where.
        room: RoomId,
        /// Why.
        end: End,
    },
    /// Tell the session that its command was refused.
    Refuse {
        /// Whom to tell.
        session: SessionId,
        /// Why.
        refusal: Refusal,
    },
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The room has no place left.
    Full,
    /// No node takes rooms.
    NoNode,
    /// The session is in no room.
    NotInRoom,
}

/// Why a place was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The channel was deleted.
    ChannelDeleted,
    /// No media came.
    MediaLost,
    /// The node is gone.
    NodeLost,
    /// The member joined the room with another session.
    Replaced,
}
