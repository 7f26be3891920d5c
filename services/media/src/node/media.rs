//! The packet path: from a datagram to its copies. Nothing here allocates, locks or waits.

use std::time::Instant;

use super::Node;
use crate::counters::Discard;
use crate::event::EventKind;
use crate::participant::{Incoming, Parcel, Participant};
use crate::path::Path;
use crate::rtcp::{self, Report};
use crate::rtp::{self, Packet};
use crate::slots::Position;
use crate::speakers::Sample;

/// The microphone's `a=mid`, as packets carry it.
const MICROPHONE_MID: &[u8] = b"mic";

impl Node {
    /// Feeds one datagram. Its bytes are decrypted in place.
    pub fn handle_datagram(&mut self, path: Path, datagram: &mut [u8], now: Instant) {
        self.counters.received_datagrams += 1;
        self.counters.received_bytes += datagram.len() as u64;
        // RFC 7983.
        let handled = match datagram {
            [0..=3, ..] => {
                self.handle_stun(path, datagram, now);
                Ok(())
            }
            [20..=63, ..] => {
                self.handle_dtls(path, datagram, now);
                Ok(())
            }
            [128..=191, second, ..] if rtp::is_control(*second) => {
                self.handle_rtcp(path, datagram, now)
            }
            [128..=191, ..] => self.handle_rtp(path, datagram, now),
            _ => Err(Discard::NotDemuxable),
        };
        if let Err(reason) = handled {
            self.counters.discard(reason);
        }
    }

    fn handle_rtp(&mut self, path: Path, datagram: &mut [u8], now: Instant) -> Result<(), Discard> {
        let index = *self.addresses.get(&path).ok_or(Discard::UnknownAddress)?;
        let source = self.participants.get_mut(index);
        let source = source.ok_or(Discard::UnknownAddress)?;
        let srtp = source.srtp.as_mut().ok_or(Discard::NotConnected)?;
        let length = srtp
            .inbound
            .unprotect(datagram)
            .map_err(Discard::of_opening)?;
        source.peer.media_authenticated(path);
        let packet = rtp::parse(&datagram[..length]).ok_or(Discard::BadRtp)?;
        latch(source, &packet)?;
        self.counters.received_audio_packets += 1;
        let heard = self.hear(index, &packet, now);
        if let Some(speaking) = heard.speaking {
            self.tell(index, EventKind::SpeakingChanged { speaking });
            self.rearm(index, now);
        }
        self.forward(index, heard.forward?, packet.payload, now);
        Ok(())
    }

    /// Decides whether the packet goes to the others.
    fn hear(&mut self, index: usize, packet: &Packet<'_>, now: Instant) -> Heard {
        let nobody = Heard {
            speaking: None,
            forward: Err(Discard::UnknownAddress),
        };
        let Some(source) = self.participants.get_mut(index) else {
            return nobody;
        };
        let Some(room) = self.rooms.get_mut(source.room) else {
            return nobody;
        };
        let passed = source.microphone.receive(packet, now);
        if !source.capabilities.may_speak {
            source.microphone.hold();
            return Heard {
                speaking: None,
                forward: Err(Discard::NotAllowed),
            };
        }
        let sample = sample(&source.incoming, packet);
        let speaking = source.microphone.voice.hear(sample, now);
        let begins_pause = source.microphone.begins_pause(sample);
        let held = if sample.is_silent() {
            let voice = &source.microphone.voice;
            room.speakers.note_silence(source.id, voice);
            if room.speakers.is_audible(source.id) && begins_pause {
                None
            } else {
                Some(Discard::Silence)
            }
        } else {
            let voice = &mut source.microphone.voice;
            let admitted = room.speakers.admit(source.id, voice, passed, now);
            (!admitted).then_some(Discard::NotAudible)
        };
        let forward = match held {
            Some(reason) => {
                source.microphone.hold();
                Err(reason)
            }
            None => Ok(source.microphone.position(source.id, packet)),
        };
        Heard { speaking, forward }
    }

    /// Copies the packet to every other participant of the room.
    fn forward(&mut self, index: usize, position: Position, payload: &[u8], now: Instant) {
        let Some(source) = self.participants.get(index) else {
            return;
        };
        let from = source.id;
        let Some(room) = self.rooms.get(source.room) else {
            return;
        };
        let parcel = Parcel {
            from,
            position,
            payload,
        };
        for member in room.members() {
            if member.index == index {
                continue;
            }
            let Some(listener) = self.participants.get_mut(member.index) else {
                continue;
            };
            let audible = |id| room.speakers.is_audible(id);
            match listener.forward(parcel, audible, &mut self.output, now) {
                Ok(sent) => {
                    self.counters.forwarded_audio_packets += 1;
                    self.counters.sent_datagrams += 1;
                    self.counters.sent_bytes += sent as u64;
                }
                // Joining takes a moment, and there is nothing to hear before.
                Err(Discard::NotConnected) => {}
                Err(reason) => self.counters.discard(reason),
            }
        }
    }

    fn handle_rtcp(
        &mut self,
        path: Path,
        datagram: &mut [u8],
        now: Instant,
    ) -> Result<(), Discard> {
        let index = *self.addresses.get(&path).ok_or(Discard::UnknownAddress)?;
        let participant = self.participants.get_mut(index);
        let participant = participant.ok_or(Discard::UnknownAddress)?;
        let srtp = participant.srtp.as_mut().ok_or(Discard::NotConnected)?;
        let length = srtp
            .inbound
            .unprotect_rtcp(datagram)
            .map_err(Discard::of_opening_control)?;
        participant.peer.media_authenticated(path);
        let lost = &mut self.counters.reported_lost_packets;
        rtcp::parse(&datagram[..length], |report| match report {
            Report::Sender { ssrc, ntp_middle } => {
                participant.microphone.reported(ssrc, ntp_middle, now);
            }
            Report::Reception { ssrc, lost_total } => {
                let newly = participant.slots.reported(ssrc, lost_total);
                *lost += u64::from(newly.unwrap_or(0));
            }
        })
        .map_err(|rtcp::Malformed| Discard::BadRtcp)
    }
}

/// What became of a packet.
struct Heard {
    speaking: Option<bool>,
    forward: Result<Position, Discard>,
}

/// Finds the packet's track: by its SSRC, at first by the mid that it carries.
fn latch(source: &mut Participant, packet: &Packet<'_>) -> Result<(), Discard> {
    if source.incoming.microphone != Some(packet.payload_type) {
        return Err(Discard::UnknownPayload);
    }
    if source.microphone.ssrc() == Some(packet.ssrc) {
        return Ok(());
    }
    let named = match source.incoming.extensions.mid {
        Some(id) => packet.extensions.find(id) == Some(MICROPHONE_MID),
        // A client without the extension has no second track to be told apart.
        None => source.microphone.ssrc().is_none(),
    };
    if !named {
        return Err(Discard::UnknownSsrc);
    }
    source.microphone.latch(packet.ssrc);
    Ok(())
}

fn sample(incoming: &Incoming, packet: &Packet<'_>) -> Sample {
    let id = incoming.extensions.audio_level;
    Sample {
        level: id.and_then(|id| packet.extensions.audio_level(id)),
        payload_bytes: packet.payload.len(),
    }
}
