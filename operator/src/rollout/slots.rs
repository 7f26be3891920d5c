//! Which SFUs of one server may change now. Pure: who is as wanted in, whose turn out.
//!
//! One that serves at a time, so that new calls always find another; those with calls come last.

use std::collections::BTreeSet;

use super::Calls;

/// One SFU of a server, as far as the rollout cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotSeen {
    /// The slot's number.
    pub number: i32,
    /// Its Deployment is as wanted.
    pub current: bool,
    /// Its pod is what its Deployment asks for, and available.
    pub serves: bool,
    /// Calls that go on there, if that is known.
    pub calls: Option<u32>,
}

/// The numbers of those that may change. Nobody is cut off on one that does not serve,
/// so all of these may; one that serves only while no other is down.
#[must_use]
pub fn turns(slots: &[SlotSeen]) -> BTreeSet<i32> {
    let waiting = || slots.iter().filter(|slot| !slot.current);
    if slots.iter().any(|slot| !slot.serves) {
        let down = waiting().filter(|slot| !slot.serves);
        return down.map(|slot| slot.number).collect();
    }
    let quietest = waiting().min_by_key(|slot| (Calls::of(slot.calls), slot.number));
    quietest.map(|slot| slot.number).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: i32, current: bool, serves: bool, calls: Option<u32>) -> SlotSeen {
        SlotSeen {
            number,
            current,
            serves,
            calls,
        }
    }

    fn next(slots: &[SlotSeen]) -> Vec<i32> {
        turns(slots).into_iter().collect()
    }

    #[test]
    fn one_after_the_other_and_the_busiest_last() {
        let mut slots = [
            slot(0, false, true, Some(2)),
            slot(1, false, true, None),
            slot(2, false, true, Some(0)),
            slot(3, false, true, Some(1)),
        ];
        let mut order = Vec::new();
        while let [turn] = next(&slots)[..] {
            order.push(turn);
            let slot = slots.iter_mut().find(|slot| slot.number == turn).unwrap();
            (slot.current, slot.serves) = (true, false);
            let on_its_way = slots;
            assert!(next(&on_its_way).is_empty(), "two at a time");
            let slot = slots.iter_mut().find(|slot| slot.number == turn).unwrap();
            slot.serves = true;
        }
        assert_eq!(order, [2, 1, 3, 0]);
    }

    #[test]
    fn a_change_that_does_not_start_goes_no_further() {
        let slots = [
            slot(0, false, true, Some(0)),
            slot(1, true, false, None),
            slot(2, false, true, Some(0)),
        ];
        assert!(next(&slots).is_empty());
    }

    #[test]
    fn those_that_do_not_serve_are_repaired_at_once() {
        let slots = [
            slot(0, false, true, Some(0)),
            slot(1, false, false, None),
            slot(2, false, false, Some(4)),
        ];
        assert_eq!(next(&slots), [1, 2]);
    }
}
