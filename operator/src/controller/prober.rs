//! Asks every announced media address again and again whether it answers, and its SFU how busy it
//! is. A result wakes the server's reconcile only when the address answers otherwise than before:
//! people come and go without that.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use gryt_runtime::occupancy::{Occupancy, OccupancyKey};
use tokio::sync::Notify;
use tokio::time::{Instant, interval, timeout};

use super::queue::Queue;
use crate::fetch::live::LiveObjects;
use crate::fetch::{ServerKey, sfu_private_key};
use crate::metrics::Metrics;
use crate::probe::{Question, Told, probe};
use crate::secrets::draw;
use crate::status::Probe;

/// Between two probes of an address that answers.
const REACHED_EVERY: Duration = Duration::from_secs(30);
/// Between two probes of one that does not.
const FAILED_EVERY: Duration = Duration::from_secs(10);
/// Looks for due addresses.
const TICK: Duration = Duration::from_millis(500);
/// Probes at a time; the others are late, which delays a condition and nothing else.
const MAX_PROBES: usize = 64;
/// How old an answer may be before a server's turn in a rollout: a call that begins later is one that
/// began during the rollout.
const FRESH: Duration = Duration::from_secs(1);
/// How long a server's turn waits for a new answer.
const FRESH_WITHIN: Duration = Duration::from_millis(1500);

/// An address that an SFU tells browsers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// One SFU of one server.
type Slot = (ServerKey, i32);

/// Why an address counts as unreachable, or `None`.
type Failure = Option<String>;

#[derive(Debug)]
struct Target {
    address: MediaAddress,
    /// What the last probe found, if there was one.
    found: Option<Found>,
    due: Instant,
    asking: bool,
    /// By which the SFU answered last. It holds it until its node has the renewed one.
    key: Option<OccupancyKey>,
}

#[derive(Debug)]
struct Found {
    at: Instant,
    failure: Failure,
    /// `None` where the SFU did not say.
    occupancy: Option<Occupancy>,
}

/// What is to be asked.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    slot: Slot,
    address: MediaAddress,
    key: Option<OccupancyKey>,
}

/// The addresses that are watched over, one per SFU.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    targets: Mutex<HashMap<ServerKey, BTreeMap<i32, Target>>>,
    /// Somebody waits for an answer.
    wanted: Notify,
    /// An answer came.
    learned: Notify,
}

impl Prober {
    /// Says which addresses `key` announces now, by slot, without SFUs that do not run. Returns
    /// what is known about exactly these.
    pub(crate) fn aim(
        &self,
        key: &ServerKey,
        addresses: BTreeMap<i32, MediaAddress>,
    ) -> BTreeMap<i32, Probe> {
        let mut all = self.targets();
        if addresses.is_empty() {
            all.remove(key);
            return BTreeMap::new();
        }
        let targets = all.entry(key.clone()).or_default();
        targets.retain(|slot, target| addresses.get(slot) == Some(&target.address));
        for (slot, address) in addresses {
            targets.entry(slot).or_insert_with(|| Target {
                address,
                found: None,
                due: Instant::now(),
                asking: false,
                key: None,
            });
        }
        let known = targets.iter().filter_map(|(slot, target)| {
            let probe = Probe {
                address: target.address.host.clone(),
                port: target.address.port.into(),
                failure: target.found.as_ref()?.failure.clone(),
            };
            Some((*slot, probe))
        });
        known.collect()
    }

    /// What all SFUs of a server carry together, as far as half a minute ago. `None` if one did
    /// not say.
    pub(crate) fn occupancy(&self, key: &ServerKey) -> Option<Occupancy> {
        let all = self.targets();
        let mut sum = Occupancy::default();
        for target in all.get(key)?.values() {
            let one = target.found.as_ref()?.occupancy?;
            sum.calls = sum.calls.saturating_add(one.calls);
            sum.participants = sum.participants.saturating_add(one.participants);
        }
        Some(sum)
    }

    /// The calls on each SFU of a server that said so, by slot, as far as half a minute ago.
    pub(crate) fn calls(&self, key: &ServerKey) -> BTreeMap<i32, u32> {
        let all = self.targets();
        let targets = all.get(key).into_iter().flatten();
        targets
            .filter_map(|(slot, target)| Some((*slot, target.found.as_ref()?.occupancy?.calls)))
            .collect()
    }

