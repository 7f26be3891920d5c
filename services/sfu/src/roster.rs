//! Who sits where on this node, and who watches. Seen by the front and by every worker.
//!
//! The one lock of the process. It is taken when a person comes, goes or starts to speak, or the
//! operator asks how many there are, never for a packet of media. A worker writes to it in the order in which its node acted, so a watcher's
//! snapshot and the events after it always fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gryt_media::{Capabilities, Event, EventKind, Place, Refusal, Seat};
use gryt_model::{AudibleLimit, Epoch, NodeId, ParticipantId, RoomId};
use gryt_proto::sfu::v1;
use gryt_runtime::occupancy::Occupancy;

use crate::convert;
use crate::inbox::HolderChange;

mod epochs;
mod watcher;

use epochs::Epochs;
pub(crate) use watcher::WatchItem;
use watcher::{Ended, Watcher};

/// See the module's words.
#[derive(Debug)]
pub(crate) struct Roster {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    rooms: BTreeMap<RoomId, Residence>,
    epochs: Epochs,
    worker_count: usize,
    node: NodeId,
    watchers: Vec<Watcher>,
    /// The number of the latest seat.
    seats_given: u64,
    draining: bool,
    /// Whether there is no room.
    vacant: tokio::sync::watch::Sender<bool>,
    failed_handshakes: u64,
    ended_watches: u64,
    closed: bool,
}

/// Where a room lives. It goes with its last participant and claim.
#[derive(Debug)]
struct Residence {
    worker: usize,
    /// The highest that commanded it.
    epoch: Epoch,
    /// Seats that were asked for and are not decided.
    claims: usize,
    /// As it was last set; the default before anybody sits.
    audible_limit: AudibleLimit,
    seated: BTreeMap<ParticipantId, Presence>,
}

#[derive(Debug)]
struct Presence {
    /// Ascending over all seats of the node.
    number: u64,
    connected: bool,
    speaking: bool,
    holder: Option<v1::Holder>,
    capabilities: Capabilities,
    /// The latest offer after the first one, until it is answered.
    unanswered: Option<v1::Offer>,
}

/// A watch may begin with this many offers that wait for an answer. Who is left out does not hear
/// the newest slots until these step up again, or until they join anew.
const OFFERS_AT_FIRST: usize = watcher::CAPACITY / 2;

/// Figures of the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) rooms: usize,
    pub(crate) participants: usize,
    pub(crate) draining: bool,
    pub(crate) watchers: usize,
    pub(crate) failed_handshakes: u64,
    pub(crate) ended_watches: u64,
}

impl Census {
    /// The part that the operator is told.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Occupancy {
            calls: number(self.rooms),
            participants: number(self.participants),
        }
    }
}

/// Why a room gets no seat, before a worker was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoClaim {
    /// The room is not here, and the node takes no new ones.
    Draining,
    /// The room was owned at a higher epoch when it was here last.
    Stale(Refusal),
    /// Another session holds the place.
    Taken,
}

/// Why a place did not go to another session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotHeld {
    /// There is no such place, or the caller may not command it.
    Refused(Refusal),
    /// It went to yet another session meanwhile.
    Taken,
}

/// Who wants a seat.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) place: &'a Place,
    /// Of the holder, if the caller named one.
    pub(crate) session: Option<&'a String>,
}

impl Roster {
    pub(crate) fn new(node: NodeId, worker_count: usize) -> Self {
        Self {
            state: Mutex::new(State {
                rooms: BTreeMap::new(),
                epochs: Epochs::default(),
                worker_count,
                node,
                watchers: Vec::new(),
                seats_given: 0,
                draining: false,
                vacant: tokio::sync::watch::Sender::new(true),
                failed_handshakes: 0,
                ended_watches: 0,
                closed: false,
            }),
        }
    }

