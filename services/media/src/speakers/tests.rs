//! Selection and speaking state over simulated packets of 20 ms.

use super::*;

const FRAME: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
fn origin() -> Instant {
    Instant::now()
}

fn id(number: usize) -> ParticipantId {
    ParticipantId::new(u32::try_from(number).unwrap() + 1).unwrap()
}

fn limit(value: u32) -> AudibleLimit {
    AudibleLimit::new(value).unwrap()
}

/// A room whose participants speak at a set level, one packet each per frame.
struct Room {
    speakers: Speakers,
    voices: Vec<Voice>,
    levels: Vec<Option<u8>>,
    now: Instant,
}

impl Room {
    fn new(audible: u32, levels: &[u8]) -> Self {
        Self {
            speakers: Speakers::new(limit(audible)),
            voices: vec![Voice::default(); levels.len()],
            levels: levels.iter().copied().map(Some).collect(),
            now: origin(),
        }
    }

    /// Runs and returns who was forwarded at least once.
    fn run(&mut self, span: Duration) -> Vec<usize> {
        let end = self.now + span;
        let mut heard = std::collections::BTreeSet::new();
        while self.now < end {
            self.now += FRAME;
            for (number, voice) in self.voices.iter_mut().enumerate() {
                let Some(level) = self.levels[number] else {
                    continue;
                };
                let sample = Sample {
                    level: Some(level),
                    payload_bytes: 80,
                };
                voice.hear(sample, self.now);
                if sample.is_silent() {
                    self.speakers.note_silence(id(number), voice);
                } else if self.speakers.admit(id(number), voice, FRAME, self.now) {
                    heard.insert(number);
                }
            }
        }
        heard.into_iter().collect()
    }
}

#[test]
fn up_to_the_limit_everybody_is_heard() {
    let mut room = Room::new(4, &[20, 60, 90, 120]);
    assert_eq!(room.run(Duration::from_secs(5)), [0, 1, 2, 3]);
}

#[test]
fn above_the_limit_equals_do_not_flap() {
    let mut room = Room::new(8, &[30; 12]);
    assert_eq!(room.run(Duration::from_secs(20)).len(), 8);
}

#[test]
fn a_loud_newcomer_gets_in_within_half_a_second() {
    for (others, loud) in [(30, 20), (60, 10), (25, 5)] {
        let mut room = Room::new(8, &[others; 9]);
        room.levels[8] = None;
        room.run(Duration::from_secs(5));
        room.levels[8] = Some(loud);
        let heard = room.run(Duration::from_millis(500));
        assert!(heard.contains(&8), "{loud} above {others}: {heard:?}");
        assert_eq!(room.run(Duration::from_secs(5)).len(), 8);
    }
}

#[test]
fn a_place_that_fell_silent_goes_to_whoever_speaks() {
    let mut room = Room::new(2, &[30, 30, 50]);
    assert_eq!(room.run(Duration::from_secs(2)), [0, 1]);
    room.levels[0] = None;
    room.run(Duration::from_millis(600));
    assert_eq!(room.run(Duration::from_secs(2)), [1, 2]);
}

#[test]
fn whoever_does_not_speak_gives_way_to_the_first_packet_of_a_speaker() {
    for (last, after) in [
        (Some(127), FRAME),
        (Some(127), STALE - FRAME),
        (None, RELEASE),
        (Some(70), RELEASE),
    ] {
        let mut room = Room::new(2, &[30, 30, 54]);
        room.levels[2] = None;
        assert_eq!(room.run(Duration::from_secs(2)), [0, 1]);
        room.levels[0] = last;
        room.run(after);
        room.levels[2] = Some(54);
        assert!(room.run(FRAME).contains(&2), "{last:?} for {after:?}");
        assert_eq!(room.run(FRAME), [1, 2], "{last:?} for {after:?}");
    }
}

#[test]
fn nobody_holds_a_place_for_ever_while_others_wait() {
    let mut room = Room::new(1, &[10, 12]);
    assert_eq!(room.run(Duration::from_secs(25)), [0]);
    assert_eq!(room.run(Duration::from_secs(15)), [0, 1]);
}

#[test]
fn a_lower_limit_keeps_the_loudest() {
    let mut room = Room::new(4, &[40, 10, 20, 30]);
    room.run(Duration::from_secs(1));
    room.speakers.set_limit(limit(2), room.now);
    assert_eq!(room.run(Duration::from_secs(1)), [1, 2]);
}

#[test]
fn without_levels_packets_count_as_speech_and_dtx_as_silence() {
    let speech = Sample {
        level: None,
        payload_bytes: 80,
    };
    let dtx = Sample {
        payload_bytes: 2,
        ..speech
    };
    assert!(!speech.is_silent());
    assert!(dtx.is_silent());
    assert!(speech.loudness() > SPEECH);
}

#[test]
fn speaking_has_an_attack_and_a_release() {
    let mut voice = Voice::default();
    let mut now = origin();
    let at = |level| Sample {
        level: Some(level),
        payload_bytes: 80,
    };
    let changes: Vec<_> = (0..4)
        .map(|_| {
            now += FRAME;
            voice.hear(at(30), now)
        })
        .collect();
    assert_eq!(changes, [None, None, None, Some(true)]);
    assert_eq!(voice.hear(at(80), now + FRAME), None, "a short pause");
    let release = voice.release_at().unwrap();
    assert_eq!(voice.settle(release - FRAME), None);
    assert_eq!(voice.settle(release), Some(false));
    assert_eq!(voice.settle(release + FRAME), None);
}