    /// Asks a server's SFUs anew where the last answer is old, and waits a moment for that.
    /// Returns whether something was asked.
    pub(crate) async fn look_again(&self, key: &ServerKey) -> bool {
        let now = Instant::now();
        if !self.hasten(key, now) {
            return false;
        }
        self.wanted.notify_one();
        let answered = async {
            loop {
                let learned = self.learned.notified();
                if !self.is_awaited(key, now) {
                    return;
                }
                learned.await;
            }
        };
        // Nothing in time: what was known has to do.
        let _ = timeout(FRESH_WITHIN, answered).await;
        true
    }

    /// Makes old answers due. Returns whether there is one.
    fn hasten(&self, key: &ServerKey, now: Instant) -> bool {
        let mut all = self.targets();
        let mut hastened = false;
        for target in all.get_mut(key).into_iter().flat_map(BTreeMap::values_mut) {
            let found = target.found.as_ref();
            if found.is_none_or(|found| now.duration_since(found.at) > FRESH) {
                target.due = now;
                hastened = true;
            }
        }
        hastened
    }

    /// Whether an answer that was wanted at `since` is still to come.
    fn is_awaited(&self, key: &ServerKey, since: Instant) -> bool {
        let all = self.targets();
        let mut targets = all.get(key).into_iter().flat_map(BTreeMap::values);
        targets.any(|target| target.due <= since)
    }

