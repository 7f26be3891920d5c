//! Places in rooms: who has which, and the ways in and out.

use std::time::Instant;

use gryt_model::{MemberId, NodeId, RoomId, SessionId};

use super::{AtNode, Deadline, Rooms};
use crate::command::Seated;
use crate::effect::{Effect, End, SeatOrder};
use crate::room::{Holder, Participant, Seat};

/// How many ids that were given up are not given again.
const GIVEN_UP: usize = 256;

impl Rooms {
    /// Whether this process serves the session that holds the place.
    pub(super) fn is_own(&self, participant: &Participant) -> bool {
        participant.holder.watcher == self.watcher
    }

    /// The place of a session of this process.
    pub(super) fn own_place(&self, session: &SessionId) -> Option<Seated> {
        let seat = self.places.get(session)?;
        let participant = self.participant(seat)?;
        self.is_own(participant).then(|| seat.clone())
    }

    /// The member's place in this room, whichever session holds it.
    pub(super) fn place_of(&self, room: &RoomId, member: &MemberId) -> Option<Seated> {
        let participant = self.by_id.get(room)?.of_member(member)?;
        Some(Seated {
            room: room.clone(),
            participant: participant.id,
        })
    }

    /// Puts a participant into a room that is there: the one way in.
    pub(super) fn insert(&mut self, id: RoomId, participant: Participant) {
        let Some(room) = self.by_id.get_mut(&id) else {
            return;
        };
        let seat = Seated {
            room: id,
            participant: participant.id,
        };
        self.nodes.entry(room.node.clone()).or_default().seats += 1;
        self.places.insert(participant.holder.session.clone(), seat);
        room.participants.insert(participant.id, participant);
    }

    /// Gives a place to another holder of the same member, or shows it differently.
    pub(super) fn hold(&mut self, seat: &Seated, holder: Holder) {
        let Some(participant) = self.participant_mut(seat) else {
            return;
        };
        let before = std::mem::replace(&mut participant.holder, holder.clone()).session;
        if self.places.get(&before) == Some(seat) {
            self.places.remove(&before);
        }
        self.places.insert(holder.session, seat.clone());
    }

    /// Keeps a place until then, unless its session comes back.
    pub(super) fn keep_place(&mut self, seat: &Seated, until: Instant) {
        let Some(participant) = self.participant_mut(seat) else {
            return;
        };
        // A session is lost once: what counts is the first time.
        if participant.kept_until.is_none() {
            participant.kept_until = Some(until);
            self.deadlines
                .insert((until, Deadline::Place(seat.clone())));
        }
    }

    /// The session is there.
    pub(super) fn stop_keeping(&mut self, seat: &Seated) {
        let kept = self
            .participant_mut(seat)
            .and_then(|participant| participant.kept_until.take());
        if let Some(until) = kept {
            self.deadlines
                .remove(&(until, Deadline::Place(seat.clone())));
        }
    }

    /// Of two places that a member has in a room the later one stays: two processes gave one each.
    pub(super) fn settle_doubles(&mut self, room: &RoomId, member: &MemberId) -> Vec<Effect> {
        let taken = |participant: &Participant| match participant.seat {
            Seat::Ordered => None,
            Seat::Taken { number } => Some((number, participant.id)),
        };
        let all = self
            .by_id
            .get(room)
            .into_iter()
            .flat_map(|room| room.participants.values());
        let mut doubles: Vec<_> = all
            .filter(|participant| participant.holder.member == *member)
            .filter_map(taken)
            .collect();
        doubles.sort_unstable();
        let Some((_, latest)) = doubles.pop() else {
            return Vec::new();
        };
        let seat = |participant| Seated {
            room: room.clone(),
            participant,
        };
        let is_own = |rooms: &Self, seat: &Seated| {
            rooms
                .participant(seat)
                .is_some_and(|participant| rooms.is_own(participant))
        };
        let stays_here = is_own(self, &seat(latest));
        let mut effects = Vec::new();
        for (_, id) in doubles {
            let seat = seat(id);
            if is_own(self, &seat) {
                effects.extend(self.end(&seat, End::Replaced, AtNode::Held));
            } else if stays_here {
                // Its process does the same, if it lives.
                effects.extend(self.unseat(&seat));
            }
        }
        effects
    }

    /// Takes a place away and tells its session, if it is one of this process.
    pub(super) fn end(&mut self, seat: &Seated, end: End, at_node: AtNode) -> Vec<Effect> {
        let Some(participant) = self.participant(seat) else {
            return Vec::new();
        };
        let told = self
            .is_own(participant)
            .then(|| participant.holder.session.clone());
        let mut effects = self.remove(seat, at_node);
        effects.extend(told.map(|session| Effect::Ended {
            session,
            room: seat.room.clone(),
            end,
        }));
        effects
    }

    /// Takes a place away: the one way out of a room.
    pub(super) fn remove(&mut self, seat: &Seated, at_node: AtNode) -> Vec<Effect> {
        let Some(order) = self.order(seat) else {
            return Vec::new();
        };
        self.stop_keeping(seat);
        // News of this seat that are on their way would be taken for news of the next one.
        self.given_up.truncate(GIVEN_UP - 1);
        self.given_up.push_front(seat.clone());
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
        // It may have another place already, of which another node was faster to tell.
        if self.places.get(&session) == Some(seat) {
            self.places.remove(&session);
        }

        let mut effects = Vec::new();
        if at_node == AtNode::Held {
            effects.push(Effect::Unseat {
                order,
                held_by: Some(session),
            });
        }
        if participant.seat != Seat::Ordered {
            effects.push(Effect::Left(seat.clone()));
        }
        effects
    }

    fn unseat(&self, seat: &Seated) -> Option<Effect> {
        Some(Effect::Unseat {
            order: self.order(seat)?,
            held_by: Some(self.participant(seat)?.holder.session.clone()),
        })
    }

    pub(super) fn order(&self, seat: &Seated) -> Option<SeatOrder> {
        let room = self.by_id.get(&seat.room)?;
        room.participants
            .contains_key(&seat.participant)
            .then(|| SeatOrder {
                node: room.node.clone(),
                room: seat.room.clone(),
                epoch: room.epoch,
                participant: seat.participant,
            })
    }

    pub(super) fn participant_mut(&mut self, seat: &Seated) -> Option<&mut Participant> {
        self.by_id
            .get_mut(&seat.room)?
            .participants
            .get_mut(&seat.participant)
    }

    pub(super) fn seats_in(&self, id: &RoomId) -> Vec<Seated> {
        let room = self.by_id.get(id);
        room.into_iter()
            .flat_map(|room| room.participants.keys())
            .map(|participant| Seated {
                room: id.clone(),
                participant: *participant,
            })
            .collect()
    }

    pub(super) fn seats_on(&self, node: &NodeId) -> Vec<Seated> {
        let ids = self.by_id.iter().filter(|(_, room)| room.node == *node);
        ids.flat_map(|(id, _)| self.seats_in(id)).collect()
    }
}
