//! Who of a room is heard, and who speaks. Levels are dBov negated as in RFC 6464, 0..=127;
//! loudness here is 127 minus that, so that more is louder. Nothing is decoded.

use std::time::{Duration, Instant};

use gryt_model::{AudibleLimit, ParticipantId};

/// Weight of the newest packet in the smoothed loudness. A newcomer 10 dB above the others
/// passes the margin after 12 packets of 20 ms.
const SMOOTHING: f32 = 0.2;

/// A newcomer must be louder by this much, in dB.
const MARGIN: f32 = 6.0;

/// What a long turn costs, in dB: more than the margin, so that of two equals the one that
/// waited gets in.
const SHARE_COST: f32 = 15.0;

/// How much time among the audible a participant may build up while others wait.
const SHARE: Duration = Duration::from_secs(30);

/// Beyond this without a packet a participant counts as silent: Opus with DTX sends one packet
/// in 400 ms of silence.
const STALE: Duration = Duration::from_millis(450);

/// Puts whoever does not speak below everybody who does, in dB: more than all of loudness, cost
/// and margin together.
const NOT_SPEAKING_COST: f32 = 200.0;

/// Loudness of a packet that carries no level: speech at -40 dBov.
const ASSUMED: u8 = 87;

/// From -55 dBov on a packet counts as speech.
const SPEECH: u8 = 127 - 55;

/// So long must speech go on before it shows, and so long must it be gone.
const ATTACK: Duration = Duration::from_millis(60);
const RELEASE: Duration = Duration::from_millis(400);

/// `-dBov` that mean silence: 127 is digital silence, 126 what libwebrtc writes for "inaudible".
const SILENT_LEVEL: u8 = 126;

/// Opus sends up to two bytes for a frame that it leaves out (RFC 6716 section 3.1, DTX).
const DTX_BYTES: usize = 2;

/// What one packet tells without decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// From the extension; `None` where it is missing.
    pub(crate) level: Option<u8>,
    pub(crate) payload_bytes: usize,
}

impl Sample {
    pub(crate) fn is_silent(self) -> bool {
        self.payload_bytes <= DTX_BYTES || self.level.is_some_and(|level| level >= SILENT_LEVEL)
    }

    fn loudness(self) -> u8 {
        match self.level {
            _ if self.is_silent() => 0,
            Some(level) => 127_u8.saturating_sub(level),
            None => ASSUMED,
        }
    }
}

/// How loud one participant is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Voice {
    loudness: f32,
    heard_at: Option<Instant>,
    /// Time among the audible while others waited; it melts away as fast.
    share: Duration,
    speech_since: Option<Instant>,
    speech_at: Option<Instant>,
    speaking: bool,
    /// The newest packet was silence.
    silent: bool,
}

impl Voice {
    /// Notes one packet. Returns the new speaking state if it changed.
    pub(crate) fn hear(&mut self, sample: Sample, now: Instant) -> Option<bool> {
        if self.heard_at.is_none_or(|heard| is_past(heard, STALE, now)) {
            self.loudness = 0.0;
        }
        let loudness = sample.loudness();
        self.loudness += (f32::from(loudness) - self.loudness) * SMOOTHING;
        self.heard_at = Some(now);
        self.silent = sample.is_silent();
        if loudness < SPEECH {
            self.speech_since = None;
            return self.settle(now);
        }
        let since = *self.speech_since.get_or_insert(now);
        self.speech_at = Some(now);
        if !self.speaking && now.saturating_duration_since(since) >= ATTACK {
            self.speaking = true;
            return Some(true);
        }
        None
    }

    /// Ends speaking when its release is over. Returns the new state if it changed.
    pub(crate) fn settle(&mut self, now: Instant) -> Option<bool> {
        let over = self.release_at()? <= now;
        self.speaking &= !over;
        over.then_some(false)
    }

    /// Ends speaking at once. Returns the new state if it changed.
    pub(crate) fn hush(&mut self) -> Option<bool> {
        self.speech_since = None;
        std::mem::take(&mut self.speaking).then_some(false)
    }