    /// Probes until it is dropped.
    pub(crate) async fn run(&self, live: &LiveObjects, queue: &Queue, metrics: &Metrics) {
        let mut tick = interval(TICK);
        let mut probes = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.wanted.notified() => {}
                Some((due, answered)) = probes.next() => {
                    let Due { slot, address, .. } = due;
                    if self.learn(&slot, &address, answered) {
                        queue.send([slot.0]).await;
                    }
                    continue;
                }
            }
            for due in self.due(MAX_PROBES - probes.len()) {
                metrics.probed();
                let private_key = sfu_private_key(live, &due.slot.0);
                let current = private_key.map(|file| OccupancyKey::derive(&file));
                probes.push(async move {
                    let answered = ask(&due, current).await;
                    (due, answered)
                });
            }
        }
    }

    fn due(&self, at_most: usize) -> Vec<Due> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (key, targets) in self.targets().iter_mut() {
            for (slot, target) in targets {
                if due.len() == at_most {
                    return due;
                }
                if !target.asking && target.due <= now {
                    target.asking = true;
                    due.push(Due {
                        slot: (key.clone(), *slot),
                        address: target.address.clone(),
                        key: target.key.clone(),
                    });
                }
            }
        }
        due
    }

    /// Notes a result. Returns whether it is news to a reconcile.
    fn learn(
        &self,
        (key, slot): &Slot,
        address: &MediaAddress,
        answered: Result<Option<Told>, String>,
    ) -> bool {
        let mut all = self.targets();
        let target = all.get_mut(key).and_then(|targets| targets.get_mut(slot));
        let Some(target) = target.filter(|target| target.address == *address) else {
            return false;
        };
        let now = Instant::now();
        let every = match answered {
            Ok(_) => REACHED_EVERY,
            Err(_) => FAILED_EVERY,
        };
        target.asking = false;
        target.due = now + every;
        let (failure, told) = match answered {
            Ok(told) => (None, told),
            Err(error) => (Some(error), None),
        };
        let (key, occupancy) = told.unzip();
        target.key = key.or_else(|| target.key.take());
        let before = target.found.as_ref().map(|found| &found.failure);
        let news = before != Some(&failure);
        target.found = Some(Found {
            at: now,
            failure,
            occupancy,
        });
        drop(all);
        self.learned.notify_waiters();
        news
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<ServerKey, BTreeMap<i32, Target>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks with the key of today's Secret, and with the one that worked last if that is another.
async fn ask(due: &Due, current: Option<OccupancyKey>) -> Result<Option<Told>, String> {
    let last = due.key.clone().filter(|key| Some(key) != current.as_ref());
    let question = Question {
        transaction: draw().map_err(|error| error.to_string())?,
        keys: current.into_iter().chain(last).collect(),
    };
    let MediaAddress { host, port } = &due.address;
    let asked = probe(host, *port, &question).await;
    asked.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ServerKey {
        ServerKey {
            namespace: "a".to_owned(),
            name: "b".to_owned(),
        }
    }

    fn address(port: u16) -> MediaAddress {
        MediaAddress {
            host: "192.0.2.1".to_owned(),
            port,
        }
    }

    fn at(port: u16) -> BTreeMap<i32, MediaAddress> {
        [(0, address(port))].into()
    }

    fn due(port: u16) -> Due {
        Due {
            slot: (key(), 0),
            address: address(port),
            key: None,
        }
    }

    fn busy(calls: u32) -> Told {
        let occupancy = Occupancy {
            calls,
            participants: 2 * calls,
        };
        (OccupancyKey::derive(b"key"), occupancy)
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_changed_result_is_news() {
        let prober = Prober::default();
        let slot = (key(), 0);
        assert!(prober.aim(&key(), at(1)).is_empty());
        assert_eq!(prober.due(9), [due(1)]);
        assert!(prober.due(9).is_empty(), "asked twice at the same time");

        assert!(prober.learn(&slot, &address(1), Ok(None)));
        assert_eq!(prober.aim(&key(), at(1))[&0].failure, None);
        assert!(prober.due(9).is_empty());
        tokio::time::advance(REACHED_EVERY).await;
        assert_eq!(prober.due(9).len(), 1);
        assert!(!prober.learn(&slot, &address(1), Ok(None)));
        assert!(prober.learn(&slot, &address(1), Err("silent".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_about_an_old_address_says_nothing_about_a_new_one() {
        let prober = Prober::default();
        let slot = (key(), 0);
        prober.aim(&key(), at(1));
        prober.due(9);
        assert!(prober.aim(&key(), at(2)).is_empty());
        assert!(!prober.learn(&slot, &address(1), Ok(None)));
        assert_eq!(prober.due(9), [due(2)]);
        prober.aim(&key(), BTreeMap::new());
        assert!(!prober.learn(&slot, &address(2), Ok(None)));
    }

    #[tokio::test(start_paused = true)]
    async fn people_who_come_and_go_are_known_and_no_news() {
        let prober = Prober::default();
        let [first, second] = [0, 1].map(|slot| (key(), slot));
        prober.aim(&key(), [(0, address(1)), (1, address(2))].into());
        prober.learn(&first, &address(1), Ok(Some(busy(1))));
        assert_eq!(prober.occupancy(&key()), None, "the second has not said");
        assert_eq!(prober.calls(&key()), [(0, 1)].into());
        prober.learn(&second, &address(2), Ok(Some(busy(2))));
        assert_eq!(prober.occupancy(&key()), Some(busy(3).1));
        assert!(!prober.learn(&second, &address(2), Ok(Some(busy(7)))));
        assert_eq!(prober.occupancy(&key()), Some(busy(8).1));
        assert!(!prober.learn(&first, &address(1), Ok(None)));
        assert_eq!(prober.occupancy(&key()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_key_that_worked_last_is_tried_until_another_does() {
        let prober = Prober::default();
        let slot = (key(), 0);
        prober.aim(&key(), at(1));
        prober.learn(&slot, &address(1), Ok(Some(busy(1))));
        prober.learn(&slot, &address(1), Ok(None));
        tokio::time::advance(REACHED_EVERY).await;
        assert_eq!(prober.due(9)[0].key, Some(busy(1).0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_answer_is_asked_for_again_before_a_turn() {
        let prober = Prober::default();
        let slot = (key(), 0);
        assert!(!prober.look_again(&key()).await, "nothing is announced");
        prober.aim(&key(), at(1));
        prober.due(9);
        prober.learn(&slot, &address(1), Ok(Some(busy(0))));
        assert!(!prober.look_again(&key()).await, "it is fresh");
        tokio::time::advance(FRESH + Duration::from_secs(1)).await;
        let answer = async {
            prober.wanted.notified().await;
            assert_eq!(prober.due(9).len(), 1);
            prober.learn(&slot, &address(1), Ok(Some(busy(4))));
        };
        let server = key();
        let (asked, ()) = tokio::join!(prober.look_again(&server), answer);
        assert!(asked);
        assert_eq!(prober.occupancy(&key()), Some(busy(4).1));

        tokio::time::advance(FRESH + Duration::from_secs(1)).await;
        let begun = Instant::now();
        assert!(prober.look_again(&key()).await);
        assert!(
            begun.elapsed() <= FRESH_WITHIN,
            "an SFU that is silent holds nobody up"
        );
    }
}
