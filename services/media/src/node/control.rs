//! What is no media: connectivity checks, handshakes, timeouts.

use std::time::Instant;

use super::Node;
use crate::counters::Discard;
use crate::event::{EventKind, LossCause};
use crate::output::MAX_DATAGRAM_BYTES;
use crate::participant::Participant;
use crate::path::Path;
use crate::peer::{CloseReason, PeerEvent, stun};
use crate::rtcp::NtpTime;
use crate::ufrag;

impl Node {
    pub(super) fn handle_stun(&mut self, path: Path, datagram: &[u8], now: Instant) {
        let Some(name) = stun::ufrag(datagram) else {
            self.answer_probe(path, datagram, now);
            return;
        };
        let index = ufrag::index(name, self.worker);
        let found = index.and_then(|index| Some((index, self.participants.get_mut(index)?)));
        let Some((index, participant)) = found.filter(|(_, found)| found.peer.ufrag() == name)
        else {
            self.counters.discard(Discard::UnknownUser);
            return;
        };
        let refused = participant.peer.counters().stun_refused;
        participant.peer.handle_stun(path, datagram, now);
        if participant.peer.counters().stun_refused == refused {
            let displaced = participant.learn(path);
            // Another check may have moved the pair here: the newest proof counts.
            self.addresses.insert(path, index);
            if let Some(displaced) = displaced
                && self.addresses.get(&displaced) == Some(&index)
            {
                self.addresses.remove(&displaced);
            }
        } else {
            self.counters.discard(Discard::BadIntegrity);
        }
        self.drain_peer(index, now);
    }

    fn answer_probe(&mut self, path: Path, datagram: &[u8], now: Instant) {
        let Some(reply) = stun::anonymous_reply(datagram, path.remote) else {
            self.counters.discard(Discard::BadStun);
            return;
        };
        if self.probes.take(path.remote.ip(), now) {
            self.counters.answered_probes += 1;
            self.send(path, &reply);
        } else {
            self.counters.discard(Discard::ProbeRate);
        }
    }

    pub(super) fn handle_dtls(&mut self, path: Path, datagram: &[u8], now: Instant) {
        let index = self.addresses.get(&path).copied();
        let found = index.and_then(|index| Some((index, self.participants.get_mut(index)?)));
        let Some((index, participant)) = found else {
            self.counters.discard(Discard::UnknownAddress);
            return;
        };
        let unvalidated = participant.peer.counters().dtls_unvalidated;
        participant.peer.handle_dtls(path, datagram, now);
        if participant.peer.counters().dtls_unvalidated != unvalidated {
            self.counters.discard(Discard::UnknownAddress);
        }
        self.drain_peer(index, now);
    }

    /// Carries what the peer has to send and to tell.
    pub(super) fn drain_peer(&mut self, index: usize, now: Instant) {
        while let Some(participant) = self.participants.get_mut(index) {
            if let Some((path, datagram)) = participant.peer.poll_transmit() {
                self.send(path, &datagram);
                continue;
            }
            match participant.peer.poll_event() {
                Some(PeerEvent::Connected { srtp }) => {
                    participant.connect(&srtp, now);
                    self.counters.connected_peers += 1;
                    self.tell(index, EventKind::Connected);
                }
                // Media asks the peer for its path with every packet.
                Some(PeerEvent::PathChanged(_)) => {}
                Some(PeerEvent::Closed(reason)) => {
                    tracing::debug!(?reason, "peer closed");
                    let cause = cause(reason, participant.srtp.is_some());
                    self.lose(index, cause);
                }
                None => break,
            }
        }
        self.rearm(index, now);
    }

    pub(super) fn tick(&mut self, index: usize, now: Instant) {
        let origin = *self.origin.get_or_insert(now);
        let Some(participant) = self.participants.get_mut(index) else {
            return;
        };
        if participant.is_expired(now) {
            self.lose(index, LossCause::Expired);
            return;
        }
        let clock = NtpTime::since_origin(now.saturating_duration_since(origin));
        if let Some(sent) = participant.report(clock, &mut self.output, now) {
            self.counters.sent_datagrams += 1;
            self.counters.sent_bytes += sent as u64;
        }
        if due(participant, now) {
            participant.peer.handle_timeout(now);
        }
        if let Some(speaking) = participant.microphone.voice.settle(now) {
            self.tell(index, EventKind::SpeakingChanged { speaking });
        }
        self.drain_peer(index, now);
    }

    fn send(&mut self, path: Path, datagram: &[u8]) {
        let room = self
            .output
            .room()
            .filter(|_| datagram.len() <= MAX_DATAGRAM_BYTES);
        let Some(room) = room else {
            self.counters.discard(Discard::OutputFull);
            return;
        };
        room[..datagram.len()].copy_from_slice(datagram);
        self.output.push(path, datagram.len());
        self.counters.sent_datagrams += 1;
        self.counters.sent_bytes += datagram.len() as u64;
    }
}

/// What signaling is told of it. A handshake that breaks after it was through is the browser's end
/// of an association, as a fatal alert is.
fn cause(reason: CloseReason, was_connected: bool) -> LossCause {
    match reason {
        CloseReason::ChecksStopped => LossCause::Silent,
        CloseReason::ClosedByBrowser => LossCause::Closed,
        CloseReason::HandshakeBroken if was_connected => LossCause::Closed,
        CloseReason::HandshakeBroken
        | CloseReason::NeverConnected
        | CloseReason::FingerprintMismatch
        | CloseReason::NoCommonSrtpProfile => LossCause::NeverConnected,
    }
}

fn due(participant: &Participant, now: Instant) -> bool {
    participant.peer.poll_timeout().is_some_and(|at| at <= now)
}