    /// The worker for a seat in `room`: the room's own, else the least loaded. The claim holds
    /// the room there until [`Self::settle`].
    ///
    /// # Errors
    /// [`NoClaim`]; there is nothing to settle then.
    pub(crate) fn claim(&self, claim: &Claim<'_>) -> Result<usize, NoClaim> {
        let &Claim {
            place:
                Place {
                    room,
                    epoch,
                    participant,
                },
            session,
        } = claim;
        let (epoch, participant) = (*epoch, *participant);
        let mut state = self.state();
        let state = &mut *state;
        let here = state.rooms.get_mut(room);
        let highest = match &here {
            Some(residence) => Some(residence.epoch),
            None => state.epochs.highest(room),
        };
        if let Some(highest) = highest
            && epoch < highest
        {
            return Err(NoClaim::Stale(Refusal::StaleEpoch { highest }));
        }
        if let Some(residence) = here {
            let there = residence.seated.get(&participant);
            let holder = there.and_then(|presence| presence.holder.as_ref());
            if holder.is_some_and(|holder| session != Some(&holder.session_id)) {
                return Err(NoClaim::Taken);
            }
            residence.claims += 1;
            return Ok(residence.worker);
        }
        if state.draining {
            return Err(NoClaim::Draining);
        }
        let worker = state.least_loaded();
        let residence = Residence {
            worker,
            epoch,
            claims: 1,
            audible_limit: AudibleLimit::default(),
            seated: BTreeMap::new(),
        };
        state.rooms.insert(room.clone(), residence);
        state.epochs.forget(room);
        state.vacant.send_replace(false);
        Ok(worker)
    }

    /// A worker was commanded at this epoch and did not find it stale.
    pub(crate) fn commanded(&self, room: &RoomId, epoch: Epoch) {
        if let Some(residence) = self.state().rooms.get_mut(room) {
            residence.epoch = residence.epoch.max(epoch);
        }
    }

    /// Ends a claim, whatever became of it.
    pub(crate) fn settle(&self, room: &RoomId) {
        let mut state = self.state();
        if let Some(residence) = state.rooms.get_mut(room) {
            residence.claims = residence.claims.saturating_sub(1);
        }
        state.forget_if_empty(room);
    }

    /// The worker of a room that has somebody in it.
    pub(crate) fn worker_of(&self, room: &RoomId) -> Option<usize> {
        self.state()
            .rooms
            .get(room)
            .map(|residence| residence.worker)
    }

    /// A worker gave a place, or gave it anew. The claim for it is not settled yet. Returns the
    /// seat's number.
    pub(crate) fn seated(&self, seat: &Seat, holder: Option<v1::Holder>) -> u64 {
        let Seat {
            place,
            capabilities,
            audible_limit,
        } = seat;
        let mut state = self.state();
        state.seats_given += 1;
        let number = state.seats_given;
        if let Some(residence) = state.rooms.get_mut(&place.room) {
            let presence = Presence {
                number,
                connected: false,
                speaking: false,
                holder,
                capabilities: *capabilities,
                unanswered: None,
            };
            residence.audible_limit = *audible_limit;
            // Before it is told: who hears of the seat knows who owns the room.
            residence.epoch = residence.epoch.max(place.epoch);
            residence.seated.insert(place.participant, presence);
        }
        state.tell_seated(place);
        number
    }

    /// Another session holds a place, or others see it differently.
    ///
    /// # Errors
    /// [`NotHeld`]
    pub(crate) fn hold(&self, place: &Place, change: HolderChange) -> Result<(), NotHeld> {
        let HolderChange { from, to } = change;
        let mut state = self.state();
        let residence = state.rooms.get_mut(&place.room);
        let residence = residence.ok_or(NotHeld::Refused(Refusal::UnknownRoom))?;
        let highest = residence.epoch;
        if place.epoch < highest {
            return Err(NotHeld::Refused(Refusal::StaleEpoch { highest }));
        }
        let presence = residence.seated.get_mut(&place.participant);
        let presence = presence.ok_or(NotHeld::Refused(Refusal::UnknownParticipant))?;
        let known = presence.holder.as_ref().map(|holder| &holder.session_id);
        if known.is_some_and(|session| *session != from && *session != to.session_id) {
            return Err(NotHeld::Taken);
        }
        presence.holder = Some(to);
        let offer = presence.unanswered.clone();
        state.tell_seated(place);
        // The process that serves the new session may not have heard it.
        if offer.is_some() {
            let room = Some(convert::room(&place.room));
            state.publish(&v1::watch_response::Event::OfferReady(v1::OfferReady {
                room,
                offer,
            }));
        }
        Ok(())
    }

    /// Whether the place's holder is such a one, as far as anybody said who it is.
    pub(crate) fn may_be_held(&self, place: &Place, of: impl FnOnce(&v1::Holder) -> bool) -> bool {
        let mut state = self.state();
        let presence = state.presence(&place.room, place.participant);
        presence
            .and_then(|presence| presence.holder.as_ref())
            .is_none_or(of)
    }

    /// A worker let a participant do more or less.
    pub(crate) fn permitted(&self, place: &Place, capabilities: Capabilities) {
        let mut state = self.state();
        if let Some(presence) = state.presence(&place.room, place.participant) {
            presence.capabilities = capabilities;
        }
        state.tell_seated(place);
    }

