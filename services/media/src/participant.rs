//! One participant: its peer, its keys, its microphone, and the slots in which it hears others.
//! Knows neither its room nor the other participants.

use std::time::{Duration, Instant};

use gryt_model::ParticipantId;

use crate::command::{Capabilities, Offer, Refusal};
use crate::counters::Discard;
use crate::microphone::Microphone;
use crate::output::{MAX_DATAGRAM_BYTES, Output};
use crate::path::Path;
use crate::peer::{
    AnswerError, AudioSlot, HeaderExtensions, Layout, Line, MAX_PAIRS, Mid, NegotiatedLine, Peer,
};
use crate::random::Random;
use crate::rtcp::{Compound, NtpTime};
use crate::rtp::FORWARDED_HEADER_BYTES;
use crate::slots::{Position, Slot, Slots};
use crate::srtp::{Inbound, Outbound, RTCP_OVERHEAD, SrtpKeys, TAG_LEN};

/// A place is never held longer, even with signaling dead.
const SEAT_CAP: Duration = Duration::from_secs(12 * 60 * 60);

/// How often each side of a stream is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Longer payloads than this fit no output datagram. Opus has at most 1,275 bytes.
const MAX_PAYLOAD_BYTES: usize = MAX_DATAGRAM_BYTES - FORWARDED_HEADER_BYTES - TAG_LEN;

/// A device in a room.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) id: ParticipantId,
    /// Index of its room.
    pub(crate) room: usize,
    pub(crate) capabilities: Capabilities,
    pub(crate) peer: Peer,
    pub(crate) srtp: Option<Srtp>,
    pub(crate) microphone: Microphone,
    pub(crate) slots: Slots,
    pub(crate) incoming: Incoming,
    /// Known to the node's address table; the oldest first.
    pub(crate) paths: Vec<Path>,
    layout: Layout,
    offered: Offered,
    report_at: Option<Instant>,
    expires_at: Instant,
}

/// Both directions' contexts.
#[derive(Debug)]
pub(crate) struct Srtp {
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
}

/// What the client's answer says of the packets it sends.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// Opus's payload type; `None`: it does not send.
    pub(crate) microphone: Option<u8>,
    pub(crate) extensions: HeaderExtensions,
}

/// One offer is in flight at most.
#[derive(Debug, Default)]
struct Offered {
    latest: u32,
    is_answered: bool,
    slots: usize,
}

/// A packet on its way to listeners.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel<'a> {
    pub(crate) from: ParticipantId,
    pub(crate) position: Position,
    pub(crate) payload: &'a [u8],
}

/// What a participant starts with.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) id: ParticipantId,
    pub(crate) room: usize,
    pub(crate) capabilities: Capabilities,
    pub(crate) peer: Peer,
    /// Unique over all seats of the worker.
    pub(crate) instance: u32,
}

impl Participant {
    pub(crate) fn new(beginning: Beginning, now: Instant) -> Self {
        let Beginning {
            id,
            room,
            capabilities,
            peer,
            instance,
        } = beginning;
        Self {
            id,
            room,
            capabilities,
            peer,
            srtp: None,
            microphone: Microphone::new(instance),
            slots: Slots::default(),
            incoming: Incoming::default(),
            paths: Vec::new(),
            layout: Layout::voice([]),
            offered: Offered::default(),
            report_at: None,
            expires_at: now + SEAT_CAP,
        }
    }

    /// Adds slots up to `number`. They carry nothing before an answer takes them.
    pub(crate) fn widen(&mut self, number: usize, random: &mut Random) {
        while self.slots.len() < number {
            let Ok(place) = u8::try_from(self.slots.len()) else {
                return;
            };
            let [ssrc, sequence, timestamp] = [random.number(), random.number(), random.number()];
            let cname: Box<str> = format!("s{place}").into();
            let [.., high, low] = sequence.to_be_bytes();
            let sequence = u16::from_be_bytes([high, low]);
            self.slots
                .push(Slot::new(ssrc, cname.clone(), sequence, timestamp));
            self.layout.lines.push(Line::AudioSlot(AudioSlot {
                number: place,
                ssrc,
                cname,
            }));
        }
    }

    /// The next offer, if there is something new to offer and none is in flight.
    pub(crate) fn next_offer(&mut self) -> Option<Offer> {
        let in_flight = self.offered.latest != 0 && !self.offered.is_answered;
        if in_flight || self.offered.slots == self.slots.len() {
            return None;
        }
        let offer = self.peer.offer(&self.layout);
        self.offered = Offered {
            latest: offer.revision,
            is_answered: false,
            slots: self.slots.len(),
        };
        Some(Offer {
            revision: offer.revision,
            sdp: offer.sdp,
        })
    }

