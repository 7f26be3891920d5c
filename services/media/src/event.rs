//! What a node tells signaling. Mirrors the stream of `gryt.sfu.v1`.

use std::collections::VecDeque;

use gryt_model::{ParticipantId, RoomId};

use crate::command::Offer;

/// Something that happened to a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where.
    pub room: RoomId,
    /// To whom.
    pub participant: ParticipantId,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// ICE and DTLS are through: media flows.
    Connected,
    /// The node gave the place up by itself.
    Lost {
        /// Why.
        cause: LossCause,
    },
    /// The participant began or ceased to speak.
    SpeakingChanged {
        /// Which of both.
        speaking: bool,
    },
    /// The number of slots stepped up: carry the offer to the client.
    OfferReady(Offer),
}

/// Why a place was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossCause {
    /// No valid packet came for 15 s.
    Silent,
    /// The client ended the association.
    Closed,
    /// ICE or DTLS did not get through.
    NeverConnected,
    /// The seat reached its hard cap of 12 hours.
    Expired,
}

/// One place, as a snapshot shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seated<'a> {
    /// The room.
    pub room: &'a RoomId,
    /// The participant.
    pub participant: ParticipantId,
    /// ICE and DTLS are through.
    pub connected: bool,
    /// Speaks at the moment.
    pub speaking: bool,
}

/// Events on their way to the shell, oldest first. Bounded: when `most` wait, further changes of
/// the speaking state are dropped, which the next change or snapshot repairs. The other kinds are
/// few by nature: a place makes each of them once per command.
#[derive(Debug)]
pub(crate) struct Events {
    waiting: VecDeque<Event>,
    most: usize,
}

impl Events {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            waiting: VecDeque::with_capacity(most),
            most,
        }
    }

    /// `false`: there was no room and the event is lost.
    pub(crate) fn push(&mut self, event: Event) -> bool {
        let may_be_lost = match event.kind {
            EventKind::SpeakingChanged { .. } => true,
            EventKind::Connected | EventKind::Lost { .. } | EventKind::OfferReady(_) => false,
        };
        if may_be_lost && self.waiting.len() >= self.most {
            return false;
        }
        self.waiting.push_back(event);
        true
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }
}
