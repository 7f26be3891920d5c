//! Slots over changes of owner, loss, reordering and rollover.

use proptest::prelude::*;

use super::*;

#[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
fn origin() -> Instant {
    Instant::now()
}

fn id(number: u32) -> ParticipantId {
    ParticipantId::new(number).unwrap()
}

fn slots(number: usize) -> Slots {
    let mut slots = Slots::default();
    for ssrc in 0..number {
        let ssrc = u32::try_from(ssrc).unwrap();
        slots.push(Slot::new(ssrc, "a".into(), 40_000, 5));
    }
    for number in 0..number {
        slots.negotiate(number, Some(111));
    }
    slots
}

/// One slot that the client took.
fn slot(sequence: u16) -> Slot {
    let mut slot = Slot::new(1, "a".into(), sequence, 5);
    slot.payload_type = Some(111);
    slot
}

fn position(stream: u64, run: u32, sequence: u16, timestamp: u32) -> Position {
    Position {
        csrc: 7,
        stream,
        run,
        marker: false,
        sequence,
        timestamp,
    }
}

const MS_20: Duration = Duration::from_millis(20);

#[test]
fn steps_hold_what_they_must() {
    for (audible, slots) in [
        (0, 8),
        (8, 8),
        (9, 16),
        (16, 16),
        (17, 25),
        (25, 25),
        (26, 32),
        (32, 32),
    ] {
        assert_eq!(step(audible), slots, "{audible} audible");
    }
}

#[test]
fn a_new_owner_goes_on_where_the_old_one_stopped() {
    let mut slot = slot(65_000);
    let mut now = origin();
    let first = slot.rewrite(position(1, 0, 65_535, 100), 10, now).unwrap();
    assert!(first.marker);
    assert_eq!(first.sequence, (65_000 & 0x7fff) + 1);
    now += MS_20;
    let second = slot.rewrite(position(1, 0, 0, 1_060), 10, now).unwrap();
    assert!(!second.marker);
    assert_eq!(second.sequence, first.sequence + 1);
    assert_eq!(second.timestamp, first.timestamp + 960);
    now += Duration::from_millis(100);
    let other = slot.rewrite(position(2, 0, 7, 9_999_999), 10, now).unwrap();
    assert!(other.marker);
    assert_eq!(other.sequence, second.sequence + 1);
    assert_eq!(other.timestamp, second.timestamp + 4_800);
}

#[test]
fn a_pause_leaves_no_gap_in_the_numbers_and_keeps_the_time() {
    let mut slot = slot(1);
    let now = origin();
    let before = slot.rewrite(position(1, 0, 10, 960), 10, now).unwrap();
    let after = slot
        .rewrite(position(1, 1, 60, 51 * 960), 10, now + MS_20 * 50)
        .unwrap();
    assert_eq!(after.sequence, before.sequence + 1);
    assert_eq!(after.timestamp, before.timestamp + 50 * 960);
    assert!(after.marker);
    let late = slot.rewrite(position(1, 1, 59, 50 * 960), 10, now + MS_20 * 51);
    assert_eq!(
        late, None,
        "its number belongs to the time before the pause"
    );
}

#[test]
fn loss_and_reordering_within_a_run_pass_through() {
    let mut slot = slot(1);
    let now = origin();
    let numbers = [100, 102, 101, 105].map(|sequence| {
        let rewritten = slot.rewrite(position(1, 0, sequence, 0), 10, now).unwrap();
        rewritten.sequence
    });
    assert_eq!(numbers, [2, 4, 3, 7]);
}

#[test]
fn a_slot_changes_hands_only_when_all_are_taken_and_the_longest_silent_goes_first() {
    let mut slots = slots(8);
    let mut now = origin();
    for source in 1..=8 {
        now += MS_20;
        let slot = slots.slot_of(id(source), |_| true, now).unwrap();
        assert_eq!(slot.ssrc, source - 1);
        slot.rewrite(position(u64::from(source), 0, 1, 1), 10, now)
            .unwrap();
    }
    assert!(slots.slot_of(id(9), |_| true, now).is_none());
    let silent = [id(5), id(3), id(7)];
    let slot = slots.slot_of(id(9), |owner| !silent.contains(&owner), now);
    assert_eq!(slot.unwrap().ssrc, 2);
    assert_eq!(slots.slot_of(id(1), |_| true, now).unwrap().ssrc, 0);
}

#[test]
fn slots_that_the_client_did_not_answer_carry_nothing() {
    let mut slots = slots(8);
    for number in 0..8 {
        slots.negotiate(number, None);
    }
    assert!(slots.slot_of(id(1), |_| true, origin()).is_none());
    slots.negotiate(4, Some(111));
    let now = origin();
    let slot = slots.slot_of(id(1), |_| true, now).unwrap();
    assert_eq!(slot.ssrc, 4);
    slot.rewrite(position(1, 0, 1, 1), 10, now).unwrap();
    assert!(slots.slot_of(id(2), |_| true, now).is_none());
}

proptest! {
    /// Whatever the owners send (rollover, jumps, repeats of older numbers across runs), no
    /// number leaves a slot twice as long as no owner's number comes twice within a run.
    #[test]
    fn no_number_is_used_twice(
        packets in proptest::collection::vec((1u64..4, 0u32..3, any::<u16>()), 1..300),
    ) {
        let mut slot = slot(0x7ff0);
        let mut now = origin();
        let mut used = std::collections::BTreeSet::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut current = (0, 0);
        let mut highest = i64::from(slot.sequence);
        for (stream, run, sequence) in packets {
            if current != (stream, run) {
                seen.clear();
                current = (stream, run);
            }
            // The SRTP layer below lets each number in once.
            if !seen.insert(sequence) {
                continue;
            }
            now += MS_20;
            if let Some(sent) = slot.rewrite(position(stream, run, sequence, 0), 10, now) {
                let low = u16::try_from(highest.rem_euclid(65_536)).unwrap();
                let ahead = sent.sequence.wrapping_sub(low).cast_signed();
                let index = highest + i64::from(ahead);
                prop_assert!(used.insert(index), "{index} twice");
                highest = highest.max(index);
            }
        }
    }
}
