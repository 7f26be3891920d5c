//! One participant's microphone as it arrives: which SSRC it is, where its talkspurts begin and
//! end, how well it is received. Knows no listener.

use std::time::{Duration, Instant};

use gryt_model::ParticipantId;

use crate::rtcp::ReceptionBlock;
use crate::rtp::Packet;
use crate::slots::{Position, ticks};
use crate::speakers::{Sample, Voice};

/// An upstream audio track.
#[derive(Debug)]
pub(crate) struct Microphone {
    ssrc: Option<u32>,
    /// Tells this seat's streams from those of an earlier seat of the same participant.
    instance: u32,
    run: u32,
    /// The packet before this one was not forwarded.
    held: bool,
    /// This pause's one packet of silence went out.
    silence_sent: bool,
    heard_at: Option<Instant>,
    pub(crate) voice: Voice,
    reception: Reception,
}

impl Microphone {
    pub(crate) fn new(instance: u32) -> Self {
        Self {
            ssrc: None,
            instance,
            run: 0,
            held: false,
            silence_sent: false,
            heard_at: None,
            voice: Voice::default(),
            reception: Reception::default(),
        }
    }

    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Follows the stream of this SSRC from here on.
    pub(crate) fn latch(&mut self, ssrc: u32) {
        self.ssrc = Some(ssrc);
        self.reception = Reception::default();
    }

    /// Notes a packet that arrived. Returns the time since the one before.
    pub(crate) fn receive(&mut self, packet: &Packet<'_>, now: Instant) -> Duration {
        self.reception.note(packet, now);
        let before = self.heard_at.replace(now).unwrap_or(now);
        now.saturating_duration_since(before)
    }

    /// Whether a silent packet is the first of its pause, which listeners shall hear: their
    /// decoders fade out on it instead of concealing a loss.
    pub(crate) fn begins_pause(&mut self, sample: Sample) -> bool {
        !std::mem::replace(&mut self.silence_sent, sample.is_silent())
    }

    /// The packet is not forwarded.
    pub(crate) fn hold(&mut self) {
        self.held = true;
    }

    /// The packet is forwarded: its position among this source's packets.
    pub(crate) fn position(&mut self, from: ParticipantId, packet: &Packet<'_>) -> Position {
        if std::mem::take(&mut self.held) {
            self.run = self.run.wrapping_add(1);
        }
        Position {
            csrc: from.get(),
            stream: u64::from(self.instance) << 32 | u64::from(packet.ssrc),
            run: self.run,
            marker: packet.marker,
            sequence: packet.sequence,
            timestamp: packet.timestamp,
        }
    }

    /// Notes a sender report: the middle 32 bits of its NTP time.
    pub(crate) fn reported(&mut self, ssrc: u32, ntp_middle: u32, now: Instant) {
        if self.ssrc == Some(ssrc) {
            self.reception.sender_report = Some((ntp_middle, now));
        }
    }

    /// The block of the next receiver report; `None` while nothing arrives.
    pub(crate) fn take_block(&mut self, now: Instant) -> Option<ReceptionBlock> {
        self.reception.take_block(self.ssrc?, now)
    }
}

/// RFC 3550 appendices A.1, A.3 and A.8.
#[derive(Debug, Default)]
struct Reception {
    first: Option<First>,
    highest: u32,
    received: u32,
    expected_before: u32,
    received_before: u32,
    /// In 1/16 tick, as the appendix keeps it.
    jitter: u32,
    transit: u32,
    sender_report: Option<(u32, Instant)>,
}

#[derive(Debug, Clone, Copy)]
struct First {
    sequence: u32,
    at: Instant,
}

