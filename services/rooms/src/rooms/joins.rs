//! How sessions get their places: by joining, or from the session before.

use std::collections::BTreeMap;
use std::time::Instant;

use gryt_model::{Epoch, MemberId, NodeId, ParticipantId, RoomId, SessionId};

use super::{AtNode, Rooms};
use crate::command::{Join, Seated};
use crate::effect::{Effect, End, Refusal};
use crate::placement;
use crate::room::{Asked, Holder, Participant, Room, Seat};

/// Where a room is, and at which epoch it is made if it is not there.
struct Place {
    node: NodeId,
    epoch: Epoch,
}

impl Rooms {
    pub(super) fn join(&mut self, join: Join, now: Instant) -> Vec<Effect> {
        let Join {
            session,
            member,
            room: id,
            audible_limit,
            voice,
            capabilities,
        } = join;
        // Judged before anything is given up: a refused join changes nothing.
        let replaced = self.place_of(&id, &member);
        let place = match self.place(&id, replaced.is_some(), now) {
            Ok(place) => place,
            Err(refusal) => return vec![Effect::Refuse { session, refusal }],
        };

        let mut effects = self.leave(&session);
        if !self.is_on(&place.node, &id) {
            effects.extend(self.leave_behind(&id, now));
        }
        // That of another process goes once this one is taken.
        let own = |seat: &Seated| self.participant(seat).is_some_and(|p| self.is_own(p));
        if let Some(seat) = replaced.filter(own) {
            effects.extend(self.end(&seat, End::Replaced, AtNode::Held));
        }
        self.by_id.entry(id.clone()).or_insert_with(|| {
            // Rooms that are made later outrank this one.
            self.epoch = place.epoch;
            Room {
                node: place.node,
                epoch: place.epoch,
                audible_limit,
                participants: BTreeMap::new(),
            }
        });
        let participant = Participant {
            id: self.next_participant,
            holder: Holder {
                member,
                session,
                watcher: self.watcher.clone(),
                voice,
            },
            capabilities,
            seat: Seat::Ordered,
            kept_until: None,
            asked: None,
        };
        effects.extend(self.order_seat(&id, participant));
        effects
    }

    /// Where the room is, or goes if it has to be made or moved.
    fn place(&self, id: &RoomId, has_seat: bool, now: Instant) -> Result<Place, Refusal> {
        let fresh = placement::place(id, &self.nodes);
        // Above the room before, whose seats are void then wherever they are heard of.
        let above = |epoch: Epoch, node: &NodeId| Place {
            node: node.clone(),
            epoch: self.epoch.max(epoch).next(),
        };
        let Some(room) = self.by_id.get(id) else {
            let node = fresh.ok_or(Refusal::NoNode)?;
            return Ok(above(self.epoch, node));
        };
        if let Some(fresh) = fresh.filter(|_| self.is_lost_to_joiners(&room.node, now)) {
            return Ok(above(room.epoch, fresh));
        }
        if room.participants.len() - usize::from(has_seat) >= self.capacity {
            return Err(Refusal::Full);
        }
        Ok(above(room.epoch, &room.node))
    }

    /// Orders a seat in a room that is there, with a new id.
    pub(super) fn order_seat(&mut self, id: &RoomId, wanted: Participant) -> Option<Effect> {
        let kept_until = wanted.kept_until;
        let participant = Participant {
            id: self.next_id(id),
            seat: Seat::Ordered,
            kept_until: None,
            asked: Some(Asked::default()),
            ..wanted
        };
        let seat = Seated {
            room: id.clone(),
            participant: participant.id,
        };
        let (holder, capabilities) = (participant.holder.clone(), participant.capabilities);
        self.insert(id.clone(), participant);
        if let Some(until) = kept_until {
            self.keep_place(&seat, until);
        }
        Some(Effect::Seat {
            order: self.order(&seat)?,
            holder,
            capabilities,
            audible_limit: self.by_id.get(id)?.audible_limit,
        })
    }

    /// Ids run through all of `u32` before one comes again.
    fn next_id(&mut self, room: &RoomId) -> ParticipantId {
        let taken = |participant| {
            let seat = Seated {
                room: room.clone(),
                participant,
            };
            self.participant(&seat).is_some() || self.given_up.contains(&seat)
        };
        let mut id = self.next_participant;
        while taken(id) {
            id = following(id);
        }
        self.next_participant = following(id);
        id
    }

    pub(super) fn leave(&mut self, session: &SessionId) -> Vec<Effect> {
        match self.own_place(session) {
            Some(seat) => self.remove(&seat, AtNode::Held),
            None => Vec::new(),
        }
    }

    pub(super) fn resume(
        &mut self,
        from: &SessionId,
        to: SessionId,
        member: &MemberId,
    ) -> Vec<Effect> {
        let Some(seat) = self.places.get(from).cloned() else {
            return Vec::new();
        };
        if from == &to || self.places.contains_key(&to) {
            return Vec::new();
        }
        let Some(participant) = self.participant(&seat) else {
            return Vec::new();
        };
        // Session ids are secrets of their clients; that one leaks must not give its place away.
        if participant.holder.member != *member {
            return Vec::new();
        }
        let holder = Holder {
            session: to,
            watcher: self.watcher.clone(),
            ..participant.holder.clone()
        };
        self.hold(&seat, holder);
        self.stop_keeping(&seat);
        if let Some(participant) = self.participant_mut(&seat) {
            // Until the first of several moves is answered the node knows the first session.
            let before = participant.asked.take().and_then(|asked| asked.from);
            participant.asked = Some(Asked {
                from: before.or_else(|| Some(from.clone())),
                seen: None,
            });
        }
        Vec::from_iter(self.tell_holder(&seat, from.clone()))
    }

    /// The node tells it to every process, and to those that come.
    pub(super) fn tell_holder(&self, seat: &Seated, from: SessionId) -> Option<Effect> {
        Some(Effect::SetHolder {
            order: self.order(seat)?,
            from,
            holder: self.participant(seat)?.holder.clone(),
        })
    }

    /// The node's reply to an order, which its stream may have overtaken.
    pub(super) fn hear_of_order(&mut self, seat: &Seated, number: u64) -> Vec<Effect> {
        let known = self.by_id.get(&seat.room).map(|room| &room.node);
        let listed = known
            .and_then(|node| self.nodes.get(node))
            .is_some_and(|node| number <= node.seats_given);
        let is_ordered = self
            .participant(seat)
            .is_some_and(|participant| participant.seat == Seat::Ordered);
        if is_ordered && listed {
            // Given before the node made its list, and gone before too, or the list had shown it.
            return self.end(seat, End::MediaLost, AtNode::Gone);
        }
        self.take_seat(seat, number)
    }

    pub(super) fn take_seat(&mut self, seat: &Seated, number: u64) -> Vec<Effect> {
        let participant = match self.participant_mut(seat) {
            Some(participant) if participant.seat == Seat::Ordered => {
                participant.seat = Seat::Taken { number };
                participant.asked = None;
                participant.clone()
            }
            // Given up while the node was asked: the call to give it up is behind this one. Or
            // the node's stream was faster than its reply.
            Some(_) | None => return Vec::new(),
        };
        let member = participant.holder.member.clone();
        let mut effects = vec![Effect::Joined {
            participant,
            room: seat.room.clone(),
        }];
        effects.extend(self.settle_doubles(&seat.room, &member));
        effects
    }
}

/// The next id, past 0.
fn following(id: ParticipantId) -> ParticipantId {
    ParticipantId::new(id.get().wrapping_add(1))
        .or_else(|| ParticipantId::new(1))
        .unwrap_or(id)
}
