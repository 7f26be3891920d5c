//! What a scripted participant says: packets like Opus at 50 per second, each with its number.

use bytes::{BufMut as _, Bytes, BytesMut};

/// One packet's content. The speaker's tag tells listeners whom they really hear, whatever the
/// packet is marked with; the number tells which of its packets are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// The speaker.
    pub tag: u32,
    /// Counts the speaker's voiced packets from 0. `None` for a packet of silence.
    pub number: Option<u64>,
}

/// As long as Opus at 32 kbit/s.
const PAYLOAD_BYTES: usize = 80;
/// Fullband CELT, 20 ms, mono (RFC 6716 section 3.1).
const OPUS_TOC: u8 = 0xf8;
const SILENCE: u64 = u64::MAX;

impl Spoken {
    pub(super) fn write(self) -> Bytes {
        let mut payload = BytesMut::with_capacity(PAYLOAD_BYTES);
        payload.put_u8(OPUS_TOC);
        payload.put_u32(self.tag);
        payload.put_u64(self.number.unwrap_or(SILENCE));
        payload.resize(PAYLOAD_BYTES, 0x55);
        payload.freeze()
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let tag = payload.get(1..5)?.try_into().ok()?;
        let number = u64::from_be_bytes(payload.get(5..13)?.try_into().ok()?);
        let number = (number != SILENCE).then_some(number);
        Some(Self {
            tag: u32::from_be_bytes(tag),
            number,
        })
    }
}

/// Where a participant's stream stands.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) tag: u32,
    pub(super) ssrc: u32,
    sequence: u16,
    timestamp: u32,
    spoken: u64,
    voice: Mood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Silent,
    /// The next packet begins a talkspurt.
    Starting {
        level: u8,
    },
    Speaking {
        level: u8,
    },
    /// One packet of silence ends the talkspurt, as browsers do.
    Ending,
}

/// One packet to send.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) marker: bool,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    /// In -dBov (RFC 6464).
    pub(super) level: u8,
    pub(super) payload: Bytes,
}

/// 20 ms at 48 kHz.
const SAMPLES_PER_PACKET: u32 = 960;
/// Digital silence (RFC 6464 section 3).
const SILENT_LEVEL: u8 = 127;

impl Stream {
    pub(super) fn new(tag: u32, ssrc: u32) -> Self {
        Self {
            tag,
            ssrc,
            sequence: 65_500,
            timestamp: 0,
            spoken: 0,
            voice: Mood::Silent,
        }
    }

    /// The number of voiced packets so far, so also the number of the next one.
    pub(super) fn spoken(&self) -> u64 {
        self.spoken
    }

    pub(super) fn speak(&mut self, level: u8) {
        self.voice = match self.voice {
            Mood::Silent | Mood::Starting { .. } => Mood::Starting { level },
            Mood::Speaking { .. } | Mood::Ending => Mood::Speaking { level },
        };
    }

    pub(super) fn hush(&mut self) {
        self.voice = match self.voice {
            Mood::Silent | Mood::Starting { .. } => Mood::Silent,
            Mood::Speaking { .. } | Mood::Ending => Mood::Ending,
        };
    }

    /// Moves on by 20 ms. Time goes on in silence too, packets do not.
    pub(super) fn tick(&mut self) -> Option<Packet> {
        self.timestamp = self.timestamp.wrapping_add(SAMPLES_PER_PACKET);
        let (marker, level, next) = match self.voice {
            Mood::Silent => return None,
            Mood::Starting { level } => (true, level, Mood::Speaking { level }),
            Mood::Speaking { level } => (false, level, Mood::Speaking { level }),
            Mood::Ending => (false, SILENT_LEVEL, Mood::Silent),
        };
        let number = (self.voice != Mood::Ending).then_some(self.spoken);
        self.spoken += u64::from(number.is_some());
        self.sequence = self.sequence.wrapping_add(1);
        self.voice = next;
        Some(Packet {
            marker,
            sequence: self.sequence,
            timestamp: self.timestamp,
            level,
            payload: Spoken {
                tag: self.tag,
                number,
            }
            .write(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_says_who_speaks_and_which_one_it_is() {
        for number in [None, Some(0), Some(7)] {
            let spoken = Spoken { tag: 3, number };
            assert_eq!(Spoken::read(&spoken.write()), Some(spoken));
        }
        assert_eq!(Spoken::read(b"short"), None);
    }

    #[test]
    fn a_talkspurt_begins_with_a_marker_and_ends_with_silence() {
        let mut stream = Stream::new(1, 2);
        assert!(stream.tick().is_none());
        stream.speak(30);
        let (first, second) = (stream.tick().unwrap(), stream.tick().unwrap());
        assert_eq!((first.marker, second.marker), (true, false));
        assert_eq!(second.sequence, first.sequence.wrapping_add(1));
        stream.hush();
        let last = stream.tick().unwrap();
        assert_eq!(last.level, SILENT_LEVEL);
        assert_eq!(Spoken::read(&last.payload).unwrap().number, None);
        assert!(stream.tick().is_none());
        assert_eq!(stream.spoken(), 2);
    }
}
