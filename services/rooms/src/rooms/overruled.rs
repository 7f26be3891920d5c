//! Rooms that two processes placed on two nodes, before either heard of the other's: the later
//! owner's stays. Seats on the other node are not shown, and are remembered: their processes are
//! about to give them up, unless the room that overrules them ends before they hear of it.

use std::time::Instant;

use gryt_model::{Epoch, NodeId};

use super::nodes::FOUND_GRACE;
use super::{Deadline, Rooms};
use crate::command::{Seated, TakenSeat};
use crate::effect::{Effect, SeatOrder};
use crate::room::Seat;

impl Rooms {
    pub(super) fn overrule(&mut self, node: NodeId, taken: TakenSeat, now: Instant) {
        if self.is_left_alone(&node, &taken) {
            let stranger = Deadline::Stranger(node.clone(), taken.seat.clone(), taken.epoch);
            self.deadlines.insert((now + FOUND_GRACE, stranger));
        }
        self.overruled.insert((node, taken.seat.clone()), taken);
    }

    /// Whether the process that has to give the place up is gone.
    fn is_left_alone(&self, node: &NodeId, taken: &TakenSeat) -> bool {
        let watchers = self.nodes.get(node).map(|node| &node.watchers);
        let of = taken.holder.as_ref().map(|holder| &holder.watcher);
        of.is_none_or(|of| watchers.is_none_or(|watchers| !watchers.contains(of)))
    }

    /// Its time to be known is over.
    pub(super) fn give_up_stranger(
        &mut self,
        node: NodeId,
        seat: Seated,
        epoch: Epoch,
    ) -> Option<Effect> {
        let at = (node, seat);
        let overruled = self.overruled.get(&at);
        let is_due = match overruled {
            Some(taken) => self.is_left_alone(&at.0, taken),
            None => !self.is_on(&at.0, &at.1.room) || self.participant(&at.1).is_none(),
        };
        if !is_due {
            return None;
        }
        let held_by = overruled.and_then(|taken| taken.holder.as_ref());
        let held_by = held_by.map(|holder| holder.session.clone());
        self.overruled.remove(&at);
        let (node, Seated { room, participant }) = at;
        let order = SeatOrder {
            node,
            room,
            epoch,
            participant,
        };
        Some(Effect::Unseat { order, held_by })
    }

    /// What the node said last of another process's place.
    pub(super) fn of_others(&self, seat: &Seated) -> Option<(NodeId, TakenSeat)> {
        let room = self.by_id.get(&seat.room)?;
        let participant = room.participants.get(&seat.participant)?;
        let Seat::Taken { number } = participant.seat else {
            return None;
        };
        let taken = TakenSeat {
            seat: seat.clone(),
            holder: Some(participant.holder.clone()),
            capabilities: participant.capabilities,
            audible_limit: room.audible_limit,
            number,
            epoch: room.epoch,
        };
        (!self.is_own(participant)).then(|| (room.node.clone(), taken))
    }

    /// Shows the seats whose rooms are on their nodes after all.
    pub(super) fn reconsider(&mut self, now: Instant) -> Vec<Effect> {
        let outranked = |(node, seat): &(NodeId, Seated), taken: &TakenSeat| {
            let room = self.by_id.get(&seat.room);
            room.is_some_and(|room| {
                room.node != *node && (taken.epoch, node) < (room.epoch, &room.node)
            })
        };
        if self
            .overruled
            .iter()
            .all(|(at, taken)| outranked(at, taken))
        {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.overruled);
        all.into_iter()
            .flat_map(|((node, _), taken)| self.see(&node, taken, now))
            .collect()
    }
}