    /// When `settle` ends speaking if no further speech comes.
    pub(crate) fn release_at(&self) -> Option<Instant> {
        let speech_at = self.speech_at?;
        self.speaking.then_some(speech_at + RELEASE)
    }

    pub(crate) fn is_speaking(&self) -> bool {
        self.speaking
    }

    fn charge(&mut self, passed: Duration, audible: bool) {
        self.share = if audible {
            (self.share + passed).min(SHARE * 2)
        } else {
            self.share.saturating_sub(passed)
        };
    }

    /// Ends with speech, not when others are told of it: whoever begins meanwhile loses nothing.
    fn score(&self, now: Instant) -> f32 {
        let stale = self.heard_at.is_none_or(|heard| is_past(heard, STALE, now));
        if stale || self.silent {
            return f32::MIN;
        }
        let released = |speech_at| now.saturating_duration_since(speech_at) >= RELEASE;
        let quiet = self.speech_at.is_none_or(released);
        let share = if self.share > SHARE { SHARE_COST } else { 0.0 };
        self.loudness - share - if quiet { NOT_SPEAKING_COST } else { 0.0 }
    }
}

/// The participants of a room that are forwarded to everybody else, at most the audible limit.
#[derive(Debug)]
pub(crate) struct Speakers {
    limit: AudibleLimit,
    /// Copies of the voices, so that the weakest is found without visiting participants.
    audible: Vec<(ParticipantId, Voice)>,
    /// Somebody was turned away until then, so shares are counted.
    contended_until: Option<Instant>,
}

impl Speakers {
    pub(crate) fn new(limit: AudibleLimit) -> Self {
        Self {
            limit,
            audible: Vec::with_capacity(usize::from(AudibleLimit::MAX)),
            contended_until: None,
        }
    }

    pub(crate) fn limit(&self) -> AudibleLimit {
        self.limit
    }

    /// Changes the limit; the weakest go if it falls.
    pub(crate) fn set_limit(&mut self, limit: AudibleLimit, now: Instant) {
        self.limit = limit;
        while self.audible.len() > usize::from(limit.get()) {
            match self.weakest(now) {
                Some((place, _)) => self.audible.swap_remove(place),
                None => return,
            };
        }
    }

    /// Whether the packet that `voice` just heard is forwarded. `passed` is the time since the
    /// participant's packet before.
    pub(crate) fn admit(
        &mut self,
        id: ParticipantId,
        voice: &mut Voice,
        passed: Duration,
        now: Instant,
    ) -> bool {
        let contended = self.contended_until.is_some_and(|until| now < until);
        let place = self.audible.iter().position(|(other, _)| *other == id);
        voice.charge(passed, contended && place.is_some());
        if let Some(place) = place {
            self.audible[place].1 = *voice;
            return true;
        }
        if self.audible.len() < usize::from(self.limit.get()) {
            self.audible.push((id, *voice));
            return true;
        }
        self.contended_until = Some(now + STALE);
        match self.weakest(now) {
            Some((place, score)) if voice.score(now) > score + MARGIN => {
                self.audible[place] = (id, *voice);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Notes that `voice` just heard silence: whoever is audible stays so until somebody speaks
    /// who is not.
    pub(crate) fn note_silence(&mut self, id: ParticipantId, voice: &Voice) {
        if let Some(place) = self.audible.iter().position(|(other, _)| *other == id) {
            self.audible[place].1 = *voice;
        }
    }

    /// Whether this participant is forwarded.
    pub(crate) fn is_audible(&self, id: ParticipantId) -> bool {
        self.audible.iter().any(|(other, _)| *other == id)
    }

    /// Frees a participant's place.
    pub(crate) fn remove(&mut self, id: ParticipantId) {
        self.audible.retain(|(other, _)| *other != id);
    }

    fn weakest(&self, now: Instant) -> Option<(usize, f32)> {
        let scores = self.audible.iter().map(|(_, voice)| voice.score(now));
        scores.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

fn is_past(instant: Instant, span: Duration, now: Instant) -> bool {
    now.saturating_duration_since(instant) > span
}

#[cfg(test)]
mod tests;
