//! Every room of one worker: owns all state and routes what comes in to it.

mod control;
mod media;
mod probe;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use gryt_model::{AudibleLimit, Epoch, RoomId};

use crate::command::{Capabilities, Offer, Place, Refusal, Seat};
use crate::counters::{Counters, Discard};
use crate::event::{Event, EventKind, Events, LossCause, Seated};
use crate::output::{Output, Transmit};
use crate::participant::{Beginning, Participant};
use crate::path::Path;
use crate::peer::{Certificate, IceCredentials, Peer, PeerConfig};
use crate::random::Random;
use crate::room::Room;
use crate::slab::Slab;
use crate::timers::Timers;
use crate::ufrag;

use self::probe::Budget;

/// What a node needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where clients reach this worker's socket, the best first.
    pub candidates: Vec<SocketAddr>,
    /// Shown to every client.
    pub certificate: Certificate,
    /// Places over all rooms; memory for output is set aside by it.
    pub max_participants: usize,
    /// This worker's number, part of every ufrag.
    pub worker: u16,
}

/// Every room of one worker. See the crate's contract.
#[derive(Debug)]
pub struct Node {
    worker: u16,
    max_participants: usize,
    peer_config: PeerConfig,
    random: Random,
    rooms: Slab<Room>,
    rooms_by_id: BTreeMap<RoomId, usize>,
    participants: Slab<Participant>,
    /// Validated address pairs. Keyed by what strangers choose, hence the keyed hash of the
    /// standard map.
    addresses: HashMap<Path, usize>,
    timers: Timers,
    output: Output,
    events: Events,
    counters: Counters,
    probes: Budget,
    instances: u32,
    origin: Option<Instant>,
}

/// Output set aside beyond two datagrams for each participant: replies and handshakes.
const SPARE_OUTPUT: usize = 64;

/// `ice-pwd` has at least 22 characters (RFC 8445 section 5.3); 5 bits each.
const PASSWORD_CHARACTERS: usize = 32;

/// The least time between two timeouts of a participant, so that nothing spins.
const TICK: Duration = Duration::from_millis(1);

impl Node {
    /// Makes an empty node. `seed` must be unguessable: ICE passwords come of it.
    #[must_use]
    pub fn new(config: NodeConfig, seed: [u8; 32]) -> Self {
        let NodeConfig {
            candidates,
            certificate,
            max_participants,
            worker,
        } = config;
        Self {
            worker,
            max_participants,
            peer_config: PeerConfig {
                certificate,
                candidates: candidates.into(),
            },
            random: Random::new(&seed),
            rooms: Slab::default(),
            rooms_by_id: BTreeMap::new(),
            participants: Slab::default(),
            addresses: HashMap::new(),
            timers: Timers::default(),
            output: Output::new(2 * max_participants + SPARE_OUTPUT),
            events: Events::new(2 * max_participants + SPARE_OUTPUT),
            counters: Counters::default(),
            probes: Budget::default(),
            instances: 0,
            origin: None,
        }
    }

    /// Takes a place. One that is taken already starts over with a new `PeerConnection`.
    ///
    /// # Errors
    /// [`Refusal::StaleEpoch`], [`Refusal::Full`].
    pub fn seat(&mut self, seat: Seat, now: Instant) -> Result<Offer, Refusal> {
        let Seat {
            place,
            capabilities,
            audible_limit,
        } = seat;
        let known = self.rooms_by_id.get(&place.room).copied();
        let room = known.and_then(|index| self.rooms.get_mut(index));
        let mut before = None;
        if let Some(room) = room {
            room.fence(place.epoch)?;
            before = room.find(place.participant);
        }
        if before.is_none() && self.participants.len() >= self.max_participants {
            return Err(Refusal::Full {
                places: self.max_participants,
            });
        }
        let room_index = known.unwrap_or_else(|| {
            let room = Room::new(place.room.clone(), place.epoch, audible_limit);
            let index = self.rooms.insert(room);
            self.rooms_by_id.insert(place.room.clone(), index);
            index
        });
        if let Some(index) = before {
            self.hush(index);
            self.unseat(index);
        }
        self.instances = self.instances.wrapping_add(1);
        let index = self.participants.next_index();
        let credentials = self.draw_credentials(index);
        let participant = Participant::new(
            Beginning {
                id: place.participant,
                room: room_index,
                capabilities,
                peer: Peer::new(&self.peer_config, credentials, now),
                instance: self.instances,
            },
            now,
        );
        self.participants.insert(participant);
        if let Some(room) = self.rooms.get_mut(room_index) {
            room.join(place.participant, index);
            room.set_limit(audible_limit, now);
        }
        let offer = self.widen(room_index, Some(index));
        self.rearm(index, now);
        Ok(offer.expect("invariant: who has just been seated has slots to be offered"))
    }

