//! What was answered to recent calls, so that a call that is sent again is not carried out again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::inbox::Outcome;

/// The outcomes of the latest calls by request id. When full, the oldest is forgotten: the same
/// call again would then be carried out again, but no caller retries over that many other calls.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    by_id: HashMap<Arc<str>, Arc<OnceCell<Outcome>>>,
    oldest_first: VecDeque<Arc<str>>,
}

/// An offer is some 10 KiB, so the outcomes take at most about 20 MiB.
const CAPACITY: usize = 2048;

impl Outcomes {
    /// The cell of a call: empty for a new one, being filled for one that is under way.
    pub(crate) fn of(&self, request_id: &str) -> Arc<OnceCell<Outcome>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = recent.by_id.get(request_id) {
            return Arc::clone(cell);
        }
        if recent.oldest_first.len() == CAPACITY
            && let Some(oldest) = recent.oldest_first.pop_front()
        {
            recent.by_id.remove(&oldest);
        }
        let id: Arc<str> = request_id.into();
        let cell = Arc::new(OnceCell::new());
        recent.by_id.insert(Arc::clone(&id), Arc::clone(&cell));
        recent.oldest_first.push_back(id);
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_its_cell() {
        let outcomes = Outcomes::default();
        outcomes.of("a").set(Outcome::Done).unwrap();
        assert_eq!(outcomes.of("a").get(), Some(&Outcome::Done));
        assert_eq!(outcomes.of("b").get(), None);
    }

    #[test]
    fn the_oldest_call_is_forgotten_first() {
        let outcomes = Outcomes::default();
        for call in 0..=CAPACITY {
            outcomes.of(&call.to_string()).set(Outcome::Done).unwrap();
        }
        assert_eq!(outcomes.of("1").get(), Some(&Outcome::Done));
        assert_eq!(outcomes.of("0").get(), None);
        assert_eq!(outcomes.recent.lock().unwrap().by_id.len(), CAPACITY);
    }
}
