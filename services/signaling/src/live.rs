//! The board of what lives only as long as its sessions: who is connected here, who is online,
//! who is in which room. Events reach the sessions through it, filtered by what each may see.
//!
//! What the board shows changes in the same step in which the event is delivered: a session that
//! enters gets the board and then exactly the changes that follow. The fan-out brings what the bus
//! carries; who is in which room comes from the rooms, for every process hears the nodes itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use gryt_bus::{Audience, Delivery, Presence, PresenceChange};
use gryt_model::{Member, MemberId, Permission, SessionId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_proto::client::v1::server_frame::Frame;
use prost::Message as _;
use tokio::sync::Notify;

use crate::convert;
use crate::metrics::Metrics;
use crate::ws::outbox::{Farewell, Outbox};

/// Everyone who is connected to this process.
#[derive(Debug)]
pub(crate) struct Live {
    presence: Presence,
    metrics: Metrics,
    board: Mutex<Board>,
    /// A session has left.
    left: Notify,
}

/// To sessions that saw a board which is not true any more.
const LOST_TRACK: Farewell = Farewell {
    reason: Reason::GoingAway,
    message: "The server lost track. Resume.",
};

#[derive(Debug, Default)]
struct Board {
    sessions: HashMap<SessionId, Seat>,
    /// How many sessions each member has here.
    devices: HashMap<MemberId, usize>,
    online: BTreeSet<String>,
    participants: BTreeMap<(String, u32), wire::Participant>,
}

#[derive(Debug)]
struct Seat {
    member: Member,
    /// Whether an event has changed `member` since it entered.
    changed: bool,
    outbox: Arc<Outbox>,
}

impl Live {
    pub(crate) fn new(presence: Presence, metrics: Metrics) -> Self {
        Self {
            presence,
            metrics,
            board: Mutex::default(),
            left: Notify::new(),
        }
    }

    /// Lets a session in: from here on its outbox gets what happens. Returns the board before that.
    pub(crate) fn enter(
        &self,
        session: SessionId,
        member: Member,
        outbox: Arc<Outbox>,
    ) -> wire::Live {
        let mut board = self.lock();
        let id = member.id.clone();
        let seat = Seat {
            member,
            changed: false,
            outbox,
        };
        board.sessions.insert(session, seat);
        let devices = board.devices.entry(id.clone()).or_default();
        *devices += 1;
        if *devices == 1 {
            // Under the lock, so that the order of the changes is kept.
            self.presence.set(&id, true);
        }
        self.metrics.sessions.inc();
        let mut online = board.online.clone();
        online.insert(id.to_string());
        wire::Live {
            online_member_ids: online.into_iter().collect(),
            participants: board.participants.values().cloned().collect(),
        }
    }

    /// Takes a session out.
    pub(crate) fn leave(&self, session: &SessionId) {
        let mut board = self.lock();
        let Some(seat) = board.sessions.remove(session) else {
            return;
        };
        self.metrics.sessions.dec();
        self.left.notify_one();
        let id = seat.member.id;
        if let Some(devices) = board.devices.get_mut(&id) {
            *devices -= 1;
            if *devices == 0 {
                board.devices.remove(&id);
                self.presence.set(&id, false);
            }
        }
    }

    /// The member behind a session, as of the last event.
    pub(crate) fn member(&self, session: &SessionId) -> Option<Member> {
        self.lock()
            .sessions
            .get(session)
            .map(|seat| seat.member.clone())
    }

    /// Takes over what was read after entering: it may be newer than what the session came with,
    /// and events tell only what happens after it.
    pub(crate) fn refresh(&self, session: &SessionId, member: Member) {
        if let Some(seat) = self.lock().sessions.get_mut(session)
            && !seat.changed
        {
            seat.member = member;
        }
    }

    /// Ends a session of this member, if it is connected here.
    pub(crate) fn end(&self, session: &SessionId, member: &MemberId, farewell: Farewell) {
        let board = self.lock();
        let seat = board.sessions.get(session);
        if let Some(seat) = seat.filter(|seat| seat.member.id == *member) {
            seat.outbox.end(farewell);
        }
    }

    /// Returns once no session is left, or after `longest`.
    pub(crate) async fn wait_until_empty(&self, longest: Duration) {
        let empty = async {
            while !self.lock().sessions.is_empty() {
                self.left.notified().await;
            }
        };
        // Whoever is left then is not worth the wait.
        let _ = tokio::time::timeout(longest, empty).await;
    }

    /// Shows and hands out what concerns this process's sessions alone.
    pub(crate) fn tell(&self, event: Kind, audience: Audience) {
        self.deliver(&Delivery {
            event: wire::Event {
                event_id: 0,
                event: Some(event),
            },
            audience,
        });
    }

    /// Shows an event on the board and hands it to every session that may see it.
    pub(crate) fn deliver(&self, delivery: &Delivery) {
        let mut board = self.lock();
        board.show(&delivery.event);
        let recipients = board
            .sessions
            .iter()
            .filter(|(session, seat)| may_receive(session, &seat.member, &delivery.audience));
        let mut frame = None;
        for (_, seat) in recipients {
            let frame = frame.get_or_insert_with(|| event_frame(&delivery.event));
            seat.outbox
                .push_event(delivery.event.event_id, frame.clone());
            self.metrics.deliveries.inc();
        }
    }

    /// As [`Live::deliver`], for who came online or went.
    pub(crate) fn deliver_presence(&self, changes: Vec<PresenceChange>) {
        for PresenceChange { member, online } in changes {
            let change = wire::PresenceChanged {
                member_id: member.to_string(),
                online,
            };
            self.deliver(&Delivery {
                event: wire::Event {
                    event_id: 0,
                    event: Some(Kind::PresenceChanged(change)),
                },
                audience: Audience::Everyone,
            });
        }
    }

    /// Starts the board anew after events were lost, and ends every session, which saw the old one.
    /// Who is online is known all the same.
    pub(crate) fn start_anew(&self) {
        let board = self.lock();
        for seat in board.sessions.values() {
            seat.outbox.end(LOST_TRACK);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn show(&mut self, event: &wire::Event) {
        let Some(kind) = &event.event else {
            return;
        };
        match kind {
            Kind::PresenceChanged(change) if change.online => {
                self.online.insert(change.member_id.clone());
            }
            Kind::PresenceChanged(change) => {
                self.online.remove(&change.member_id);
            }
            Kind::ParticipantJoined(participant) | Kind::ParticipantUpdated(participant) => {
                let place = (participant.channel_id.clone(), participant.participant_id);
                self.participants.insert(place, participant.clone());
            }
            Kind::ParticipantLeft(left) => {
                self.participants
                    .remove(&(left.channel_id.clone(), left.participant_id));
            }
            Kind::MemberUpdated(member) => self.update(member),
            Kind::MessageCreated(_)
            | Kind::MessageEdited(_)
            | Kind::MessageDeleted(_)
            | Kind::ChannelCreated(_)
            | Kind::ChannelUpdated(_)
            | Kind::ChannelDeleted(_)
            | Kind::SpeakingChanged(_)
            | Kind::VoiceOffer(_)
            | Kind::VoiceEnded(_) => {}
        }
    }

    fn update(&mut self, update: &wire::Member) {
        let same = |seat: &&mut Seat| seat.member.id.as_str() == update.member_id;
        for seat in self.sessions.values_mut().filter(same) {
            seat.changed = true;
            let member = &mut seat.member;
            if let Ok(name) = update.name.parse() {
                member.name = name;
            }
            if let Some(role) = convert::role(update.role()) {
                member.role = role;
            }
            member.server_muted = update.server_muted;
        }
    }
}

/// Whether this session of this member gets an event for `audience`: the one filter of every
/// delivery, live or replayed.
pub(crate) fn may_receive(session: &SessionId, member: &Member, audience: &Audience) -> bool {
    match audience {
        Audience::Everyone | Audience::Channel(_) => member.role.permits(Permission::Read),
        Audience::Member(id) => *id == member.id,
        Audience::Session(id) => id == session,
    }
}

/// An event as it goes over the socket.
pub(crate) fn event_frame(event: &wire::Event) -> Bytes {
    let frame = wire::ServerFrame {
        frame: Some(Frame::Event(event.clone())),
    };
    frame.encode_to_vec().into()
}