    /// Hands in the client's answer to the latest offer.
    ///
    /// # Errors
    /// Each [`Refusal`] but [`Refusal::Full`].
    pub fn answer(
        &mut self,
        place: &Place,
        revision: u32,
        sdp: &str,
        now: Instant,
    ) -> Result<(), Refusal> {
        let index = self.find(place)?;
        if let Some(participant) = self.participants.get_mut(index) {
            participant.answer(revision, sdp)?;
        }
        // The room may have grown past another step while the offer was in flight.
        self.offer(index);
        self.drain_peer(index, now);
        Ok(())
    }

    /// Changes what a participant may do, from the next packet on.
    ///
    /// # Errors
    /// [`Refusal::StaleEpoch`], [`Refusal::UnknownRoom`], [`Refusal::UnknownParticipant`].
    pub fn set_capabilities(
        &mut self,
        place: &Place,
        capabilities: Capabilities,
    ) -> Result<(), Refusal> {
        let index = self.find(place)?;
        if let Some(participant) = self.participants.get_mut(index) {
            participant.capabilities = capabilities;
        }
        if !capabilities.may_speak {
            self.hush(index);
        }
        Ok(())
    }

    /// Takes note that the caller owns the place's room: older owners are refused from here on.
    ///
    /// # Errors
    /// [`Refusal::StaleEpoch`], [`Refusal::UnknownRoom`], [`Refusal::UnknownParticipant`].
    pub fn fence(&mut self, place: &Place) -> Result<(), Refusal> {
        self.find(place).map(drop)
    }

    /// Changes a room's audible limit.
    ///
    /// # Errors
    /// [`Refusal::StaleEpoch`], [`Refusal::UnknownRoom`].
    pub fn set_audible_limit(
        &mut self,
        room: &RoomId,
        epoch: Epoch,
        audible_limit: AudibleLimit,
        now: Instant,
    ) -> Result<(), Refusal> {
        let (index, room) = self.room(room, epoch)?;
        room.set_limit(audible_limit, now);
        self.widen(index, None);
        Ok(())
    }

    /// Gives a place up. The room goes with its last participant.
    ///
    /// # Errors
    /// [`Refusal::StaleEpoch`], [`Refusal::UnknownRoom`], [`Refusal::UnknownParticipant`].
    pub fn leave(&mut self, place: &Place) -> Result<(), Refusal> {
        let index = self.find(place)?;
        let room = self.unseat(index);
        self.close_if_empty(room);
        Ok(())
    }

    /// Offers these addresses from the next seat on. Who sits already keeps what it was offered.
    pub fn set_candidates(&mut self, candidates: Vec<SocketAddr>) {
        self.peer_config.candidates = candidates.into();
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(index) = self.timers.pop(now) {
            self.tick(index, now);
        }
    }

