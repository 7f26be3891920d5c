//! One listener's audio slots: fixed streams whose owners change. Sequence numbers and timestamps
//! run on over every change, so that to the browser a slot is one unbroken stream.

use std::time::{Duration, Instant};

use gryt_model::ParticipantId;

use crate::rtcp::SenderReport;
use crate::rtp::Forwarded;

/// Opus counts in 48 kHz whatever it codes (RFC 7587 section 4.1).
pub(crate) const OPUS_CLOCK_HZ: u32 = 48_000;

/// One Opus packet of 20 ms, the least step between two owners.
const FRAME_TICKS: u32 = 960;

/// A jump that is longer than this is a restarted stream and not loss.
const MAX_GAP_PACKETS: u16 = 1_000;

/// A slot that had nothing to send for this long may be taken from an owner who is still audible.
const IDLE: Duration = Duration::from_millis(500);

/// The numbers of slots that a listener may have negotiated.
const STEPS: [usize; 4] = [8, 16, 25, 32];

/// How many slots a listener needs so that this many others can be heard.
pub(crate) fn step(audible: usize) -> usize {
    STEPS
        .into_iter()
        .find(|step| *step >= audible)
        .unwrap_or(STEPS[STEPS.len() - 1])
}

/// Where in a source's packets a packet stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// The source's participant id.
    pub(crate) csrc: u32,
    /// Changes when the source's timestamps start over: a new SSRC or a new seat.
    pub(crate) stream: u64,
    /// Changes when packets before this one were held back.
    pub(crate) run: u32,
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

/// All slots of one listener.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// Beside `slots`, because every copy of every packet looks its owner up.
    owners: Vec<Option<ParticipantId>>,
    slots: Vec<Slot>,
}

impl Slots {
    /// Appends a slot.
    pub(crate) fn push(&mut self, slot: Slot) {
        self.owners.push(None);
        self.slots.push(slot);
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Notes the client's answer for one slot: Opus's payload type, `None` if it takes nothing.
    pub(crate) fn negotiate(&mut self, number: usize, payload_type: Option<u8>) {
        if let Some(slot) = self.slots.get_mut(number) {
            slot.payload_type = payload_type;
        }
    }

    /// The slot that carries `source`; a new owner gets a free one, else that of the owner who is
    /// silent longest. `audible` tells whose slot is not to be taken.
    pub(crate) fn slot_of(
        &mut self,
        source: ParticipantId,
        audible: impl Fn(ParticipantId) -> bool,
        now: Instant,
    ) -> Option<&mut Slot> {
        let owned = self.owners.iter().position(|owner| *owner == Some(source));
        let place = match owned {
            Some(place) => place,
            None => {
                let place = self.longest_silent(audible, now)?;
                self.owners[place] = Some(source);
                self.slots[place].source = None;
                place
            }
        };
        self.slots.get_mut(place)
    }

    fn longest_silent(
        &self,
        audible: impl Fn(ParticipantId) -> bool,
        now: Instant,
    ) -> Option<usize> {
        let may_take = |place: &usize| {
            let slot = &self.slots[*place];
            let idle = |sent| now.saturating_duration_since(sent) > IDLE;
            let is_free = |owner| !audible(owner) || slot.sent_at.is_none_or(idle);
            slot.payload_type.is_some() && self.owners[*place].is_none_or(is_free)
        };
        // `None` sorts first: a slot that never had an owner is the longest silent.
        (0..self.slots.len())
            .filter(may_take)
            .min_by_key(|place| (self.owners[*place].is_some(), self.slots[*place].sent_at))
    }

    /// The sender reports that are due: of each slot that sent since the last time.
    pub(crate) fn take_reports(
        &mut self,
        now: Instant,
    ) -> impl Iterator<Item = (SenderReport, &str)> {
        self.slots
            .iter_mut()
            .filter_map(move |slot| slot.take_report(now))
    }

    /// Notes what the listener reports of one slot. Returns how many packets it lost since its
    /// last report; `None`: no slot has this SSRC.
    pub(crate) fn reported(&mut self, ssrc: u32, lost_total: u32) -> Option<u32> {
        let slot = self.slots.iter_mut().find(|slot| slot.ssrc == ssrc)?;
        let newly = lost_total.saturating_sub(slot.reported_lost);
        slot.reported_lost = slot.reported_lost.max(lost_total);
        // A hostile report must not count for more than was ever sent.
        Some(newly.min(slot.packets))
    }

    /// The SSRC that this end reports from.
    pub(crate) fn first_ssrc(&self) -> Option<u32> {
        self.slots.first().map(|slot| slot.ssrc)
    }
}

/// One outgoing stream.
#[derive(Debug)]
pub(crate) struct Slot {
    ssrc: u32,
    cname: Box<str>,
    payload_type: Option<u8>,
    source: Option<Source>,
    sequence: u16,
    timestamp: u32,
    sent_at: Option<Instant>,
    packets: u32,
    octets: u32,
    report_due: bool,
    reported_lost: u32,
}

/// How the current owner's numbers become the slot's.
#[derive(Debug, Clone, Copy)]
struct Source {
    stream: u64,
    run: u32,
    /// The owner's number that this run began with: what is older may have been sent before.
    begin: u16,
    highest: u16,
    sequence_offset: u16,
    timestamp_offset: u32,
}

impl Slot {
    /// `sequence` and `timestamp` are random starts. The sequence begins in the lower half so
    /// that an early loss cannot make the receiver guess another rollover count (RFC 3711
    /// section 3.3.1).
    pub(crate) fn new(ssrc: u32, cname: Box<str>, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            cname,
            payload_type: None,
            source: None,
            sequence: sequence & 0x7fff,
            timestamp,
            sent_at: None,
            packets: 0,
            octets: 0,
            report_due: false,
            reported_lost: 0,
        }
    }

