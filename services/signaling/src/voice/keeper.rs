//! The task that owns the rooms: takes letters, feeds the core, performs its effects in order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use gryt_bus::Audience;
use gryt_model::{NodeId, RoomId, SessionId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::watch_response::Event as NodeEvent;
use gryt_rooms::{Command, Effect, End, Rooms, Seated, Start};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::calls::{Call, DoneReply, Node, OfferReply, RoomCalls, SeatOutcome, Seating};
use super::links::Links;
use super::seats::{seat, taken_seat};
use super::watch::Heard;
use super::{Answer, Letter, LinkId, Mailbox, Progress, Voice};
use crate::live::Live;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::{clock, convert};

/// Owns the rooms.
#[derive(Debug)]
pub(crate) struct Keeper {
    rooms: Rooms,
    links: Links,
    live: Arc<Live>,
    metrics: Metrics,
    letters: mpsc::Receiver<Letter>,
    mailbox: mpsc::Sender<Letter>,
    calls: HashMap<(NodeId, RoomId), RoomCalls>,
    /// The latest offer of each own session's seat that the node has no answer to, for sockets that were down
    /// when it was sent. At most one per seat.
    unanswered: BTreeMap<Seated, wire::VoiceOffer>,
    /// Seats whose call was dropped while effects were performed.
    not_ordered: Vec<(NodeId, Seated)>,
    progress: watch::Sender<Progress>,
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
        nodes: Vec<Node>,
        live: Arc<Live>,
        metrics: Metrics,
        voice: (&Voice, Mailbox),
    ) -> Self {
        let (voice, Mailbox { letters, progress }) = voice;
        Self {
            rooms: Rooms::new(start),
            links: Links::new(nodes),
            live,
            metrics,
            letters,
            mailbox: voice.mailbox.clone(),
            calls: HashMap::new(),
            unanswered: BTreeMap::new(),
            not_ordered: Vec::new(),
            progress,
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
            Letter::Heard(link, heard) => self.hear(link, heard),
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
            &order.node.clone(),
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
            node,
            seat,
            outcome,
            reply,
        } = outcome;
        let outcome = match outcome {
            Seating::Given(offer, number) => {
                let taken = Command::SeatTaken {
                    node: node.clone(),
                    seat: seat.clone(),
                    number,
                };
                self.apply(taken, Waiting::Nobody);
                // Given up meanwhile, or the room has moved. Who still wants in asks again.
                let is_there =
                    self.rooms.is_on(&node, &seat.room) && self.rooms.participant(&seat).is_some();
                if is_there {
                    self.unanswered.insert(seat, offer.clone());
                    Ok(offer)
                } else {
                    Err(no_node())
                }
            }
            Seating::IdTaken => {
                let command = Command::IdTaken { node, seat };
                return self.apply(command, Waiting::ForOffer(reply));
            }
            Seating::Refused(refusal) => {
                self.apply(Command::SeatRefused { node, seat }, Waiting::Nobody);
                Err(refusal)
            }
        };
        // The session may be gone by now; its place is kept for the one that resumes.
        let _ = reply.send(outcome);
    }

    fn hear(&mut self, link: LinkId, heard: Heard) {
        match heard {
            Heard::Snapshot(snapshot) => self.hear_snapshot(link, snapshot),
            Heard::Event(event) => {
                if let Some(node) = self.links.id(link) {
                    self.hear_event(node, event);
                }
            }
            Heard::Silence => {
                if let Some(node) = self.links.id(link) {
                    self.apply(Command::NodeSilent { node }, Waiting::Nobody);
                }
                self.links.failed(link);
            }
            Heard::Nobody => {
                self.forget(link);
                self.links.failed(link);
            }
        }
        self.progress.send_if_modified(|progress| {
            let all_tried = self.links.all_tried();
            !std::mem::replace(&mut progress.all_tried, all_tried) && all_tried
        });
    }

    /// Whoever was at the address is there no more.
    fn forget(&mut self, link: LinkId) {
        if let Some(node) = self.links.forget(link) {
            tracing::warn!(%node, "the node is gone");
            self.apply(Command::NodeGone { node }, Waiting::Nobody);
        }
    }

    fn hear_snapshot(&mut self, link: LinkId, snapshot: sfu::Snapshot) {
        let sfu::Snapshot {
            seated,
            draining,
            node_id,
            watchers,
            seats_given,
        } = snapshot;
        let Ok(node) = node_id.parse::<NodeId>() else {
            tracing::error!(
                link,
                "the SFU does not say who it is: is it an older version?"
            );
            return self.forget(link);
        };
        if let Some(twin) = self.links.twin(link, &node) {
            tracing::error!(%node, link, twin, "two addresses lead to one SFU, one is ignored");
            return self.forget(link);
        }
        let is_new = self.links.id(link).as_ref() != Some(&node);
        if is_new {
            self.forget(link);
        }
        self.links.learn(link, node.clone());
        let command = Command::NodeSnapshot {
            node: node.clone(),
            taken: seated.iter().filter_map(taken_seat).collect(),
            watchers: watchers.iter().filter_map(|id| id.parse().ok()).collect(),
            seats_given,
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
        if is_new {
            self.progress.send_modify(|progress| progress.nodes += 1);
        }
    }

    fn hear_event(&mut self, node: NodeId, event: NodeEvent) {
        let command = match event {
            // The stream's first word, taken apart by `watch`.
            NodeEvent::Snapshot(_) => None,
            NodeEvent::Connected(connected) => {
                let participant = connected.participant_id;
                tracing::debug!(participant, "media flows");
                None
            }
            NodeEvent::Seated(seated) => {
                taken_seat(&seated).map(|taken| Command::SeatSeen { node, taken })
            }
            NodeEvent::Left(left) => {
                let number = left.number;
                let seat = seat(left.room.as_ref(), left.participant_id);
                seat.map(|seat| Command::SeatLeft { node, seat, number })
            }
            NodeEvent::Lost(lost) => {
                let number = lost.number;
                let seat = seat(lost.room.as_ref(), lost.participant_id);
                seat.map(|seat| Command::MediaLost { node, seat, number })
            }
            NodeEvent::WatcherChanged(change) => match change.watcher.parse() {
                Ok(watcher) if change.watches => Some(Command::WatcherCame { node, watcher }),
                Ok(watcher) => Some(Command::WatcherGone { node, watcher }),
                // Not a signaling process.
                Err(_) => None,
            },
            NodeEvent::Draining(sfu::NodeDraining {}) => {
                tracing::info!(%node, "node drains");
                Some(Command::NodeDraining { node })
            }
            NodeEvent::SpeakingChanged(change) => {
                let seat = seat(change.room.as_ref(), change.participant_id);
                if let Some(seat) = seat.filter(|seat| self.rooms.is_on(&node, &seat.room)) {
                    self.tell_speaking(&seat, change.speaking);
                }
                None
            }
            NodeEvent::OfferReady(ready) => {
                if let Some(offer) = ready.offer
                    && let Some(seat) = seat(ready.room.as_ref(), offer.participant_id)
                    && self.rooms.is_on(&node, &seat.room)
                {
                    self.tell_offer(&seat, offer);
                }
                None
            }
        };
        if let Some(command) = command {
            self.apply(command, Waiting::Nobody);
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
                    let (node, room) = (order.node.clone(), order.room.clone());
                    let call = Call::Seat {
                        order,
                        holder,
                        capabilities,
                        audible_limit,
                        reply,
                    };
                    self.call(&node, &room, call);
                }
                Effect::Unseat { order, held_by } => {
                    let (node, room) = (order.node.clone(), order.room.clone());
                    self.call(&node, &room, Call::Leave { order, held_by });
                }
                Effect::SetCapabilities {
                    order,
                    member,
                    capabilities,
                } => {
                    let (node, room) = (order.node.clone(), order.room.clone());
                    let call = Call::SetCapabilities {
                        order,
                        member,
                        capabilities,
                    };
                    self.call(&node, &room, call);
                }
                Effect::SetHolder {
                    order,
                    from,
                    holder,
                } => {
                    let (node, room) = (order.node.clone(), order.room.clone());
                    let call = Call::SetHolder {
                        order,
                        from,
                        holder,
                    };
                    self.call(&node, &room, call);
                }
                Effect::SetAudibleLimit {
                    node,
                    room,
                    epoch,
                    limit,
                } => self.call(&node, &room, Call::SetAudibleLimit(epoch, limit)),
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
        match waiting {
            Waiting::Nobody => {}
            // The session may be gone by now.
            Waiting::ForDone(reply) => drop(reply.send(Ok(()))),
            // Its order was given up. Who still wants in asks again.
            Waiting::ForOffer(reply) => drop(reply.send(Err(no_node()))),
        }
        self.sweep();
        if let Some((node, seat)) = self.not_ordered.pop() {
            self.apply(Command::SeatRefused { node, seat }, Waiting::Nobody);
        }
    }

    /// Queues of rooms that are gone end once they are empty.
    fn sweep(&mut self) {
        let rooms = &self.rooms;
        self.unanswered
            .retain(|seat, _| rooms.participant(seat).is_some());
        self.calls.retain(|(node, room), _| rooms.is_on(node, room));
        self.metrics.rooms.set(count(rooms.len()));
        self.metrics.participants.set(count(rooms.seats()));
    }

    fn call(&mut self, node: &NodeId, room: &RoomId, call: Call) {
        let Some(way) = self.links.node(node) else {
            return self.drop_call(call, no_node());
        };
        let calls = self
            .calls
            .entry((node.clone(), room.clone()))
            .or_insert_with(|| RoomCalls::start(way.clone(), room.clone(), self.mailbox.clone()));
        if let Err(call) = calls.push(call) {
            tracing::warn!(%room, "too many calls wait for the SFU");
            let busy = Refusal::new(Reason::NoNode, "The voice node is busy. Try again.");
            self.drop_call(*call, busy);
        }
    }

    /// The node's next snapshot brings it up to date.
    fn drop_call(&mut self, call: Call, refusal: Refusal) {
        match call {
            Call::Seat { order, reply, .. } => {
                refuse(Waiting::ForOffer(reply), refusal);
                let seat = Seated {
                    room: order.room,
                    participant: order.participant,
                };
                self.not_ordered.push((order.node, seat));
            }
            Call::Answer { reply, .. } => refuse(Waiting::ForDone(reply), refusal),
            Call::SetCapabilities { .. }
            | Call::SetHolder { .. }
            | Call::SetAudibleLimit(..)
            | Call::Leave { .. } => {}
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
        let session = participant.holder.session.clone();
        if self.rooms.seat_of(&session).is_some() {
            self.unanswered.insert(seat.clone(), offer.clone());
            self.tell(Kind::VoiceOffer(offer), Audience::Session(session));
        }
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
        self.live.tell(event, audience);
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
        gryt_rooms::Refusal::NoNode => no_node(),
        gryt_rooms::Refusal::NotInRoom => {
            Refusal::new(Reason::NotInRoom, "This session is in no such room.")
        }
    }
}

fn no_node() -> Refusal {
    Refusal::new(Reason::NoNode, "No voice node is there. Try again.")
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
