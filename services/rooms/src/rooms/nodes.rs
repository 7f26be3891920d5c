//! What a node says, and what follows when it says nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gryt_model::NodeId;

use super::{AtNode, Deadline, GRACE, Rooms};
use crate::command::{Seated, TakenSeat};
use crate::effect::{Effect, End, SeatOrder};
use crate::room::{Participant, Room, Seat};

/// How long the rooms of a silent node live on: media needs nobody else, so a short gap costs nothing.
pub const NODE_GRACE: Duration = Duration::from_secs(15);

/// How long a session that the process before this one served may take to come over. Pages in the
/// background try again every 30 s; a client that is really gone is noticed by the node before.
pub const FOUND_GRACE: Duration = Duration::from_secs(60);

impl Rooms {
    pub(super) fn compare(
        &mut self,
        node: &NodeId,
        taken: Vec<TakenSeat>,
        asked_at: Instant,
        now: Instant,
    ) -> Vec<Effect> {
        let heard = self.nodes.entry(node.clone()).or_default();
        heard.silent = false;
        heard.draining = false;
        let first = !std::mem::replace(&mut heard.compared, true);
        self.deadlines
            .retain(|(_, deadline)| *deadline != Deadline::Node(node.clone()));

        let mut there: BTreeMap<Seated, TakenSeat> = BTreeMap::new();
        there.extend(taken.into_iter().map(|taken| (taken.seat.clone(), taken)));
        let mut effects = Vec::new();
        for seat in self.seats_on(node) {
            let Some(participant) = self.participant(&seat) else {
                continue;
            };
            let was_taken_before = match participant.seat {
                Seat::Ordered => false,
                Seat::Taken { at } => at < asked_at,
            };
            if let Some(taken) = there.remove(&seat) {
                effects.extend(self.differences(&seat, &taken));
            } else if was_taken_before {
                effects.extend(self.end(&seat, End::NodeLost, AtNode::Gone));
            }
        }
        for stranger in there.into_values() {
            let seat = stranger.seat.clone();
            if !first {
                effects.push(self.unseat(node, seat));
            } else if let Some(joined) = self.go_on(node, stranger, now) {
                effects.push(joined);
            } else {
                // They talk on while their sessions come over and join anew.
                let stranger = Deadline::Stranger(node.clone(), seat);
                self.deadlines.insert((now + GRACE, stranger));
            }
        }
        effects.extend(self.limits_on(node));
        effects
    }

    /// What was changed here and did not reach the node.
    fn differences(&self, seat: &Seated, taken: &TakenSeat) -> Vec<Effect> {
        let (Some(participant), Some(order)) = (self.participant(seat), self.order(seat)) else {
            return Vec::new();
        };
        let mut effects = Vec::new();
        if taken.capabilities != participant.capabilities {
            effects.push(Effect::SetCapabilities {
                order: order.clone(),
                capabilities: participant.capabilities,
            });
        }
        if taken.holder.as_ref() != Some(&participant.holder) {
            effects.push(Effect::SetHolder {
                order,
                holder: participant.holder.clone(),
            });
        }
        effects
    }

    /// Goes on with a call of the process before this one; `None` if this one knows better.
    fn go_on(&mut self, node: &NodeId, taken: TakenSeat, now: Instant) -> Option<Effect> {
        let TakenSeat {
            seat,
            holder,
            capabilities,
            audible_limit,
        } = taken;
        let holder = holder?;
        let moved = self
            .by_id
            .get(&seat.room)
            .is_some_and(|room| room.node != *node || room.of_member(&holder.member).is_some());
        if moved || self.places.contains_key(&holder.session) {
            return None;
        }
        let session = holder.session.clone();
        let until = now + FOUND_GRACE;
        let participant = Participant {
            id: seat.participant,
            holder,
            capabilities,
            seat: Seat::Taken { at: now },
            kept_until: Some(until),
        };
        let room = self.by_id.entry(seat.room.clone()).or_insert_with(|| Room {
            node: node.clone(),
            audible_limit,
            participants: BTreeMap::new(),
        });
        room.participants
            .insert(seat.participant, participant.clone());
        self.nodes.entry(node.clone()).or_default().seats += 1;
        self.deadlines
            .insert((until, Deadline::Place(session.clone())));
        self.places.insert(session, seat.clone());
        Some(Effect::Joined {
            room: seat.room,
            participant,
        })
    }

    pub(super) fn unseat(&self, node: &NodeId, seat: Seated) -> Effect {
        Effect::Unseat(SeatOrder {
            node: node.clone(),
            room: seat.room,
            epoch: self.epoch,
            participant: seat.participant,
        })
    }

    /// Changes that were made while the node was not heard may have been lost; and it learns who
    /// owns the rooms now.
    fn limits_on(&self, node: &NodeId) -> Vec<Effect> {
        let rooms = self.by_id.iter().filter(|(_, room)| room.node == *node);
        rooms
            .map(|(id, room)| Effect::SetAudibleLimit {
                node: node.clone(),
                room: id.clone(),
                epoch: self.epoch,
                limit: room.audible_limit,
            })
            .collect()
    }

    pub(super) fn silence(&mut self, id: NodeId, until: Instant) {
        let node = self.nodes.entry(id.clone()).or_default();
        if !node.silent {
            node.silent = true;
            self.deadlines.insert((until, Deadline::Node(id)));
        }
    }

    pub(super) fn lose(&mut self, node: &NodeId) -> Vec<Effect> {
        let effects = self
            .seats_on(node)
            .iter()
            .flat_map(|seat| self.end(seat, End::NodeLost, AtNode::Gone))
            .collect();
        // Known still: when it is heard again, whoever sits there has been told that they do not.
        effects
    }
}