    /// Gives the packet its numbers in this slot. `None`: it is from before the current run,
    /// where its number may have been used (a sealed number is never used again).
    pub(crate) fn rewrite(
        &mut self,
        position: Position,
        payload_bytes: usize,
        now: Instant,
    ) -> Option<Forwarded> {
        let payload_type = self.payload_type?;
        let (source, resumed) = self.follow(position, now)?;
        let sequence = position.sequence.wrapping_add(source.sequence_offset);
        let timestamp = position.timestamp.wrapping_add(source.timestamp_offset);
        if resumed || is_newer(sequence, self.sequence) {
            self.sequence = sequence;
            self.timestamp = timestamp;
        }
        self.source = Some(source);
        self.sent_at = Some(now);
        self.packets = self.packets.wrapping_add(1);
        let octets = u32::try_from(payload_bytes).unwrap_or(u32::MAX);
        self.octets = self.octets.wrapping_add(octets);
        self.report_due = true;
        Some(Forwarded {
            marker: resumed || position.marker,
            payload_type,
            sequence,
            timestamp,
            ssrc: self.ssrc,
            csrc: position.csrc,
        })
    }

    fn follow(&self, position: Position, now: Instant) -> Option<(Source, bool)> {
        let Some(mut source) = self.source else {
            return Some((
                self.begin(position, self.timestamp_offset(position, now)),
                true,
            ));
        };
        if source.stream != position.stream {
            return Some((
                self.begin(position, self.timestamp_offset(position, now)),
                true,
            ));
        }
        let ahead = position.sequence.wrapping_sub(source.highest);
        let is_ahead = ahead < 0x8000;
        if source.run != position.run || (is_ahead && ahead > MAX_GAP_PACKETS) {
            return Some((self.begin(position, source.timestamp_offset), true));
        }
        if is_ahead {
            source.highest = position.sequence;
        } else if position.sequence.wrapping_sub(source.begin) >= 0x8000 {
            return None;
        }
        Some((source, false))
    }

    fn begin(&self, position: Position, timestamp_offset: u32) -> Source {
        let next = self.sequence.wrapping_add(1);
        Source {
            stream: position.stream,
            run: position.run,
            begin: position.sequence,
            highest: position.sequence,
            sequence_offset: next.wrapping_sub(position.sequence),
            timestamp_offset,
        }
    }

    fn timestamp_offset(&self, position: Position, now: Instant) -> u32 {
        let next = self.timestamp_at(now, FRAME_TICKS);
        next.wrapping_sub(position.timestamp)
    }

    fn timestamp_at(&self, now: Instant, least: u32) -> u32 {
        let passed = self
            .sent_at
            .map_or(Duration::ZERO, |sent| now.saturating_duration_since(sent));
        self.timestamp.wrapping_add(ticks(passed).max(least))
    }

    fn take_report(&mut self, now: Instant) -> Option<(SenderReport, &str)> {
        if !std::mem::take(&mut self.report_due) {
            return None;
        }
        let report = SenderReport {
            ssrc: self.ssrc,
            rtp_timestamp: self.timestamp_at(now, 0),
            packets: self.packets,
            octets: self.octets,
        };
        Some((report, &self.cname))
    }
}

fn is_newer(a: u16, than: u16) -> bool {
    let ahead = a.wrapping_sub(than);
    ahead != 0 && ahead < 0x8000
}

/// A duration in Opus's clock, modulo 2^32 as RTP counts.
pub(crate) fn ticks(duration: Duration) -> u32 {
    let ticks = duration.as_micros() * u128::from(OPUS_CLOCK_HZ) / 1_000_000;
    u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
