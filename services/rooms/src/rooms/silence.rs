//! Nodes that are not heard, and what becomes of their rooms.

use std::time::{Duration, Instant};

use gryt_model::{NodeId, RoomId};

use super::{AtNode, Deadline, Rooms};
use crate::command::Seated;
use crate::effect::{Effect, End};

/// How long the rooms of a silent node live on: media needs nobody else, so a short gap costs nothing.
pub const NODE_GRACE: Duration = Duration::from_secs(15);

/// A stream that breaks and is opened again at once proves nothing about media: so long a silence
/// moves no room.
pub const SHORT_SILENCE: Duration = Duration::from_secs(3);

impl Rooms {
    /// The room moves to another node: who sits on this one has to follow.
    pub(super) fn leave_behind(&mut self, room: &RoomId, now: Instant) -> Vec<Effect> {
        let seats = self.seats_in(room);
        for seat in &seats {
            if let Some((node, taken)) = self.of_others(seat) {
                self.overrule(node, taken, now);
            }
        }
        self.end_unheard(&seats)
    }

    /// The node may live and hear the calls that give the places of this process up.
    fn end_unheard(&mut self, seats: &[Seated]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for seat in seats {
            let is_own = self.participant(seat).is_some_and(|p| self.is_own(p));
            let at_node = if is_own { AtNode::Held } else { AtNode::Gone };
            effects.extend(self.end(seat, End::NodeLost, at_node));
        }
        effects
    }

    pub(super) fn silence(&mut self, id: NodeId, now: Instant) {
        let node = self.nodes.entry(id.clone()).or_default();
        if node.silent.is_none() {
            node.silent = Some(now);
            self.deadlines
                .insert((now + NODE_GRACE, Deadline::Node(id)));
        }
    }

    /// Whether who joins a room on this node takes it along to another one.
    pub(super) fn is_lost_to_joiners(&self, node: &NodeId, now: Instant) -> bool {
        let since = self.nodes.get(node).and_then(|node| node.silent);
        since.is_some_and(|since| now >= since + SHORT_SILENCE)
    }

    /// Known still after this: when the node is heard again, whoever sits there has been told that
    /// they do not.
    pub(super) fn lose(&mut self, node: &NodeId) -> Vec<Effect> {
        self.overruled.retain(|(at, _), _| at != node);
        self.end_unheard(&self.seats_on(node))
    }

    pub(super) fn forget(&mut self, node: &NodeId, now: Instant) -> Vec<Effect> {
        if self.nodes.get(node).is_some_and(|node| node.draining) {
            self.silence(node.clone(), now);
            return Vec::new();
        }
        let effects = self
            .seats_on(node)
            .iter()
            .flat_map(|seat| self.end(seat, End::NodeLost, AtNode::Gone))
            .collect();
        self.nodes.remove(node);
        self.overruled.retain(|(at, _), _| at != node);
        self.deadlines.retain(|(_, deadline)| match deadline {
            Deadline::Node(id) | Deadline::Stranger(id, ..) => id != node,
            Deadline::Place(_) => true,
        });
        effects
    }
}
