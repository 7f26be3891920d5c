//! The task that owns the rooms: takes letters, feeds the core, performs its effects in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use gryt_bus::{Audience, Bus, LiveEvent};
use gryt_model::{RoomId, SessionId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::watch_response::Event as NodeEvent;
use gryt_rooms::{Command, Effect, End, Rooms, Seated, Start};
use tokio::sync::{SetOnce, mpsc};
use tokio_util::sync::CancellationToken;

use super::calls::{Call, DoneReply, Node, OfferReply, RoomCalls, SeatOutcome};
use super::seats::{seat, taken_seat};
use super::watch::Heard;
use super::{Answer, Letter, Mailbox, Voice};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::{clock, convert};

/// Owns the rooms.
#[derive(Debug)]
pub(crate) struct Keeper {
    rooms: Rooms,
    node: Node,
    bus: Arc<dyn Bus>,
    metrics: Metrics,
    letters: mpsc::Receiver<Letter>,
    mailbox: mpsc::Sender<Letter>,
    calls: HashMap<RoomId, RoomCalls>,
    /// The latest offer of each seat that the node has no answer to, for sockets that were down
    /// when it was sent. At most one per seat.
    unanswered: BTreeMap<Seated, wire::VoiceOffer>,
    /// Set once a node was heard.
    heard: Arc<SetOnce<()>>,
}

/// Who waits for the outcome of a command.
enum Waiting {
    Nobody,
    ForOffer(OfferReply),
    ForDone(DoneReply),
}

impl Keeper {
    pub(crate) fn new(
        start: Start,
        node: Node,
        bus: Arc<dyn Bus>,
        metrics: Metrics,
        voice: (&Voice, Mailbox),
    ) -> Self {
        let (voice, Mailbox { letters, heard }) = voice;
        Self {
            rooms: Rooms::new(start),
            node,
            bus,
            metrics,
            letters,
            mailbox: voice.mailbox.clone(),
            calls: HashMap::new(),
            unanswered: BTreeMap::new(),
            heard,
        }
    }

    /// Runs until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let due = self.rooms.poll_timeout();
            tokio::select! {
                letter = self.letters.recv() => match letter {
                    Some(letter) => self.open(letter),
                    None => return,
                },
                () = sleep_until(due) => {
                    let effects = self.rooms.handle_timeout(clock::now());
                    self.perform(effects, Waiting::Nobody);
                }
                () = stop.cancelled() => return,
            }
        }
    }

    fn open(&mut self, letter: Letter) {
        match letter {
            Letter::Join(join, reply) => {
                self.apply(Command::Join(join), Waiting::ForOffer(reply));
            }
            Letter::Answer(answer, reply) => self.answer(answer, reply),
            Letter::Ask(command, reply) => {
                let resumed = if let Command::SessionResumed { to, .. } = &command {
                    Some(to.clone())
                } else {
                    None
                };
                self.apply(command, Waiting::ForDone(reply));
                if let Some(session) = resumed {
                    self.offer_again(&session);
                }
            }
            Letter::Answered(seat, revision) => {
                // A newer offer may have overtaken the answer.
                let answered = self.unanswered.get(&seat);
                if answered.is_some_and(|offer| offer.revision <= revision) {
                    self.unanswered.remove(&seat);
                }
            }
            Letter::Tell(command) => self.apply(command, Waiting::Nobody),
            Letter::Seat(outcome) => self.seat(outcome),
            Letter::Heard(heard) => self.hear(heard),
            Letter::Participants(reply) => {
                let all = self.rooms.participants();
                // Whoever asked may be gone.
                let _ = reply.send(all.map(|(room, p)| convert::participant(room, p)).collect());
            }
        }
    }

    fn apply(&mut self, command: Command, waiting: Waiting) {
        let effects = self.rooms.handle(command, clock::now());
        self.perform(effects, waiting);
    }

    fn answer(&mut self, answer: Answer, reply: DoneReply) {
        let Answer {
            session,
            room,
            revision,
            sdp,
        } = answer;
        let order = self
            .rooms
            .seat_of(&session)
            .filter(|order| order.room == room);
        let Some(order) = order else {
            refuse(
                Waiting::ForDone(reply),
                refusal(gryt_rooms::Refusal::NotInRoom),
            );
            return;
        };
        self.call(
            &room,
            Call::Answer {
                order,
                revision,
                sdp,
                reply,
            },
        );
    }

    fn seat(&mut self, outcome: SeatOutcome) {
        let SeatOutcome {
            seat,
            outcome,
            reply,
        } = outcome;
        // Given up while the node was asked.
        let wanted = self.rooms.participant(&seat).is_some();
        let command = match &outcome {
            Ok(offer) => {
                self.unanswered.insert(seat.clone(), offer.clone());
                Command::SeatTaken { seat }
            }
            Err(_) => Command::SeatRefused { seat },
        };
        self.apply(command, Waiting::Nobody);
        let outcome = match outcome {
            Ok(_) if !wanted => Err(refusal(gryt_rooms::Refusal::NotInRoom)),
            outcome => outcome,
        };
        // The session may be gone by now; its place is kept for the one that resumes.
        let _ = reply.send(outcome);
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Snapshot {
                node,
                snapshot,
                asked_at,
            } => {
                let sfu::Snapshot { seated, draining } = snapshot;
                let command = Command::NodeSnapshot {
                    node: node.clone(),
                    taken: seated.iter().filter_map(taken_seat).collect(),
                    asked_at,
                };
                self.apply(command, Waiting::Nobody);
                if draining {
                    self.apply(Command::NodeDraining { node }, Waiting::Nobody);
                }
                for seated in seated {
                    if let Some(seat) = seat(seated.room.as_ref(), seated.participant_id) {
                        self.tell_speaking(&seat, seated.speaking);
                    }
                }
                // Set before, unless this is the first word of all.
                let _ = self.heard.set(());
            }
            Heard::Event(event) => self.hear_event(event),
            Heard::Silence(node) => self.apply(Command::NodeSilent { node }, Waiting::Nobody),
        }
    }

    fn hear_event(&mut self, event: NodeEvent) {
        match event {
            // The stream's first word, taken apart by `watch`.
            NodeEvent::Snapshot(_) => {}
            NodeEvent::Connected(connected) => {
                let participant = connected.participant_id;
                tracing::debug!(participant, "media flows");
            }
            NodeEvent::Lost(lost) => {
                if let Some(seat) = seat(lost.room.as_ref(), lost.participant_id) {
                    self.apply(Command::MediaLost { seat }, Waiting::Nobody);
                }
            }
            NodeEvent::SpeakingChanged(change) => {
                if let Some(seat) = seat(change.room.as_ref(), change.participant_id) {
                    self.tell_speaking(&seat, change.speaking);
                }
            }
            NodeEvent::Draining(sfu::NodeDraining {}) => {
                let node = self.node.id.clone();
                tracing::info!(%node, "node drains");
                self.apply(Command::NodeDraining { node }, Waiting::Nobody);
            }
            NodeEvent::OfferReady(ready) => {
                if let Some(offer) = ready.offer
                    && let Some(seat) = seat(ready.room.as_ref(), offer.participant_id)
                {
                    self.tell_offer(&seat, offer);
                }
            }
        }
    }

    fn perform(&mut self, effects: Vec<Effect>, mut waiting: Waiting) {
        for effect in effects {
            match effect {
                Effect::Seat {
                    order,
                    holder,
                    capabilities,
                    audible_limit,
                } => {
                    let Waiting::ForOffer(reply) = std::mem::replace(&mut waiting, Waiting::Nobody)
                    else {
                        continue;
                    };
                    self.call(
                        &order.room.clone(),
                        Call::Seat {
                            order,
                            holder,
                            capabilities,
                            audible_limit,
                            reply,
                        },
                    );
                }
                Effect::Unseat(order) => self.call(&order.room.clone(), Call::Leave(order)),
                Effect::SetCapabilities {
                    order,
                    capabilities,
                } => self.call(
                    &order.room.clone(),
                    Call::SetCapabilities(order, capabilities),
                ),
                Effect::SetHolder { order, holder } => {
                    self.call(&order.room.clone(), Call::SetHolder(order, holder));
                }
                Effect::SetAudibleLimit {
                    node: _,
                    room,
                    epoch,
                    limit,
                } => self.call(&room, Call::SetAudibleLimit(epoch, limit)),
                Effect::Joined { room, participant } => {
                    tracing::info!(%room, participant = %participant.id, "participant joined");
                    let joined = Kind::ParticipantJoined(convert::participant(&room, &participant));
                    self.tell_channel(&room, joined);
                }
                Effect::Updated { room, participant } => {
                    let updated =
                        Kind::ParticipantUpdated(convert::participant(&room, &participant));
                    self.tell_channel(&room, updated);
                }
                Effect::Left(seat) => {
                    let Seated { room, participant } = seat;
                    tracing::info!(%room, %participant, "participant left");
                    let left = wire::ParticipantLeft {
                        channel_id: room.channel.to_string(),
                        participant_id: participant.get(),
                    };
                    self.tell_channel(&room, Kind::ParticipantLeft(left));
                }
                Effect::Ended { session, room, end } => self.tell_end(session, &room, end),
                Effect::Refuse {
                    session: _,
                    refusal: reason,
                } => refuse(
                    std::mem::replace(&mut waiting, Waiting::Nobody),
                    refusal(reason),
                ),
            }
        }
        if let Waiting::ForDone(reply) = waiting {
            // The session may be gone by now.
            let _ = reply.send(Ok(()));
        }
        self.sweep();
    }

    /// Queues of rooms that are gone end once they are empty.
    fn sweep(&mut self) {
        let rooms = &self.rooms;
        self.unanswered
            .retain(|seat, _| rooms.participant(seat).is_some());
        self.calls.retain(|room, _| rooms.has(room));
        self.metrics.rooms.set(count(rooms.len()));
        self.metrics.participants.set(count(rooms.seats()));
    }

    fn call(&mut self, room: &RoomId, call: Call) {
        let calls = self.calls.entry(room.clone()).or_insert_with(|| {
            RoomCalls::start(self.node.clone(), room.clone(), self.mailbox.clone())
        });
        let Err(call) = calls.push(call) else {
            return;
        };
        tracing::warn!(%room, "too many calls wait for the SFU");
        let busy = Refusal::new(Reason::NoNode, "The voice node is busy. Try again.");
        match call {
            Call::Seat { order, reply, .. } => {
                refuse(Waiting::ForOffer(reply), busy);
                let seat = Seated {
                    room: order.room,
                    participant: order.participant,
                };
                // Without a call for it: the queue is full, and nothing was ordered.
                self.rooms
                    .handle(Command::SeatRefused { seat }, clock::now());
            }
            Call::Answer { reply, .. } => refuse(Waiting::ForDone(reply), busy),
            Call::SetCapabilities(..)
            | Call::SetHolder(..)
            | Call::SetAudibleLimit(..)
            | Call::Leave(_) => {}
        }
    }

    fn tell_speaking(&self, seat: &Seated, speaking: bool) {
        if self.rooms.participant(seat).is_some() {
            let change = wire::SpeakingChanged {
                channel_id: seat.room.channel.to_string(),
                participant_id: seat.participant.get(),
                speaking,
            };
            self.tell_channel(&seat.room, Kind::SpeakingChanged(change));
        }
    }

    fn tell_offer(&mut self, seat: &Seated, offer: sfu::Offer) {
        let Some(participant) = self.rooms.participant(seat) else {
            return;
        };
        let offer = wire::VoiceOffer {
            channel_id: seat.room.channel.to_string(),
            participant_id: seat.participant.get(),
            revision: offer.revision,
            sdp: offer.sdp,
        };
        let audience = Audience::Session(participant.holder.session.clone());
        self.unanswered.insert(seat.clone(), offer.clone());
        self.tell(Kind::VoiceOffer(offer), audience);
    }

    /// Sends what may have been lost with the socket before this one.
    fn offer_again(&self, session: &SessionId) {
        let Some(order) = self.rooms.seat_of(session) else {
            return;
        };
        let seat = Seated {
            room: order.room,
            participant: order.participant,
        };
        if let Some(offer) = self.unanswered.get(&seat) {
            let audience = Audience::Session(session.clone());
            self.tell(Kind::VoiceOffer(offer.clone()), audience);
        }
    }

    fn tell_end(&self, session: SessionId, room: &RoomId, end: End) {
        let end = match end {
            End::ChannelDeleted => wire::VoiceEnd::ChannelDeleted,
            End::MediaLost => wire::VoiceEnd::MediaLost,
            End::NodeLost => wire::VoiceEnd::NodeLost,
            End::Replaced => wire::VoiceEnd::Replaced,
        };
        let ended = wire::VoiceEnded {
            channel_id: room.channel.to_string(),
            end: end.into(),
        };
        self.tell(Kind::VoiceEnded(ended), Audience::Session(session));
    }

    fn tell_channel(&self, room: &RoomId, event: Kind) {
        self.tell(event, Audience::Channel(room.channel.clone()));
    }

    fn tell(&self, event: Kind, audience: Audience) {
        self.bus.publish_live(LiveEvent {
            event: wire::Event {
                event_id: 0,
                event: Some(event),
            },
            audience,
        });
    }
}

fn refuse(waiting: Waiting, refusal: Refusal) {
    // Sessions that are gone by now need no refusal.
    match waiting {
        Waiting::Nobody => {}
        Waiting::ForOffer(reply) => drop(reply.send(Err(refusal))),
        Waiting::ForDone(reply) => drop(reply.send(Err(refusal))),
    }
}

fn refusal(refusal: gryt_rooms::Refusal) -> Refusal {
    match refusal {
        gryt_rooms::Refusal::Full => Refusal::new(Reason::RoomFull, "The room is full."),
        gryt_rooms::Refusal::NoNode => {
            Refusal::new(Reason::NoNode, "No voice node is there. Try again.")
        }
        gryt_rooms::Refusal::NotInRoom => {
            Refusal::new(Reason::NotInRoom, "This session is in no such room.")
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
