//! One deadline per participant, the earliest first. A binary heap that knows where everybody
//! stands, so that moving a deadline neither allocates nor leaves anything behind.

use std::time::Instant;

/// Deadlines by index.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: Vec<(Instant, usize)>,
    /// By index: the place in `heap`.
    places: Vec<Option<usize>>,
}

impl Timers {
    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// Takes one whose deadline has come.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<usize> {
        let &(at, index) = self.heap.first()?;
        if at > now {
            return None;
        }
        self.clear(index);
        Some(index)
    }

    /// Sets or moves a deadline.
    pub(crate) fn set(&mut self, index: usize, at: Instant) {
        if self.places.len() <= index {
            self.places.resize(index + 1, None);
        }
        let place = match self.places[index] {
            Some(place) => {
                self.heap[place].0 = at;
                place
            }
            None => {
                self.heap.push((at, index));
                self.places[index] = Some(self.heap.len() - 1);
                self.heap.len() - 1
            }
        };
        self.settle(place);
    }

    /// Removes a deadline.
    pub(crate) fn clear(&mut self, index: usize) {
        let Some(place) = self.places.get_mut(index).and_then(Option::take) else {
            return;
        };
        self.heap.swap_remove(place);
        if let Some(&(_, moved)) = self.heap.get(place) {
            self.places[moved] = Some(place);
            self.settle(place);
        }
    }

    fn settle(&mut self, mut place: usize) {
        while place > 0 && self.heap[place].0 < self.heap[(place - 1) / 2].0 {
            self.swap(place, (place - 1) / 2);
            place = (place - 1) / 2;
        }
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let smallest = children
                .into_iter()
                .filter(|&child| child < self.heap.len())
                .min_by_key(|&child| self.heap[child].0);
            match smallest {
                Some(child) if self.heap[child].0 < self.heap[place].0 => {
                    self.swap(place, child);
                    place = child;
                }
                Some(_) | None => return,
            }
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.places[self.heap[a].1] = Some(a);
        self.places[self.heap[b].1] = Some(b);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn deadlines_come_in_order_whatever_was_moved(
            operations in proptest::collection::vec((0usize..20, proptest::option::of(0u64..100)), 0..200),
        ) {
            #[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
            let origin = Instant::now();
            let mut timers = Timers::default();
            let mut model = BTreeMap::new();
            for (index, at) in operations {
                if let Some(at) = at {
                    timers.set(index, origin + Duration::from_millis(at));
                    model.insert(index, at);
                } else {
                    timers.clear(index);
                    model.remove(&index);
                }
                let earliest = model.values().min().map(|at| origin + Duration::from_millis(*at));
                prop_assert_eq!(timers.next(), earliest);
            }
            for now in 0..100 {
                while let Some(index) = timers.pop(origin + Duration::from_millis(now)) {
                    prop_assert_eq!(model.remove(&index), Some(now));
                }
            }
            prop_assert!(model.is_empty());
        }
    }
}
