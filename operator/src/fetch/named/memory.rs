//! Answers about Secrets, kept for a moment because reconciles come in bursts. Bounded in number,
//! bytes and age.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Named, Wanted};

/// How long an answer is good for a Secret that exists.
pub(super) const FRESH: Duration = Duration::from_secs(20);
/// The same for one that is missing: somebody waits for it.
const MISSING_FRESH: Duration = Duration::from_secs(2);
/// Answers that are remembered at most. Beyond that the old ones go, then all.
const MAX_ANSWERS: usize = 10_000;
/// Bytes that they hold at most; the same.
const MAX_BYTES: usize = 16 << 20;

/// Namespace, name and what was asked for.
type Key = (String, String, Wanted);

#[derive(Debug)]
struct Answer {
    at: Instant,
    found: Option<Arc<Named>>,
}

impl Answer {
    fn is_fresh(&self, now: Instant) -> bool {
        let limit = if self.found.is_some() {
            FRESH
        } else {
            MISSING_FRESH
        };
        now.duration_since(self.at) < limit
    }

    fn bytes(&self) -> usize {
        self.found.as_ref().map_or(0, |found| found.bytes())
    }
}

/// The answers of the last [`FRESH`] seconds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: HashMap<Key, Answer>,
    bytes: usize,
    /// Somebody comes by to forget.
    forgetting: bool,
}

impl Memory {
    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<Option<Arc<Named>>> {
        let answer = self.answers.get(key)?;
        answer.is_fresh(now).then(|| answer.found.clone())
    }

    /// Remembers an answer. Returns whether somebody has to begin to come by.
    pub(super) fn put(&mut self, key: Key, at: Instant, found: Option<Arc<Named>>) -> bool {
        let answer = Answer { at, found };
        let added = answer.bytes();
        if self.is_full(added) {
            self.retain_fresh(at);
        }
        if self.is_full(added) {
            self.answers.clear();
            self.bytes = 0;
        }
        self.bytes += added;
        if let Some(before) = self.answers.insert(key, answer) {
            self.bytes -= before.bytes();
        }
        !std::mem::replace(&mut self.forgetting, true)
    }

    /// Drops what is no longer good. True if nothing is left, and nobody has to come again.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        self.retain_fresh(now);
        self.forgetting = !self.answers.is_empty();
        !self.forgetting
    }

    fn is_full(&self, added: usize) -> bool {
        self.answers.len() >= MAX_ANSWERS || self.bytes + added > MAX_BYTES
    }

    fn retain_fresh(&mut self, now: Instant) {
        self.answers.retain(|_, answer| answer.is_fresh(now));
        self.bytes = self.answers.values().map(Answer::bytes).sum();
    }

    #[cfg(test)]
    pub(super) fn answers(&self) -> impl Iterator<Item = &Named> {
        let found = self.answers.values();
        found.filter_map(|answer| answer.found.as_deref())
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.answers.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;
    use crate::observed::SecretContents;

    fn certificate(bytes: usize) -> Option<Arc<Named>> {
        let contents = SecretContents {
            data: [("tls.crt".to_owned(), ByteString(vec![b'a'; bytes]))].into(),
            ..SecretContents::default()
        };
        Some(Arc::new(Named::of(contents, Wanted::Certificate)))
    }

    fn key(number: usize) -> Key {
        ("ns".to_owned(), format!("s{number}"), Wanted::Certificate)
    }

    #[test]
    fn answers_are_bounded_in_bytes_and_number() {
        let now = Instant::now();
        let mut memory = Memory::default();
        for number in 0..100 {
            memory.put(key(number), now, certificate(1 << 20));
            let (_, bytes) = memory.size();
            assert!(bytes <= MAX_BYTES, "{bytes}");
        }
        assert!(memory.size().0 > 1);
        let mut memory = Memory::default();
        for number in 0..=MAX_ANSWERS {
            memory.put(key(number), now, None);
        }
        assert_eq!(memory.size(), (1, 0));
    }

    #[test]
    fn the_same_answer_anew_is_counted_once() {
        let now = Instant::now();
        let mut memory = Memory::default();
        memory.put(key(0), now, certificate(100));
        let once = memory.size();
        memory.put(key(0), now, certificate(100));
        assert_eq!(memory.size(), once);
    }
}
