//! What happens to rooms.

use std::collections::BTreeSet;

use gryt_model::{
    AudibleLimit, Epoch, MemberId, NodeId, ParticipantId, RoomId, SessionId, WatcherId,
};

use crate::room::{Capabilities, Holder, VoiceState};

/// A session asks for a place in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Who asks.
    pub session: SessionId,
    /// The person behind the session.
    pub member: MemberId,
    /// Where to.
    pub room: RoomId,
    /// The channel's setting, for a room that is made by this.
    pub audible_limit: AudibleLimit,
    /// What the others see.
    pub voice: VoiceState,
    /// What the node enforces.
    pub capabilities: Capabilities,
}

/// A place that a node says is taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seated {
    /// Where.
    pub room: RoomId,
    /// Who.
    pub participant: ParticipantId,
}

/// A place that a node says is taken, and what it keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSeat {
    /// Which.
    pub seat: Seated,
    /// Whose; `None` if the node does not know.
    pub holder: Option<Holder>,
    /// What the node enforces.
    pub capabilities: Capabilities,
    /// The room's.
    pub audible_limit: AudibleLimit,
    /// Ascending over all seats of the node.
    pub number: u64,
    /// The room's.
    pub epoch: Epoch,
}

/// Something that happened, for [`crate::Rooms::handle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A session wants in. Gives up every other place of the session, and the place of another
    /// session of the member in the same room.
    Join(Join),
    /// A session wants out of whatever room it is in.
    Leave {
        /// Who.
        session: SessionId,
    },
    /// A session muted, deafened, or the reverse.
    SetVoiceState {
        /// Who.
        session: SessionId,
        /// `listen_only` is left as it was when joining.
        voice: VoiceState,
    },
    /// What a member may do has changed, in every room.
    SetCapabilities {
        /// Who.
        member: MemberId,
        /// From now on.
        capabilities: Capabilities,
    },
    /// The channel's setting has changed.
    SetAudibleLimit {
        /// Where; ignored when nobody is there.
        room: RoomId,
        /// From now on.
        limit: AudibleLimit,
    },
    /// The channel is gone.
    CloseRoom {
        /// Where; ignored when nobody is there.
        room: RoomId,
    },
    /// The socket is gone. The place is kept for [`crate::GRACE`].
    SessionLost {
        /// Who.
        session: SessionId,
    },
    /// A new socket goes on for an old one, which may not have been noticed as lost.
    SessionResumed {
        /// The old one.
        from: SessionId,
        /// The new one.
        to: SessionId,
        /// Has to be the old session's member.
        member: MemberId,
    },
    /// The node gave the seat that [`crate::Effect::Seat`] ordered.
    SeatTaken {
        /// Who says so.
        node: NodeId,
        /// Which.
        seat: Seated,
        /// Ascending over all seats of the node.
        number: u64,
    },
    /// The node refused the seat, or did not answer.
    SeatRefused {
        /// Who says so.
        node: NodeId,
        /// Which.
        seat: Seated,
    },
    /// The node refused the seat, because another process gave its id to somebody else. It is
    /// ordered again with another one, unless it was given up meanwhile.
    IdTaken {
        /// Who says so.
        node: NodeId,
        /// Which.
        seat: Seated,
    },
    /// The node refused what [`crate::Effect::SetHolder`] ordered: yet another session was faster.
    HolderRefused {
        /// Who says so.
        node: NodeId,
        /// Which.
        seat: Seated,
    },
    /// The node did not answer what [`crate::Effect::SetHolder`] or
    /// [`crate::Effect::SetCapabilities`] ordered.
    Unanswered {
        /// Who says nothing.
        node: NodeId,
        /// Which.
        seat: Seated,
    },
    /// Somebody sits on a node, or is held or permitted differently.
    SeatSeen {
        /// Where.
        node: NodeId,
        /// Who.
        taken: TakenSeat,
    },
    /// Somebody's place on a node was given up on command.
    SeatLeft {
        /// Who says so.
        node: NodeId,
        /// Which.
        seat: Seated,
        /// The seat's.
        number: u64,
    },
    /// A signaling process watches a node.
    WatcherCame {
        /// Which node.
        node: NodeId,
        /// Which process.
        watcher: WatcherId,
    },
    /// A signaling process stopped to watch a node: nobody serves its sessions, as it seems.
    WatcherGone {
        /// Which node.
        node: NodeId,
        /// Which process.
        watcher: WatcherId,
    },
    /// The node gave the place up by itself.
    MediaLost {
        /// Who says so.
        node: NodeId,
        /// Which.
        seat: Seated,
        /// The seat's.
        number: u64,
    },
    /// A node was heard: who sits on it. Sessions of processes that do not watch it are waited for
    /// until [`crate::FOUND_GRACE`].
    NodeSnapshot {
        /// Which.
        node: NodeId,
        /// Everyone who sits there.
        taken: Vec<TakenSeat>,
        /// The processes that watch it.
        watchers: BTreeSet<WatcherId>,
        /// How many seats the node had given when it made the list: those that it gave later may
        /// be missing.
        seats_given: u64,
    },
    /// A node takes no new rooms, until its next snapshot says otherwise by not being followed by
    /// this. Rooms that are there stay and take participants.
    NodeDraining {
        /// Which.
        node: NodeId,
    },
    /// A node is not heard any more. Its rooms live on for [`crate::NODE_GRACE`], or until somebody
    /// joins them after [`crate::SHORT_SILENCE`] while another node is heard.
    NodeSilent {
        /// Which.
        node: NodeId,
    },
    /// A node's process has ended: nothing, or another life, is at its address. One that drained is
    /// only silent, for its successor may be there already.
    NodeGone {
        /// Which.
        node: NodeId,
    },
}
