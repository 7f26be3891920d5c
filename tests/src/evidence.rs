//! What a round of breakage left behind, and which promises it breaks: what was sent and acknowledged
//! against what was written and told. Pure: knows no socket, no process and no clock; instants are times since the start of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

mod following;
#[cfg(test)]
mod tests;

pub use following::{Following, Place};

/// Names a message by who sent it and which of theirs it is, whatever ids the server gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Who.
    pub sender: u32,
    /// Which of theirs, from 0.
    pub number: u32,
}

/// A message of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Which.
    pub key: Key,
    /// When the steady rate asked for it.
    pub due: Duration,
    /// When it was first sent.
    pub sent_at: Duration,
    /// How often it was sent, always with the same nonce.
    pub tries: u32,
    /// The first answer that said so.
    pub acknowledged: Option<Acknowledged>,
}

/// The server's word that a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// As which.
    pub message_id: u64,
    /// When the word came.
    pub at: Duration,
}

/// A message as a channel's history has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Its place.
    pub message_id: u64,
    /// `None`: none of ours has such a text.
    pub key: Option<Key>,
}

/// What a listening client was told.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Durable events by their place in the log; those about messages name the message.
    pub events: BTreeMap<Place, Option<u64>>,
    /// Every message that came, as an event or in the history that is read after a snapshot.
    pub messages: BTreeSet<u64>,
}

/// All that one round left behind.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Each sender's messages in the order of their numbers.
    pub sent: Vec<Sent>,
    /// The round's history, oldest first, as each process tells it.
    pub histories: Vec<Vec<Written>>,
    /// Those who note every event.
    pub listeners: Vec<Heard>,
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An acknowledged message is not in the history.
    #[error("{0:?} was acknowledged as {1} and is lost")]
    Lost(Key, u64),
    /// A message has another id than the one that was acknowledged.
    #[error("{0:?} was acknowledged as {1} and written as {2}")]
    WrittenElsewhere(Key, u64, u64),
    /// One message is there more than once.
    #[error("{0:?} was written {1} times")]
    Duplicated(Key, usize),
    /// The history has a message that nobody sent.
    #[error("message {0} was never sent")]
    NeverSent(u64),
    /// Ids do not ascend.
    #[error("the history has {1} after {0}")]
    HistoryOutOfOrder(u64, u64),
    /// Two processes tell different histories.
    #[error("process {0} tells another history than the first one")]
    HistoriesDiffer(usize),
    /// Messages of one sender stand in another order than they were sent in.
    #[error("{1:?} was sent after {0:?} and stands before it")]
    SenderOutOfOrder(Key, Key),
    /// A message stands before one that was acknowledged before it was sent.
    #[error("{0:?} was sent after message {1} was acknowledged and stands before it")]
    BeforeAcknowledged(Key, u64),
    /// A listener missed a message.
    #[error("listener {0} never got message {1}")]
    NotTold(usize, u64),
    /// Two listeners were told different events by one id.
    #[error("listener {0} was told another event at {1:?}")]
    ToldDifferently(usize, Place),
    /// An event is missing.
    #[error("event {came} came after {last:?}")]
    Gap {
        /// The last one before.
        last: Place,
        /// The one that came.
        came: u64,
    },
    /// An event came again.
    #[error("event {came} came again after {last:?}")]
    Repeated {
        /// The last one before.
        last: Place,
        /// The one that came.
        came: u64,
    },
    /// A session goes on at another place than where it was.
    #[error("was said to resume at {said:?}, and had {last:?}")]
    ResumedElsewhere {
        /// Where the client was.
        last: Option<Place>,
        /// Where the server said that it was.
        said: Place,
    },
}

impl Key {
    /// The text of a message.
    #[must_use]
    pub fn text(self) -> String {
        format!("{} {}", self.sender, self.number)
    }

    /// The nonce, by which the server knows a message that is sent again.
    #[must_use]
    pub fn nonce(self) -> String {
        format!("{}-{}", self.sender, self.number)
    }

    /// Reads a text.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (sender, number) = text.split_once(' ')?;
        Some(Self {
            sender: sender.parse().ok()?,
            number: number.parse().ok()?,
        })
    }
}