    /// A worker changed how many are heard at once.
    pub(crate) fn limited(&self, room: &RoomId, audible_limit: AudibleLimit) {
        if let Some(residence) = self.state().rooms.get_mut(room) {
            residence.audible_limit = audible_limit;
        }
    }

    /// A worker took the answer to the offer of this revision.
    pub(crate) fn answered(&self, place: &Place, revision: u32) {
        if let Some(presence) = self.state().presence(&place.room, place.participant) {
            let waits = presence.unanswered.as_ref();
            if waits.is_some_and(|offer| offer.revision <= revision) {
                presence.unanswered = None;
            }
        }
    }

    /// A worker took a place back on command.
    pub(crate) fn left(&self, room: &RoomId, participant: ParticipantId) {
        let mut state = self.state();
        if let Some(presence) = state.remove(room, participant) {
            let left = v1::ParticipantLeft {
                room: Some(convert::room(room)),
                participant_id: participant.get(),
                number: presence.number,
            };
            state.publish(&v1::watch_response::Event::Left(left));
        }
    }

    /// A worker's node told something by itself.
    pub(crate) fn happened(&self, event: Event) {
        let mut state = self.state();
        let (room, participant) = (&event.room, event.participant);
        let number = state
            .presence(room, participant)
            .map_or(0, |presence| presence.number);
        match &event.kind {
            EventKind::Connected => {
                if let Some(presence) = state.presence(room, participant) {
                    presence.connected = true;
                }
            }
            EventKind::Lost { .. } => {
                let lost = state.remove(room, participant);
                if lost.is_some_and(|presence| !presence.connected) {
                    state.failed_handshakes += 1;
                }
            }
            EventKind::SpeakingChanged { speaking } => {
                let speaking = *speaking;
                if let Some(presence) = state.presence(room, participant) {
                    presence.speaking = speaking;
                }
            }
            EventKind::OfferReady(offer) => {
                if let Some(presence) = state.presence(room, participant) {
                    presence.unanswered = Some(convert::offer(participant, offer.clone()));
                }
            }
        }
        state.publish(&convert::event(event, number));
    }

    /// Opens a watch, which begins with a snapshot and the offers that wait for an answer. Call
    /// [`Self::watch_ended`] once the future is over: nobody reads it any more.
    pub(crate) fn watch(
        &self,
        name: &str,
    ) -> (
        tokio::sync::mpsc::Receiver<WatchItem>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let mut state = self.state();
        let known = state
            .watchers
            .iter()
            .find(|watcher| **watcher.name() == *name);
        let is_first = known.is_none();
        let (mut watcher, stream) = Watcher::new(name.into());
        let left = watcher.left();
        let snapshot = v1::watch_response::Event::Snapshot(state.snapshot(name));
        if state.closed {
            watcher.end(tonic::Status::unavailable("the node is going away"));
        } else if watcher.send(&snapshot).is_ok() {
            let offers = state.unanswered();
            let fits = offers.iter().all(|offer| watcher.send(offer).is_ok());
            debug_assert!(fits, "invariant: the queue takes more than these");
            if is_first {
                state.publish(&watcher_changed(name, true));
            }
            state.watchers.push(watcher);
        }
        (stream, left)
    }

    /// Forgets watches that nobody reads, and tells the others of processes that are gone.
    pub(crate) fn sweep_watches(&self) {
        let mut state = self.state();
        let (read, left) = std::mem::take(&mut state.watchers)
            .into_iter()
            .partition(Watcher::is_read);
        state.watchers = read;
        state.tell_gone(&left);
    }

    /// From here on only rooms that are here get seats, and every watcher is told.
    pub(crate) fn drain(&self) {
        let mut state = self.state();
        if !state.draining {
            state.draining = true;
            let draining = v1::watch_response::Event::Draining(v1::NodeDraining {});
            state.publish(&draining);
        }
    }

    /// Waits until there is no room.
    pub(crate) async fn vacated(&self) {
        let mut vacant = self.state().vacant.subscribe();
        // The sender lives as long as the roster.
        let _ = vacant.wait_for(|vacant| *vacant).await;
    }