impl Reception {
    fn note(&mut self, packet: &Packet<'_>, now: Instant) {
        let sequence = u32::from(packet.sequence);
        let Some(first) = self.first else {
            self.first = Some(First { sequence, at: now });
            self.highest = sequence;
            self.received = 1;
            self.transit = 0_u32.wrapping_sub(packet.timestamp);
            return;
        };
        self.received = self.received.wrapping_add(1);
        let [_, _, high, low] = self.highest.to_be_bytes();
        let ahead = packet
            .sequence
            .wrapping_sub(u16::from_be_bytes([high, low]));
        if ahead < 0x8000 {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
        }
        let arrival = ticks(now.saturating_duration_since(first.at));
        let transit = arrival.wrapping_sub(packet.timestamp);
        let difference = transit.wrapping_sub(self.transit).cast_signed();
        self.transit = transit;
        // A stream that restarts its timestamps is no jitter of the network.
        let difference = difference.unsigned_abs().min(MOST_JITTER_TICKS);
        let correction = (self.jitter + 8) >> 4;
        self.jitter = self.jitter + difference - correction.min(self.jitter + difference);
    }

    fn take_block(&mut self, ssrc: u32, now: Instant) -> Option<ReceptionBlock> {
        let first = self.first?;
        let expected = self.highest.wrapping_sub(first.sequence).wrapping_add(1);
        let expected_since = expected.wrapping_sub(self.expected_before);
        let received_since = self.received.wrapping_sub(self.received_before);
        if received_since == 0 {
            return None;
        }
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (u64::from(lost_since) << 8) / u64::from(expected_since.max(1));
        let (last_sender_report, delay_since) = match self.sender_report {
            Some((middle, at)) => (middle, in_65536ths(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        Some(ReceptionBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost_total: expected.saturating_sub(self.received),
            highest_sequence: self.highest,
            jitter: self.jitter >> 4,
            last_sender_report,
            delay_since,
        })
    }
}

/// One second.
const MOST_JITTER_TICKS: u32 = 48_000;

fn in_65536ths(delay: Duration) -> u32 {
    let units = delay.as_micros() * 65_536 / 1_000_000;
    u32::try_from(units).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Extensions;

    fn packet(sequence: u16) -> Packet<'static> {
        Packet {
            marker: false,
            payload_type: 111,
            sequence,
            timestamp: u32::from(sequence).wrapping_mul(960),
            ssrc: 5,
            extensions: Extensions::default(),
            payload: b"opus",
        }
    }

    #[test]
    fn a_block_tells_loss_since_the_last_one_over_a_rollover() {
        #[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
        let mut now = Instant::now();
        let mut microphone = Microphone::new(1);
        microphone.latch(5);
        assert_eq!(microphone.take_block(now), None);
        for sequence in [65_533, 65_534, 65_535, 1, 2] {
            now += Duration::from_millis(20);
            microphone.receive(&packet(sequence), now);
        }
        let block = microphone.take_block(now).unwrap();
        assert_eq!(block.highest_sequence, 65_536 + 2);
        assert_eq!((block.lost_total, block.fraction_lost), (1, 42));
        assert_eq!(microphone.take_block(now), None, "nothing arrived");
        microphone.reported(5, 77, now);
        microphone.receive(&packet(3), now);
        let block = microphone.take_block(now + Duration::from_secs(1)).unwrap();
        assert_eq!((block.last_sender_report, block.delay_since), (77, 65_536));
        assert_eq!(block.fraction_lost, 0);
    }

    #[test]
    fn what_was_held_back_begins_a_new_run() {
        let mut microphone = Microphone::new(1);
        let id = ParticipantId::new(9).unwrap();
        assert_eq!(microphone.position(id, &packet(1)).run, 0);
        assert_eq!(microphone.position(id, &packet(2)).run, 0);
        microphone.hold();
        assert_eq!(microphone.position(id, &packet(4)).run, 1);
    }

    #[test]
    fn a_pause_begins_once() {
        let mut microphone = Microphone::new(1);
        let at = |level| Sample {
            level: Some(level),
            payload_bytes: 80,
        };
        let begins = [30, 127, 127, 127, 30, 127].map(|level| {
            let sample = at(level);
            microphone.begins_pause(sample) && sample.is_silent()
        });
        assert_eq!(begins, [false, true, false, false, false, true]);
    }
}
