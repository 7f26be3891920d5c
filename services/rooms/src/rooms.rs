//! The rooms of one server and the rules of coming and going.
//!
//! Several processes have these rooms, each for its own sessions. The nodes are the truth about who
//! sits where: each process hears all of them, and shows its own sessions what they say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use gryt_model::{
    AudibleLimit, Epoch, MemberId, NodeId, ParticipantId, RoomId, SessionId, WatcherId,
};

use crate::command::{Command, Seated, TakenSeat};
use crate::effect::{Effect, End, Refusal, SeatOrder};
use crate::placement::Node;
use crate::room::{Capabilities, Participant, Room, Seat, VoiceState};

mod joins;
mod nodes;
mod overruled;
mod seats;
mod silence;

pub use nodes::FOUND_GRACE;
pub use silence::{NODE_GRACE, SHORT_SILENCE};

/// How long the place of a lost session is kept.
pub const GRACE: Duration = Duration::from_secs(15);

/// What rooms begin with.
#[derive(Debug, Clone)]
pub struct Start {
    /// This process, as the nodes know it.
    pub watcher: WatcherId,
    /// Higher than any owner's before: the nodes refuse lower ones.
    pub epoch: Epoch,
    /// The first id to give. Drawn anew by every process, so that an id of the one before does
    /// not soon mean somebody else.
    pub first_participant: ParticipantId,
    /// How many participants a room takes.
    pub capacity: usize,
}

/// All rooms of one server. A room is made by its first join and gone with its last participant.
#[derive(Debug)]
pub struct Rooms {
    watcher: WatcherId,
    epoch: Epoch,
    capacity: usize,
    next_participant: ParticipantId,
    by_id: BTreeMap<RoomId, Room>,
    places: BTreeMap<SessionId, Seated>,
    nodes: BTreeMap<NodeId, Node>,
    /// The latest first.
    given_up: VecDeque<Seated>,
    /// Seats of other processes on nodes that their rooms are not on.
    overruled: BTreeMap<(NodeId, Seated), TakenSeat>,
    deadlines: BTreeSet<(Instant, Deadline)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    Place(Seated),
    Node(NodeId),
    /// With the epoch of its room.
    Stranger(NodeId, Seated, Epoch),
}

/// Whether the node still holds a seat that is given up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtNode {
    Held,
    Gone,
}