/// The value that so many percent do not exceed, by nearest rank; `None` of nothing.
#[must_use]
pub fn percentile(values: &[Duration], percent: usize) -> Option<Duration> {
    let mut values = values.to_vec();
    values.sort();
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.checked_sub(1)?).copied()
}

/// Lists the promises that were broken.
#[must_use]
pub fn check(evidence: &Evidence) -> Vec<Violation> {
    let Evidence {
        sent,
        histories,
        listeners,
    } = evidence;
    let mut violations = Vec::new();
    if let Some(history) = histories.first() {
        check_history(sent, history, &mut violations);
        let others = histories.iter().enumerate().skip(1);
        violations.extend(
            others
                .filter(|(_, other)| *other != history)
                .map(|(process, _)| Violation::HistoriesDiffer(process)),
        );
    }
    check_order(sent, &mut violations);
    check_listeners(sent, listeners, &mut violations);
    violations
}

/// Everything acknowledged is written, once and as it was acknowledged, and nothing else is.
fn check_history(sent: &[Sent], history: &[Written], violations: &mut Vec<Violation>) {
    let mut places: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
    let keys: BTreeSet<Key> = sent.iter().map(|sent| sent.key).collect();
    for written in history {
        match written.key.filter(|key| keys.contains(key)) {
            Some(key) => places.entry(key).or_default().push(written.message_id),
            None => violations.push(Violation::NeverSent(written.message_id)),
        }
    }
    for two in history.windows(2) {
        let (first, second) = (two[0].message_id, two[1].message_id);
        if first >= second {
            violations.push(Violation::HistoryOutOfOrder(first, second));
        }
    }
    for sent in sent {
        let written = places.get(&sent.key).map_or(&[][..], Vec::as_slice);
        if written.len() > 1 {
            violations.push(Violation::Duplicated(sent.key, written.len()));
        }
        let Some(Acknowledged { message_id, .. }) = sent.acknowledged else {
            continue;
        };
        match written.first() {
            None => violations.push(Violation::Lost(sent.key, message_id)),
            Some(_) if written.contains(&message_id) => {}
            Some(other) => {
                let elsewhere = Violation::WrittenElsewhere(sent.key, message_id, *other);
                violations.push(elsewhere);
            }
        }
    }
}

/// A sender's messages stand as they were sent, and none stands before one that was acknowledged
/// before it was sent.
fn check_order(sent: &[Sent], violations: &mut Vec<Violation>) {
    let mut last: BTreeMap<u32, (Key, u64)> = BTreeMap::new();
    let mut acknowledged: Vec<(&Sent, Acknowledged)> = Vec::new();
    for sent in sent {
        let Some(told) = sent.acknowledged else {
            continue;
        };
        let before = last.insert(sent.key.sender, (sent.key, told.message_id));
        if let Some((key, message_id)) = before
            && message_id >= told.message_id
        {
            violations.push(Violation::SenderOutOfOrder(key, sent.key));
        }
        acknowledged.push((sent, told));
    }
    let mut by_answer: Vec<Acknowledged> = acknowledged.iter().map(|(_, told)| *told).collect();
    by_answer.sort_by_key(|told| told.at);
    acknowledged.sort_by_key(|(sent, _)| sent.sent_at);
    let mut answers = by_answer.into_iter().peekable();
    let mut highest = 0;
    for (sent, told) in acknowledged {
        while let Some(earlier) = answers.next_if(|earlier| earlier.at < sent.sent_at) {
            highest = highest.max(earlier.message_id);
        }
        if told.message_id < highest {
            violations.push(Violation::BeforeAcknowledged(sent.key, highest));
        }
    }
}

/// Every listener got every acknowledged message, and all were told the same log.
fn check_listeners(sent: &[Sent], listeners: &[Heard], violations: &mut Vec<Violation>) {
    let mut log: BTreeMap<&Place, Option<u64>> = BTreeMap::new();
    for (listener, heard) in listeners.iter().enumerate() {
        for message_id in sent
            .iter()
            .filter_map(|sent| Some(sent.acknowledged?.message_id))
        {
            if !heard.messages.contains(&message_id) {
                violations.push(Violation::NotTold(listener, message_id));
            }
        }
        for (place, message) in &heard.events {
            if *log.entry(place).or_insert(*message) != *message {
                violations.push(Violation::ToldDifferently(listener, place.clone()));
            }
        }
    }
}
