//! What a node says, and what follows when it says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use gryt_model::{NodeId, WatcherId};

use super::{AtNode, Deadline, GRACE, Rooms};
use crate::command::{Seated, TakenSeat};
use crate::effect::{Effect, End, SeatOrder};
use crate::room::{Holder, Participant, Room, Seat};

/// How long a session whose process is gone may take to come over. Pages in the background try
/// again every 30 s; a client that is really gone is noticed by the node before.
pub const FOUND_GRACE: Duration = Duration::from_secs(60);

/// A node's first word.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) taken: Vec<TakenSeat>,
    pub(super) watchers: BTreeSet<WatcherId>,
    pub(super) seats_given: u64,
}

impl Rooms {
    pub(super) fn compare(&mut self, node: &NodeId, heard: Heard, now: Instant) -> Vec<Effect> {
        let Heard {
            taken,
            watchers,
            seats_given,
        } = heard;
        let known = self.nodes.entry(node.clone()).or_default();
        known.silent = None;
        known.draining = false;
        known.watchers = watchers;
        known.seats_given = seats_given;
        let first = !std::mem::replace(&mut known.compared, true);
        self.deadlines
            .retain(|(_, deadline)| *deadline != Deadline::Node(node.clone()));

        self.overruled.retain(|(at, _), _| at != node);
        let mut there: BTreeMap<Seated, TakenSeat> = BTreeMap::new();
        there.extend(taken.into_iter().map(|taken| (taken.seat.clone(), taken)));
        let mut effects = Vec::new();
        for seat in self.seats_on(node) {
            let Some(participant) = self.participant(&seat) else {
                continue;
            };
            let was_taken_before = match participant.seat {
                Seat::Ordered => false,
                Seat::Taken { number } => number <= seats_given,
            };
            if let Some(taken) = there.remove(&seat) {
                effects.extend(self.differences(&seat, &taken));
                effects.extend(self.see(node, taken, now));
            } else if was_taken_before {
                effects.extend(self.end(&seat, End::NodeLost, AtNode::Gone));
            } else {
                self.forget_seen(&seat);
            }
        }
        for stranger in there.into_values() {
            let seat = stranger.seat.clone();
            let of = stranger.holder.as_ref().map(|holder| &holder.watcher);
            match of {
                // A call to give it up went astray.
                Some(watcher) if *watcher == self.watcher => {
                    effects.push(self.unseat_stranger(node, &stranger))
                }
                Some(_) => effects.extend(self.see(node, stranger, now)),
                // Of a process that names no holders: its sessions join anew meanwhile.
                None if first => {
                    let stranger = Deadline::Stranger(node.clone(), seat, stranger.epoch);
                    self.deadlines.insert((now + GRACE, stranger));
                }
                None => effects.push(self.unseat_stranger(node, &stranger)),
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
        let node_knows = taken.holder.as_ref();
        let asked_from = participant.asked.as_ref().and_then(|a| a.from.as_ref());
        let is_ours = node_knows.is_none_or(|there| {
            there.watcher == self.watcher || Some(&there.session) == asked_from
        });
        if !self.is_own(participant) || !is_ours {
            return Vec::new();
        }
        let mut effects = Vec::new();
        if taken.capabilities != participant.capabilities {
            effects.push(Effect::SetCapabilities {
                order: order.clone(),
                member: participant.holder.member.clone(),
                capabilities: participant.capabilities,
            });
        }
        if node_knows != Some(&participant.holder) {
            let holder = participant.holder.clone();
            let from = node_knows.map_or_else(|| holder.session.clone(), |h| h.session.clone());
            effects.push(Effect::SetHolder {
                order,
                from,
                holder,
            });
        }
        effects
    }

    /// The node did not answer: what it was told is told again.
    pub(super) fn call_again(&self, seat: &Seated) -> Vec<Effect> {
        let (Some(participant), Some(order)) = (self.participant(seat), self.order(seat)) else {
            return Vec::new();
        };
        let mut effects = vec![Effect::SetCapabilities {
            order: order.clone(),
            member: participant.holder.member.clone(),
            capabilities: participant.capabilities,
        }];
        if self.is_own(participant) {
            let holder = participant.holder.clone();
            let asked_from = participant.asked.as_ref().and_then(|a| a.from.clone());
            effects.push(Effect::SetHolder {
                order,
                from: asked_from.unwrap_or_else(|| holder.session.clone()),
                holder,
            });
        }
        effects
    }

    /// A node says that somebody sits there, as they are held and permitted now.
    pub(super) fn see(&mut self, node: &NodeId, taken: TakenSeat, now: Instant) -> Vec<Effect> {
        let Some(holder) = taken.holder.clone() else {
            return Vec::new();
        };
        // Rooms that are made here from now on outrank what was there before.
        self.epoch = self.epoch.max(taken.epoch);
        if let Some(room) = self.by_id.get_mut(&taken.seat.room)
            && room.node == *node
        {
            room.epoch = room.epoch.max(taken.epoch);
        }
        let room = self.by_id.get(&taken.seat.room);
        let elsewhere = room.filter(|room| room.node != *node);
        if elsewhere.is_none() && self.participant(&taken.seat).is_some() {
            return self.see_again(taken, holder, now);
        }
        // Given up here: the call to give it up there is under way.
        if holder.watcher == self.watcher {
            return Vec::new();
        }
        let mut effects = Vec::new();
        if let Some(room) = elsewhere {
            // Owners of one epoch may have chosen different nodes at the same time.
            if (taken.epoch, node) < (room.epoch, &room.node) {
                self.overrule(node.clone(), taken, now);
                return Vec::new();
            }
            effects.extend(self.leave_behind(&taken.seat.room, now));
        }
        effects.extend(self.let_in(node, taken, holder, now));
        effects
    }

    fn let_in(
        &mut self,
        node: &NodeId,
        taken: TakenSeat,
        holder: Holder,
        now: Instant,
    ) -> Vec<Effect> {
        let TakenSeat {
            seat,
            holder: _,
            capabilities,
            audible_limit,
            number,
            epoch,
        } = taken;
        let member = holder.member.clone();
        let participant = Participant {
            id: seat.participant,
            holder,
            capabilities,
            seat: Seat::Taken { number },
            kept_until: None,
            asked: None,
        };
        self.by_id.entry(seat.room.clone()).or_insert_with(|| Room {
            node: node.clone(),
            epoch,
            audible_limit,
            participants: BTreeMap::new(),
        });
        self.insert(seat.room.clone(), participant);
        self.wait_for_its_session(&seat, now);
        let joined = self.participant(&seat).map(|participant| Effect::Joined {
            room: seat.room.clone(),
            participant: participant.clone(),
        });
        let mut effects = Vec::from_iter(joined);
        effects.extend(self.settle_doubles(&seat.room, &member));
        effects
    }

    /// News of a place that is known.
    fn see_again(&mut self, taken: TakenSeat, holder: Holder, now: Instant) -> Vec<Effect> {
        let own_news = holder.watcher == self.watcher;
        let seat = taken.seat.clone();
        let Some(participant) = self.participant(&seat) else {
            return Vec::new();
        };
        let is_own = self.is_own(participant);
        let is_ordered = match participant.seat {
            // Of the session that had the id before.
            Seat::Taken { number } if taken.number < number => return Vec::new(),
            Seat::Taken { .. } => false,
            Seat::Ordered => true,
        };
        if own_news && !is_own {
            // It came over and was given up here, while the node still told of it as it was.
            let node = self.order(&seat).map(|order| order.node);
            let mut effects = self.remove(&seat, AtNode::Gone);
            effects.extend(node.map(|node| self.unseat_stranger(&node, &taken)));
            return effects;
        }
        if own_news {
            // The stream is faster than the reply to the order. The session may have resumed since.
            if is_ordered {
                return self.take_seat(&seat, taken.number);
            }
            // Of the session that held it before: the call to say so is under way.
            if participant.holder.session != holder.session {
                return Vec::new();
            }
            if let Some(participant) = self.participant_mut(&seat) {
                participant.asked = None;
            }
            return self.differences(&seat, &taken);
        }
        if let Some(participant) = self.participant_mut(&seat)
            && let Some(asked) = &mut participant.asked
        {
            // From before the node knew of the question, or of a faster process: its reply will
            // say which.
            asked.seen = Some(taken);
            return Vec::new();
        }
        self.show(taken, holder, now)
    }

    /// Shows a place as another process has it.
    fn show(&mut self, taken: TakenSeat, holder: Holder, now: Instant) -> Vec<Effect> {
        let seat = taken.seat;
        let Some(participant) = self.participant_mut(&seat) else {
            return Vec::new();
        };
        participant.capabilities = taken.capabilities;
        participant.seat = Seat::Taken {
            number: taken.number,
        };
        let differs = participant.holder.voice != holder.voice;
        self.stop_keeping(&seat);
        self.hold(&seat, holder);
        self.wait_for_its_session(&seat, now);
        let participant = self.participant(&seat).filter(|_| differs).cloned();
        let updated = participant.map(|participant| Effect::Updated {
            room: seat.room,
            participant,
        });
        Vec::from_iter(updated)
    }

    /// The node refused to let a place come here: another process was faster.
    pub(super) fn give_way(&mut self, seat: &Seated, now: Instant) -> Vec<Effect> {
        match self.take_seen(seat) {
            Some((taken, holder)) => self.show(taken, holder, now),
            // The stream will say whose it is.
            None => Vec::new(),
        }
    }

    /// The node refused an id that is another process's: the place is ordered again with another.
    pub(super) fn give_id_up(&mut self, seat: &Seated, now: Instant) -> Vec<Effect> {
        let (Some(ordered), Some(order)) = (self.participant(seat).cloned(), self.order(seat))
        else {
            return Vec::new();
        };
        // Given up here, and whose it is has been told.
        if !self.is_own(&ordered) || ordered.seat != Seat::Ordered {
            return Vec::new();
        }
        let audible_limit = self.by_id.get(&seat.room).map(|room| room.audible_limit);
        let seen = self.take_seen(seat);
        let mut effects = self.remove(seat, AtNode::Gone);
        if let Some((taken, _)) = seen {
            effects.extend(self.see(&order.node, taken, now));
        }
        // Who was seen may have moved the room, and so may everybody be told to come along.
        let moved = self
            .by_id
            .get(&seat.room)
            .filter(|room| room.node != order.node);
        if moved.is_none() {
            self.by_id.entry(seat.room.clone()).or_insert_with(|| Room {
                node: order.node,
                epoch: order.epoch,
                audible_limit: audible_limit.unwrap_or_default(),
                participants: BTreeMap::new(),
            });
            effects.extend(self.order_seat(&seat.room, ordered));
        }
        effects
    }

    /// What the node said of a place while it was asked for it.
    fn take_seen(&mut self, seat: &Seated) -> Option<(TakenSeat, Holder)> {
        let taken = self.participant_mut(seat)?.asked.take()?.seen?;
        let holder = taken.holder.clone()?;
        Some((taken, holder))
    }

    pub(super) fn see_left(&mut self, seat: &Seated, number: u64) -> Vec<Effect> {
        if !self.is_about(seat, number) {
            return Vec::new();
        }
        let Some(participant) = self.participant(seat) else {
            return Vec::new();
        };
        // Not by this process: the member joined with another session, as a rule.
        let elsewhere = self.by_id.get(&seat.room).is_some_and(|room| {
            let member = &participant.holder.member;
            let mut others = room.participants.values();
            others.any(|other| other.id != seat.participant && other.holder.member == *member)
        });
        let end = if elsewhere {
            End::Replaced
        } else {
            End::MediaLost
        };
        self.end(seat, end, AtNode::Gone)
    }

    pub(super) fn see_lost(&mut self, seat: &Seated, number: u64) -> Vec<Effect> {
        if self.is_about(seat, number) {
            self.end(seat, End::MediaLost, AtNode::Gone)
        } else {
            Vec::new()
        }
    }

    /// Whether the end of a seat of this number is the end of the place as it is known: the id may
    /// have been another session's before.
    fn is_about(&mut self, seat: &Seated, number: u64) -> bool {
        let Some(participant) = self.participant(seat) else {
            return false;
        };
        let about = match participant.seat {
            Seat::Ordered => false,
            Seat::Taken { number: known } => known <= number,
        };
        self.forget_seen(seat);
        about
    }

    /// The node has said that nobody else sits there.
    fn forget_seen(&mut self, seat: &Seated) {
        let asked = self
            .participant_mut(seat)
            .and_then(|participant| participant.asked.as_mut());
        if let Some(asked) = asked {
            asked.seen = None;
        }
    }

    pub(super) fn watcher_came(
        &mut self,
        id: &NodeId,
        watcher: &WatcherId,
        now: Instant,
    ) -> Vec<Effect> {
        let node = self.nodes.entry(id.clone()).or_default();
        node.watchers.insert(watcher.clone());
        self.wait_for_sessions_of(id, watcher, now);
        Vec::new()
    }

    pub(super) fn watcher_gone(
        &mut self,
        id: &NodeId,
        watcher: &WatcherId,
        now: Instant,
    ) -> Vec<Effect> {
        let node = self.nodes.entry(id.clone()).or_default();
        node.watchers.remove(watcher);
        self.wait_for_sessions_of(id, watcher, now);
        Vec::new()
    }

    fn wait_for_sessions_of(&mut self, node: &NodeId, watcher: &WatcherId, now: Instant) {
        let here = std::mem::take(&mut self.overruled);
        for ((at, _), taken) in here {
            self.overrule(at, taken, now);
        }
        for seat in self.seats_on(node) {
            let of = self.participant(&seat).map(|p| &p.holder.watcher);
            if of == Some(watcher) {
                self.wait_for_its_session(&seat, now);
            }
        }
    }

    /// A place of another process is kept for its session while that process is gone.
    fn wait_for_its_session(&mut self, seat: &Seated, now: Instant) {
        let Some(participant) = self.participant(seat) else {
            return;
        };
        if self.is_own(participant) {
            return;
        }
        let node = self
            .by_id
            .get(&seat.room)
            .and_then(|room| self.nodes.get(&room.node));
        if node.is_some_and(|node| node.watchers.contains(&participant.holder.watcher)) {
            self.stop_keeping(seat);
        } else {
            self.keep_place(seat, now + FOUND_GRACE);
        }
    }

    /// For a place that nobody here knows.
    fn unseat_stranger(&self, node: &NodeId, stranger: &TakenSeat) -> Effect {
        let (seat, holder) = (&stranger.seat, stranger.holder.as_ref());
        Effect::Unseat {
            order: SeatOrder {
                node: node.clone(),
                room: seat.room.clone(),
                epoch: stranger.epoch,
                participant: seat.participant,
            },
            held_by: holder.map(|holder| holder.session.clone()),
        }
    }

    /// Changes that were made while the node was not heard may have been lost; and it learns who
    /// owns the rooms now.
    fn limits_on(&self, node: &NodeId) -> Vec<Effect> {
        let rooms = self.by_id.iter().filter(|(_, room)| room.node == *node);
        rooms
            .map(|(id, room)| Effect::SetAudibleLimit {
                node: node.clone(),
                room: id.clone(),
                epoch: room.epoch,
                limit: room.audible_limit,
            })
            .collect()
    }
}
