//! What a scripted participant heard: which packets of whom, in which slot, under which name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::speech::Spoken;

/// Everything that one listener received.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    voices: BTreeMap<u32, Voice>,
    slots: BTreeMap<u32, SlotRecord>,
    names: BTreeMap<(u32, u32), u64>,
    unnamed: u64,
    strange: u64,
    sources: BTreeSet<SocketAddr>,
}

/// One speaker's packets by their numbers.
#[derive(Debug, Clone, Default)]
struct Voice {
    arrivals: Vec<Option<Instant>>,
    repeats: u64,
    received: u64,
}

/// One slot, that is one SSRC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlotRecord {
    /// Packets received.
    pub packets: u64,
    /// Sequence numbers passed over.
    pub gaps: u64,
    /// Packets that came after a later one, or twice.
    pub disordered: u64,
    /// The names under which voices came, in turn.
    pub owners: Vec<u32>,
    last_sequence: Option<u16>,
}

/// The parts of a packet that count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    pub(super) csrc: Option<u32>,
    pub(super) payload: &'a [u8],
}

/// A bound against a number that no speaker sent.
const MOST_PACKETS: usize = 1 << 20;

impl Reception {
    pub(super) fn received_from(&mut self, source: SocketAddr) {
        self.sources.insert(source);
    }

    pub(super) fn record(&mut self, heard: Heard<'_>, now: Instant) {
        let Heard {
            ssrc,
            sequence,
            csrc,
            payload,
        } = heard;
        let slot = self.slots.entry(ssrc).or_default();
        slot.record(sequence, csrc);
        let Some(Spoken { tag, number }) = Spoken::read(payload) else {
            self.strange += 1;
            return;
        };
        match csrc {
            Some(csrc) => *self.names.entry((csrc, tag)).or_default() += 1,
            None => self.unnamed += 1,
        }
        if let Some(number) = number.and_then(|number| usize::try_from(number).ok())
            && number < MOST_PACKETS
        {
            self.voices.entry(tag).or_default().record(number, now);
        }
    }

    /// How many different voiced packets of a speaker came.
    #[must_use]
    pub fn received_of(&self, tag: u32) -> u64 {
        self.voices.get(&tag).map_or(0, |voice| voice.received)
    }

    /// How many packets of a speaker came more than once.
    #[must_use]
    pub fn repeats_of(&self, tag: u32) -> u64 {
        self.voices.get(&tag).map_or(0, |voice| voice.repeats)
    }

    /// The numbers in `range` of a speaker's packets that did not come.
    #[must_use]
    pub fn missing_of(&self, tag: u32, range: Range<u64>) -> Vec<u64> {
        let voice = self.voices.get(&tag);
        let came = |number: &u64| {
            let arrival = usize::try_from(*number).ok();
            arrival
                .and_then(|at| voice?.arrivals.get(at).copied().flatten())
                .is_some()
        };
        range.filter(|number| !came(number)).collect()
    }

    /// When the first packet of a speaker came whose number is at least `number`.
    #[must_use]
    pub fn first_from(&self, tag: u32, number: u64) -> Option<Instant> {
        let arrivals = &self.voices.get(&tag)?.arrivals;
        arrivals
            .get(usize::try_from(number).ok()?..)?
            .iter()
            .flatten()
            .min()
            .copied()
    }

    /// The longest time between the arrivals of two successive packets of a speaker.
    #[must_use]
    pub fn longest_silence_of(&self, tag: u32, range: Range<u64>) -> Duration {
        let numbers = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok());
        let arrivals = self.voices.get(&tag).zip(numbers);
        let arrivals = arrivals.and_then(|(voice, (start, end))| voice.arrivals.get(start..end));
        let came: Vec<Instant> = arrivals.into_iter().flatten().flatten().copied().collect();
        let silences = came
            .windows(2)
            .map(|two| two[1].saturating_duration_since(two[0]));
        silences.max().unwrap_or_default()
    }

    /// The speakers of whom packets came after `since`.
    #[must_use]
    pub fn speakers_since(&self, since: Instant) -> BTreeSet<u32> {
        let heard = |voice: &&Voice| voice.arrivals.iter().flatten().any(|at| *at > since);
        let voices = self.voices.iter().filter(|(_, voice)| heard(voice));
        voices.map(|(tag, _)| *tag).collect()
    }

    /// The addresses from which datagrams came, of whatever kind.
    #[must_use]
    pub fn sources(&self) -> BTreeSet<SocketAddr> {
        self.sources.clone()
    }

    /// How many packets came under each pair of CSRC and true speaker.
    #[must_use]
    pub fn names(&self) -> &BTreeMap<(u32, u32), u64> {
        &self.names
    }

    /// Packets without a CSRC.
    #[must_use]
    pub fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// Packets that no scripted client made.
    #[must_use]
    pub fn strange(&self) -> u64 {
        self.strange
    }

    /// Each slot that was used, by its SSRC.
    #[must_use]
    pub fn slots(&self) -> &BTreeMap<u32, SlotRecord> {
        &self.slots
    }

    /// The sequence gaps of all slots.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.slots
            .values()
            .map(|slot| slot.gaps + slot.disordered)
            .sum()
    }
}

impl Voice {
    fn record(&mut self, number: usize, now: Instant) {
        if self.arrivals.len() <= number {
            self.arrivals.resize(number + 1, None);
        }
        if self.arrivals[number].replace(now).is_some() {
            self.repeats += 1;
        } else {
            self.received += 1;
        }
    }
}

impl SlotRecord {
    fn record(&mut self, sequence: u16, csrc: Option<u32>) {
        self.packets += 1;
        if let Some(last) = self.last_sequence {
            let ahead = sequence.wrapping_sub(last.wrapping_add(1));
            if ahead < 1 << 15 {
                self.gaps += u64::from(ahead);
                self.last_sequence = Some(sequence);
            } else {
                self.disordered += 1;
            }
        } else {
            self.last_sequence = Some(sequence);
        }
        if let Some(csrc) = csrc
            && self.owners.last() != Some(&csrc)
        {
            self.owners.push(csrc);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn hear(reception: &mut Reception, sequence: u16, csrc: u32, number: u64) {
        let payload = Spoken {
            tag: 9,
            number: Some(number),
        }
        .write();
        let heard = Heard {
            ssrc: 1,
            sequence,
            csrc: Some(csrc),
            payload: &payload,
        };
        reception.record(heard, clock::now());
    }

    #[test]
    fn gaps_repeats_and_names_are_told_apart() {
        let mut reception = Reception::default();
        hear(&mut reception, 65_535, 5, 0);
        hear(&mut reception, 0, 5, 1);
        assert_eq!(reception.gaps(), 0);
        hear(&mut reception, 3, 6, 4);
        assert_eq!(reception.gaps(), 2);
        hear(&mut reception, 4, 6, 4);
        assert_eq!(reception.received_of(9), 3);
        assert_eq!(reception.repeats_of(9), 1);
        assert_eq!(reception.missing_of(9, 0..6), [2, 3, 5]);
        assert_eq!(reception.slots()[&1].owners, [5, 6]);
        assert_eq!(reception.names()[&(5, 9)], 2);
    }
}