    /// Takes the client's answer.
    pub(crate) fn answer(&mut self, revision: u32, sdp: &str) -> Result<(), Refusal> {
        let negotiated = self.peer.answer(revision, sdp).map_err(|error| {
            if let AnswerError::StaleRevision { offered, .. } = error {
                return Refusal::StaleOffer { latest: offered };
            }
            Refusal::BadAnswer {
                what: error.to_string(),
            }
        })?;
        self.offered.is_answered = true;
        self.incoming.extensions = negotiated.extensions;
        for line in negotiated.lines {
            let NegotiatedLine {
                mid,
                direction,
                opus_pt,
            } = line;
            match mid {
                Mid::Microphone => {
                    self.incoming.microphone = opus_pt.filter(|_| direction.sends());
                }
                Mid::AudioSlot(number) => {
                    let payload_type = opus_pt.filter(|_| direction.receives());
                    self.slots.negotiate(usize::from(number), payload_type);
                }
            }
        }
        Ok(())
    }

    /// Takes the keys of the finished handshake.
    pub(crate) fn connect(&mut self, keys: &SrtpKeys, now: Instant) {
        self.srtp = Some(Srtp {
            inbound: Inbound::new(&keys.inbound),
            outbound: Outbound::new(&keys.outbound),
        });
        self.report_at = Some(now + REPORT_INTERVAL);
    }

    /// Notes a validated address pair, the newest last. Returns the one it displaces: the one that
    /// was checked longest ago, never the nominated one, as the peer does with its own.
    pub(crate) fn learn(&mut self, path: Path) -> Option<Path> {
        if let Some(known) = self.paths.iter().position(|known| *known == path) {
            self.paths[known..].rotate_left(1);
            return None;
        }
        let displaced = (self.paths.len() == MAX_PAIRS).then(|| {
            let nominated = self.peer.path();
            let oldest = self.paths.iter().position(|path| Some(*path) != nominated);
            self.paths.remove(oldest.unwrap_or(0))
        });
        self.paths.push(path);
        displaced
    }

    /// Copies one packet into its slot and seals it.
    pub(crate) fn forward(
        &mut self,
        parcel: Parcel<'_>,
        audible: impl Fn(ParticipantId) -> bool,
        output: &mut Output,
        now: Instant,
    ) -> Result<usize, Discard> {
        let Some(srtp) = &mut self.srtp else {
            return Err(Discard::NotConnected);
        };
        let Parcel {
            from,
            position,
            payload,
        } = parcel;
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(Discard::BadRtp);
        }
        let slot = self
            .slots
            .slot_of(from, audible, now)
            .ok_or(Discard::NoSlot)?;
        let length = FORWARDED_HEADER_BYTES + payload.len();
        let path = self
            .peer
            .media_path(length + TAG_LEN)
            .ok_or(Discard::Withheld)?;
        let header = slot
            .rewrite(position, payload.len(), now)
            .ok_or(Discard::Late)?;
        let room = output.room().ok_or(Discard::OutputFull)?;
        if let Some(front) = room.first_chunk_mut() {
            header.write(front);
        }
        room[FORWARDED_HEADER_BYTES..length].copy_from_slice(payload);
        let sealed = srtp
            .outbound
            .protect(room, length)
            .map_err(Discard::of_sealing)?;
        output.push(path, sealed);
        Ok(sealed)
    }

    /// Sends the reports of the last second, if they are due: of each slot that sent, and of the
    /// microphone. Returns the datagram's length.
    pub(crate) fn report(
        &mut self,
        clock: NtpTime,
        output: &mut Output,
        now: Instant,
    ) -> Option<usize> {
        self.report_at.filter(|at| *at <= now)?;
        self.report_at = Some(now + REPORT_INTERVAL);
        let srtp = self.srtp.as_mut()?;
        let from = self.slots.first_ssrc()?;
        let room = output.room()?;
        let mut compound = Compound::new(&mut room[..MAX_DATAGRAM_BYTES - RTCP_OVERHEAD]);
        if let Some(block) = self.microphone.take_block(now) {
            compound.receiver_report(from, &block);
        }
        // Each slot takes 44 bytes and the block 32, so that 32 slots fit.
        for (report, cname) in self.slots.take_reports(now) {
            compound.sender_report(&report, clock);
            compound.source_description(report.ssrc, cname);
        }
        let length = compound.len();
        if length == 0 {
            return None;
        }
        let path = self.peer.media_path(length + RTCP_OVERHEAD)?;
        let sealed = srtp.outbound.protect_rtcp(room, length).ok()?;
        output.push(path, sealed);
        Some(sealed)
    }

    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        now >= self.expires_at
    }

    /// The next instant at which something of this participant is due.
    pub(crate) fn deadline(&self) -> Instant {
        [
            self.report_at,
            self.microphone.voice.release_at(),
            self.peer.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .fold(self.expires_at, Instant::min)
    }
}
