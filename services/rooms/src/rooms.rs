//! The rooms of one server and the rules of coming and going.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gryt_model::{AudibleLimit, Epoch, MemberId, NodeId, ParticipantId, RoomId, SessionId};

use crate::command::{Command, Join, Seated};
use crate::effect::{Effect, End, Refusal, SeatOrder};
use crate::placement::{self, Node};
use crate::room::{Capabilities, Holder, Participant, Room, Seat, VoiceState};

mod nodes;

pub use nodes::{FOUND_GRACE, NODE_GRACE};

/// How long the place of a lost session is kept.
pub const GRACE: Duration = Duration::from_secs(15);

/// What rooms begin with.
#[derive(Debug, Clone, Copy)]
pub struct Start {
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
    epoch: Epoch,
    capacity: usize,
    next_participant: ParticipantId,
    by_id: BTreeMap<RoomId, Room>,
    places: BTreeMap<SessionId, Seated>,
    nodes: BTreeMap<NodeId, Node>,
    deadlines: BTreeSet<(Instant, Deadline)>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    Place(SessionId),
    Node(NodeId),
    Stranger(NodeId, Seated),
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
            epoch,
            first_participant,
            capacity,
        } = start;
        Self {
            epoch,
            capacity,
            next_participant: first_participant,
            by_id: BTreeMap::new(),
            places: BTreeMap::new(),
            nodes: BTreeMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Applies one command and returns what the shell must now do. A refusal is an effect too.
    pub fn handle(&mut self, command: Command, now: Instant) -> Vec<Effect> {
        match command {
            Command::Join(join) => self.join(join),
            Command::Leave { session } => self.leave(&session),
            Command::SetVoiceState { session, voice } => self.set_voice_state(session, voice),
            Command::SetCapabilities {
                member,
                capabilities,
            } => self.set_capabilities(&member, capabilities),
            Command::SetAudibleLimit { room, limit } => self.set_audible_limit(room, limit),
            Command::CloseRoom { room } => self.close(&room, End::ChannelDeleted, AtNode::Held),
            Command::SessionLost { session } => {
                self.keep_place(session, now + GRACE);
                Vec::new()
            }
            Command::SessionResumed { from, to, member } => self.resume(&from, to, &member),
            Command::SeatTaken { seat } => self.take_seat(&seat, now),
            // A node that did not answer in time may have given the seat nevertheless.
            Command::SeatRefused { seat } => self.remove(&seat, AtNode::Held),
            Command::MediaLost { seat } => self.end(&seat, End::MediaLost, AtNode::Gone),
            Command::NodeSnapshot {
                node,
                taken,
                asked_at,
            } => self.compare(&node, taken, asked_at, now),
            Command::NodeDraining { node } => {
                self.nodes.entry(node).or_default().draining = true;
                Vec::new()
            }
            Command::NodeSilent { node } => {
                self.silence(node, now + NODE_GRACE);
                Vec::new()
            }
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
                Deadline::Place(session) => effects.extend(self.leave(&session)),
                Deadline::Node(node) => effects.extend(self.lose(&node)),
                Deadline::Stranger(node, seat) => {
                    if self.participant(&seat).is_none() {
                        effects.push(self.unseat(&node, seat));
                    }
                }
            }
        }
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

    /// Whether the room is there.
    #[must_use]
    pub fn has(&self, room: &RoomId) -> bool {
        self.by_id.contains_key(room)
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

    /// How many places are taken or ordered.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.places.len()
    }

    /// Where a session sits, for calls that only the node can judge.
    #[must_use]
    pub fn seat_of(&self, session: &SessionId) -> Option<SeatOrder> {
        let seat = self.places.get(session)?;
        self.order(seat)
    }

    /// Who sits there.
    #[must_use]
    pub fn participant(&self, seat: &Seated) -> Option<&Participant> {
        self.by_id
            .get(&seat.room)?
            .participants
            .get(&seat.participant)
    }

    fn join(&mut self, join: Join) -> Vec<Effect> {
        let Join {
            session,
            member,
            room: room_id,
            audible_limit,
            voice,
            capabilities,
        } = join;
        let refuse = |session, refusal| vec![Effect::Refuse { session, refusal }];

        // Judged before anything is given up: a refused join changes nothing.
        let replaced = self.replaced_by(&room_id, &member);
        let node = match self.by_id.get(&room_id) {
            Some(room) if room.participants.len() - replaced.iter().len() >= self.capacity => {
                return refuse(session, Refusal::Full);
            }
            Some(room) => room.node.clone(),
            None => match placement::place(&self.nodes) {
                Some(node) => node.clone(),
                None => return refuse(session, Refusal::NoNode),
            },
        };

        let mut effects = self.leave(&session);
        if let Some(seat) = replaced {
            effects.extend(self.end(&seat, End::Replaced, AtNode::Held));
        }

        let id = self.next_id(&room_id);
        let room = self.by_id.entry(room_id.clone()).or_insert_with(|| Room {
            node,
            audible_limit,
            participants: BTreeMap::new(),
        });
        let holder = Holder {
            member,
            session: session.clone(),
            voice,
        };
        room.participants.insert(
            id,
            Participant {
                id,
                holder: holder.clone(),
                capabilities,
                seat: Seat::Ordered,
                kept_until: None,
            },
        );
        let audible_limit = room.audible_limit;
        let order = SeatOrder {
            node: room.node.clone(),
            room: room_id.clone(),
            epoch: self.epoch,
            participant: id,
        };
        self.nodes.entry(room.node.clone()).or_default().seats += 1;
        self.places.insert(
            session,
            Seated {
                room: room_id,
                participant: id,
            },
        );
        effects.push(Effect::Seat {
            order,
            holder,
            capabilities,
            audible_limit,
        });
        effects
    }

    /// The member's place in this room, whichever session holds it.
    fn replaced_by(&self, room: &RoomId, member: &MemberId) -> Option<Seated> {
        let participant = self.by_id.get(room)?.of_member(member)?;
        Some(Seated {
            room: room.clone(),
            participant: participant.id,
        })
    }

    /// Ids run through all of `u32` before one comes again.
    fn next_id(&mut self, room: &RoomId) -> ParticipantId {
        let taken = |id| {
            self.by_id
                .get(room)
                .is_some_and(|room| room.participants.contains_key(&id))
        };
        let mut id = self.next_participant;
        while taken(id) {
            id = following(id);
        }
        self.next_participant = following(id);
        id
    }

    fn leave(&mut self, session: &SessionId) -> Vec<Effect> {
        match self.places.get(session).cloned() {
            Some(seat) => self.remove(&seat, AtNode::Held),
            None => Vec::new(),
        }
    }

    fn set_voice_state(&mut self, session: SessionId, voice: VoiceState) -> Vec<Effect> {
        let Some(seat) = self.places.get(&session).cloned() else {
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
        let mut effects = Vec::from_iter(self.tell_holder(&seat));
        if participant.seat != Seat::Ordered {
            effects.push(Effect::Updated {
                participant,
                room: seat.room,
            });
        }
        effects
    }

    fn set_capabilities(&mut self, member: &MemberId, capabilities: Capabilities) -> Vec<Effect> {
        let epoch = self.epoch;
        let mut effects = Vec::new();
        for (id, room) in &mut self.by_id {
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
                    epoch: self.epoch,
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

    fn keep_place(&mut self, session: SessionId, until: Instant) {
        let Some(seat) = self.places.get(&session).cloned() else {
            return;
        };
        let Some(participant) = self.participant_mut(&seat) else {
            return;
        };
        // A session is lost once: what counts is the first time.
        if participant.kept_until.is_none() {
            participant.kept_until = Some(until);
            self.deadlines.insert((until, Deadline::Place(session)));
        }
    }

    fn resume(&mut self, from: &SessionId, to: SessionId, member: &MemberId) -> Vec<Effect> {
        let Some(seat) = self.places.get(from).cloned() else {
            return Vec::new();
        };
        if from == &to || self.places.contains_key(&to) {
            return Vec::new();
        }
        let Some(participant) = self.participant_mut(&seat) else {
            return Vec::new();
        };
        // Session ids are secrets of their clients; that one leaks must not give its place away.
        if participant.holder.member != *member {
            return Vec::new();
        }
        participant.holder.session = to.clone();
        if let Some(until) = participant.kept_until.take() {
            self.deadlines
                .remove(&(until, Deadline::Place(from.clone())));
        }
        self.places.remove(from);
        let effects = Vec::from_iter(self.tell_holder(&seat));
        self.places.insert(to, seat);
        effects
    }

    /// The node tells it to the process after this one.
    fn tell_holder(&self, seat: &Seated) -> Option<Effect> {
        Some(Effect::SetHolder {
            order: self.order(seat)?,
            holder: self.participant(seat)?.holder.clone(),
        })
    }

    fn take_seat(&mut self, seat: &Seated, now: Instant) -> Vec<Effect> {
        match self.participant_mut(seat) {
            Some(participant) if participant.seat == Seat::Ordered => {
                participant.seat = Seat::Taken { at: now };
                vec![Effect::Joined {
                    participant: participant.clone(),
                    room: seat.room.clone(),
                }]
            }
            // Given up while the node was asked: the call to give it up is behind this one.
            Some(_) | None => Vec::new(),
        }
    }

    /// Takes a place away and tells its session.
    fn end(&mut self, seat: &Seated, end: End, at_node: AtNode) -> Vec<Effect> {
        let Some(session) = self.participant(seat).map(|p| p.holder.session.clone()) else {
            return Vec::new();
        };
        let mut effects = self.remove(seat, at_node);
        effects.push(Effect::Ended {
            session,
            room: seat.room.clone(),
            end,
        });
        effects
    }

    /// Takes a place away: the one way out of a room.
    fn remove(&mut self, seat: &Seated, at_node: AtNode) -> Vec<Effect> {
        let Some(order) = self.order(seat) else {
            return Vec::new();
        };
        let Some(room) = self.by_id.get_mut(&seat.room) else {
            return Vec::new();
        };
        let Some(participant) = room.participants.remove(&seat.participant) else {
            return Vec::new();
        };
        if room.participants.is_empty() {
            self.by_id.remove(&seat.room);
        }
        if let Some(node) = self.nodes.get_mut(&order.node) {
            node.seats -= 1;
        }
        let session = participant.holder.session;
        self.places.remove(&session);
        if let Some(until) = participant.kept_until {
            self.deadlines.remove(&(until, Deadline::Place(session)));
        }

        let mut effects = Vec::new();
        if at_node == AtNode::Held {
            effects.push(Effect::Unseat(order));
        }
        if participant.seat != Seat::Ordered {
            effects.push(Effect::Left(seat.clone()));
        }
        effects
    }

    fn order(&self, seat: &Seated) -> Option<SeatOrder> {
        let room = self.by_id.get(&seat.room)?;
        room.participants
            .contains_key(&seat.participant)
            .then(|| SeatOrder {
                node: room.node.clone(),
                room: seat.room.clone(),
                epoch: self.epoch,
                participant: seat.participant,
            })
    }

    fn participant_mut(&mut self, seat: &Seated) -> Option<&mut Participant> {
        self.by_id
            .get_mut(&seat.room)?
            .participants
            .get_mut(&seat.participant)
    }

    fn seats_in(&self, id: &RoomId) -> Vec<Seated> {
        let room = self.by_id.get(id);
        room.into_iter()
            .flat_map(|room| room.participants.keys())
            .map(|participant| Seated {
                room: id.clone(),
                participant: *participant,
            })
            .collect()
    }

    fn seats_on(&self, node: &NodeId) -> Vec<Seated> {
        let ids = self.by_id.iter().filter(|(_, room)| room.node == *node);
        ids.flat_map(|(id, _)| self.seats_in(id)).collect()
    }
}

/// The next id, past 0.
fn following(id: ParticipantId) -> ParticipantId {
    ParticipantId::new(id.get().wrapping_add(1))
        .or_else(|| ParticipantId::new(1))
        .unwrap_or(id)
}

#[cfg(test)]
mod tests;