    /// Ends every watch, and each that is opened later.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for mut watcher in std::mem::take(&mut state.watchers) {
            watcher.end(tonic::Status::unavailable("the node is going away"));
        }
    }

    pub(crate) fn census(&self) -> Census {
        let state = self.state();
        Census {
            rooms: state.rooms.len(),
            participants: state
                .rooms
                .values()
                .map(|residence| residence.seated.len())
                .sum(),
            draining: state.draining,
            watchers: state.watchers.len(),
            failed_handshakes: state.failed_handshakes,
            ended_watches: state.ended_watches,
        }
    }

    /// A thread that panicked left at most a wrong figure behind, never a broken map.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn least_loaded(&self) -> usize {
        let mut loads = vec![0; self.worker_count];
        for residence in self.rooms.values() {
            loads[residence.worker] += residence.seated.len() + residence.claims;
        }
        (0..self.worker_count)
            .min_by_key(|&worker| loads[worker])
            .unwrap_or(0)
    }

    fn presence(&mut self, room: &RoomId, participant: ParticipantId) -> Option<&mut Presence> {
        self.rooms.get_mut(room)?.seated.get_mut(&participant)
    }

    fn remove(&mut self, room: &RoomId, participant: ParticipantId) -> Option<Presence> {
        let removed = self.rooms.get_mut(room)?.seated.remove(&participant);
        self.forget_if_empty(room);
        removed
    }

    fn forget_if_empty(&mut self, room: &RoomId) {
        let empty = self
            .rooms
            .get(room)
            .is_some_and(|residence| residence.claims == 0 && residence.seated.is_empty());
        if empty && let Some(residence) = self.rooms.remove(room) {
            self.epochs.remember(room.clone(), residence.epoch);
            self.vacant.send_replace(self.rooms.is_empty());
        }
    }

    fn snapshot(&self, watcher: &str) -> v1::Snapshot {
        let seated = self.rooms.iter().flat_map(|(room, residence)| {
            let seats = residence.seated.iter();
            seats.map(|(participant, presence)| residence.wire(room, *participant, presence))
        });
        let others = self.watchers.iter().map(|watcher| &**watcher.name());
        let watchers: BTreeSet<_> = others.chain([watcher]).collect();
        v1::Snapshot {
            seated: seated.collect(),
            draining: self.draining,
            node_id: self.node.to_string(),
            watchers: watchers.into_iter().map(str::to_owned).collect(),
            seats_given: self.seats_given,
        }
    }

    fn unanswered(&self) -> Vec<v1::watch_response::Event> {
        let waiting = self.rooms.iter().flat_map(|(room, residence)| {
            let offers = residence.seated.values();
            offers.filter_map(move |presence| {
                Some(v1::watch_response::Event::OfferReady(v1::OfferReady {
                    room: Some(convert::room(room)),
                    offer: Some(presence.unanswered.clone()?),
                }))
            })
        });
        waiting.take(OFFERS_AT_FIRST).collect()
    }

    fn publish(&mut self, event: &v1::watch_response::Event) {
        let mut left = Vec::new();
        for mut watcher in std::mem::take(&mut self.watchers) {
            match watcher.send(event) {
                Ok(()) => self.watchers.push(watcher),
                Err(Ended) => left.push(watcher),
            }
        }
        self.ended_watches += left.len() as u64;
        self.tell_gone(&left);
    }

    /// Tells of a place, if it is taken.
    fn tell_seated(&mut self, place: &Place) {
        let told = self.rooms.get(&place.room).and_then(|residence| {
            let presence = residence.seated.get(&place.participant)?;
            Some(residence.wire(&place.room, place.participant, presence))
        });
        if let Some(told) = told {
            self.publish(&v1::watch_response::Event::Seated(told));
        }
    }

    /// Tells of processes whose last watch has ended.
    fn tell_gone(&mut self, left: &[Watcher]) {
        for gone in left {
            let name = gone.name();
            if !self.watchers.iter().any(|watcher| watcher.name() == name) {
                self.publish(&watcher_changed(name, false));
            }
        }
    }
}

fn watcher_changed(name: &str, watches: bool) -> v1::watch_response::Event {
    v1::watch_response::Event::WatcherChanged(v1::WatcherChanged {
        watcher: name.to_owned(),
        watches,
    })
}

impl Residence {
    fn wire(&self, room: &RoomId, participant: ParticipantId, presence: &Presence) -> v1::Seated {
        v1::Seated {
            room: Some(convert::room(room)),
            participant_id: participant.get(),
            speaking: presence.speaking,
            holder: presence.holder.clone(),
            capabilities: Some(convert::wire_capabilities(presence.capabilities)),
            audible_limit: self.audible_limit.get().into(),
            number: presence.number,
            epoch: self.epoch.0,
        }
    }
}

#[cfg(test)]
mod tests;