impl Rooms {
    /// No room yet, and no node.
    #[must_use]
    pub fn new(start: Start) -> Self {
        let Start {
            watcher,
            epoch,
            first_participant,
            capacity,
        } = start;
        Self {
            watcher,
            epoch,
            capacity,
            next_participant: first_participant,
            by_id: BTreeMap::new(),
            places: BTreeMap::new(),
            nodes: BTreeMap::new(),
            given_up: VecDeque::new(),
            overruled: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Applies one command and returns what the shell must now do. A refusal is an effect too.
    pub fn handle(&mut self, command: Command, now: Instant) -> Vec<Effect> {
        let mut effects = self.obey(command, now);
        effects.extend(self.reconsider(now));
        effects
    }

    fn obey(&mut self, command: Command, now: Instant) -> Vec<Effect> {
        match command {
            Command::Join(join) => self.join(join, now),
            Command::Leave { session } => self.leave(&session),
            Command::SetVoiceState { session, voice } => self.set_voice_state(session, voice),
            Command::SetCapabilities {
                member,
                capabilities,
            } => self.set_capabilities(&member, capabilities),
            Command::SetAudibleLimit { room, limit } => self.set_audible_limit(room, limit),
            Command::CloseRoom { room } => self.close(&room, End::ChannelDeleted, AtNode::Held),
            Command::SessionLost { session } => {
                if let Some(seat) = self.own_place(&session) {
                    self.keep_place(&seat, now + GRACE);
                }
                Vec::new()
            }
            Command::SessionResumed { from, to, member } => self.resume(&from, to, &member),
            Command::SeatSeen { node, taken } => self.see(&node, taken, now),
            // A room that has moved since concerns its node no more.
            Command::SeatTaken { node, seat, .. }
            | Command::SeatRefused { node, seat }
            | Command::IdTaken { node, seat }
            | Command::HolderRefused { node, seat }
            | Command::Unanswered { node, seat }
                if !self.is_on(&node, &seat.room) =>
            {
                Vec::new()
            }
            Command::SeatLeft { node, seat, .. } | Command::MediaLost { node, seat, .. }
                if !self.is_on(&node, &seat.room) =>
            {
                self.overruled.remove(&(node, seat));
                Vec::new()
            }
            Command::SeatTaken { seat, number, .. } => self.hear_of_order(&seat, number),
            // A node that did not answer in time may have given the seat nevertheless.
            Command::SeatRefused { seat, .. } => self.remove(&seat, AtNode::Held),
            Command::IdTaken { seat, .. } => self.give_id_up(&seat, now),
            Command::HolderRefused { seat, .. } => self.give_way(&seat, now),
            Command::Unanswered { seat, .. } => self.call_again(&seat),
            Command::SeatLeft { seat, number, .. } => self.see_left(&seat, number),
            Command::MediaLost { seat, number, .. } => self.see_lost(&seat, number),
            Command::WatcherCame { node, watcher } => self.watcher_came(&node, &watcher, now),
            Command::WatcherGone { node, watcher } => self.watcher_gone(&node, &watcher, now),
            Command::NodeSnapshot {
                node,
                taken,
                watchers,
                seats_given,
            } => {
                let heard = nodes::Heard {
                    taken,
                    watchers,
                    seats_given,
                };
                self.compare(&node, heard, now)
            }
            Command::NodeDraining { node } => {
                self.nodes.entry(node).or_default().draining = true;
                Vec::new()
            }
            Command::NodeSilent { node } => {
                self.silence(node, now);
                Vec::new()
            }
            Command::NodeGone { node } => self.forget(&node, now),
        }
    }

    /// The next instant at which `handle_timeout` has work: kept places, silent nodes, seats of the
    /// process before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((at, _)) = self.deadlines.first()
            && *at <= now
        {
            let Some((_, deadline)) = self.deadlines.pop_first() else {
                break;
            };
            match deadline {
                Deadline::Place(seat) => effects.extend(self.remove(&seat, AtNode::Held)),
                Deadline::Node(node) => effects.extend(self.lose(&node)),
                Deadline::Stranger(node, seat, epoch) => {
                    effects.extend(self.give_up_stranger(node, seat, epoch));
                }
            }
        }
        effects.extend(self.reconsider(now));
        effects
    }

    /// Everyone who was announced, by room.
    pub fn participants(&self) -> impl Iterator<Item = (&RoomId, &Participant)> {
        self.by_id.iter().flat_map(|(id, room)| {
            room.participants
                .values()
                .filter(|participant| participant.seat != Seat::Ordered)
                .map(move |participant| (id, participant))
        })
    }

    /// Whether the room is there, and on this node.
    #[must_use]
    pub fn is_on(&self, node: &NodeId, room: &RoomId) -> bool {
        let room = self.by_id.get(room);
        room.is_some_and(|room| room.node == *node)
    }

    /// How many rooms there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no room.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many places this process's sessions have or ordered.
    #[must_use]
    pub fn seats(&self) -> usize {
        let participants = self
            .by_id
            .values()
            .flat_map(|room| room.participants.values());
        participants
            .filter(|participant| self.is_own(participant))
            .count()
    }

    /// Where a session of this process sits, for calls that only the node can judge.
    #[must_use]
    pub fn seat_of(&self, session: &SessionId) -> Option<SeatOrder> {
        self.order(&self.own_place(session)?)
    }

    /// Who sits there.
    #[must_use]
    pub fn participant(&self, seat: &Seated) -> Option<&Participant> {
        self.by_id
            .get(&seat.room)?
            .participants
            .get(&seat.participant)
    }

    fn set_voice_state(&mut self, session: SessionId, voice: VoiceState) -> Vec<Effect> {
        let Some(seat) = self.own_place(&session) else {
            return vec![Effect::Refuse {
                session,
                refusal: Refusal::NotInRoom,
            }];
        };
        let Some(participant) = self.participant_mut(&seat) else {
            return Vec::new();
        };
        let voice = VoiceState {
            listen_only: participant.holder.voice.listen_only,
            ..voice
        };
        if participant.holder.voice == voice {
            return Vec::new();
        }
        participant.holder.voice = voice;
        let participant = participant.clone();
        let mut effects = Vec::from_iter(self.tell_holder(&seat, session));
        if participant.seat != Seat::Ordered {
            effects.push(Effect::Updated {
                participant,
                room: seat.room,
            });
        }
        effects
    }

    fn set_capabilities(&mut self, member: &MemberId, capabilities: Capabilities) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (id, room) in &mut self.by_id {
            let epoch = room.epoch;
            for participant in room.participants.values_mut() {
                if participant.holder.member != *member || participant.capabilities == capabilities
                {
                    continue;
                }
                participant.capabilities = capabilities;
                effects.push(Effect::SetCapabilities {
                    order: SeatOrder {
                        node: room.node.clone(),
                        room: id.clone(),
                        epoch,
                        participant: participant.id,
                    },
                    member: member.clone(),
                    capabilities,
                });
            }
        }
        effects
    }

    fn set_audible_limit(&mut self, id: RoomId, limit: AudibleLimit) -> Vec<Effect> {
        match self.by_id.get_mut(&id) {
            Some(room) if room.audible_limit != limit => {
                room.audible_limit = limit;
                vec![Effect::SetAudibleLimit {
                    node: room.node.clone(),
                    room: id,
                    epoch: room.epoch,
                    limit,
                }]
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn close(&mut self, id: &RoomId, end: End, at_node: AtNode) -> Vec<Effect> {
        let seats = self.seats_in(id);
        seats
            .iter()
            .flat_map(|seat| self.end(seat, end, at_node))
            .collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