    /// The next instant at which `handle_timeout` has work.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next datagram to send, oldest first.
    pub fn poll_output(&mut self) -> Option<Transmit<'_>> {
        self.output.poll()
    }

    /// The next event for signaling, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.poll()
    }

    /// Who sits here, in no order.
    pub fn seated(&self) -> impl Iterator<Item = Seated<'_>> {
        self.participants.iter().filter_map(|participant| {
            Some(Seated {
                room: &self.rooms.get(participant.room)?.id,
                participant: participant.id,
                connected: participant.srtp.is_some(),
                speaking: participant.microphone.voice.is_speaking(),
            })
        })
    }

    /// The totals.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    fn draw_credentials(&mut self, index: usize) -> IceCredentials {
        IceCredentials {
            ufrag: ufrag::make(self.worker, index, &mut self.random),
            pwd: self.random.text::<PASSWORD_CHARACTERS>().into(),
        }
    }

    fn room(&mut self, id: &RoomId, epoch: Epoch) -> Result<(usize, &mut Room), Refusal> {
        let index = self.rooms_by_id.get(id).copied();
        let index = index.ok_or(Refusal::UnknownRoom)?;
        let room = self.rooms.get_mut(index).ok_or(Refusal::UnknownRoom)?;
        room.fence(epoch)?;
        Ok((index, room))
    }

    fn find(&mut self, place: &Place) -> Result<usize, Refusal> {
        let (_, room) = self.room(&place.room, place.epoch)?;
        room.find(place.participant)
            .ok_or(Refusal::UnknownParticipant)
    }

    /// Gives everybody in the room the slots they need: an offer by event, but to `joining`,
    /// whose offer is returned.
    fn widen(&mut self, room: usize, joining: Option<usize>) -> Option<Offer> {
        let slots = self.rooms.get(room)?.slots();
        let members: Vec<usize> = {
            let room = self.rooms.get(room)?;
            room.members().iter().map(|member| member.index).collect()
        };
        let mut first = None;
        for index in members {
            let Some(participant) = self.participants.get_mut(index) else {
                continue;
            };
            participant.widen(slots, &mut self.random);
            if joining == Some(index) {
                first = participant.next_offer();
            } else {
                self.offer(index);
            }
        }
        first
    }

    /// Raises the participant's next offer, if one is due.
    fn offer(&mut self, index: usize) {
        let participant = self.participants.get_mut(index);
        if let Some(offer) = participant.and_then(Participant::next_offer) {
            self.tell(index, EventKind::OfferReady(offer));
        }
    }

    fn tell(&mut self, index: usize, kind: EventKind) {
        let Some(participant) = self.participants.get(index) else {
            return;
        };
        let Some(room) = self.rooms.get(participant.room) else {
            return;
        };
        let event = Event {
            room: room.id.clone(),
            participant: participant.id,
            kind,
        };
        if !self.events.push(event) {
            self.counters.discard(Discard::EventsFull);
        }
    }

    fn hush(&mut self, index: usize) {
        let participant = self.participants.get_mut(index);
        let changed = participant.and_then(|participant| participant.microphone.voice.hush());
        if let Some(speaking) = changed {
            self.tell(index, EventKind::SpeakingChanged { speaking });
        }
    }

    /// Takes a participant out of its room. Returns the room's index.
    fn unseat(&mut self, index: usize) -> Option<usize> {
        let participant = self.participants.remove(index)?;
        self.timers.clear(index);
        for path in &participant.paths {
            // Another seat may have proven the pair its own since.
            if self.addresses.get(path) == Some(&index) {
                self.addresses.remove(path);
            }
        }
        self.rooms.get_mut(participant.room)?.leave(participant.id);
        Some(participant.room)
    }

    fn close_if_empty(&mut self, room: Option<usize>) {
        let Some(index) = room else {
            return;
        };
        if self
            .rooms
            .get(index)
            .is_some_and(|room| room.members().is_empty())
            && let Some(room) = self.rooms.remove(index)
        {
            self.rooms_by_id.remove(&room.id);
        }
    }

    /// Gives a place up by ourselves.
    fn lose(&mut self, index: usize, cause: LossCause) {
        self.tell(index, EventKind::Lost { cause });
        let room = self.unseat(index);
        self.close_if_empty(room);
    }

    fn rearm(&mut self, index: usize, now: Instant) {
        if let Some(participant) = self.participants.get(index) {
            self.timers
                .set(index, participant.deadline().max(now + TICK));
        }
    }
}
