//! Asks every announced media address again and again whether it answers. A result wakes the
//! server's reconcile only when it differs from the one before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, interval};

use super::queue::Queue;
use crate::fetch::ServerKey;
use crate::metrics::Metrics;
use crate::probe::probe;
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
    found: Option<Failure>,
    due: Instant,
    asking: bool,
}

/// The addresses that are watched over, one per SFU.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    targets: Mutex<HashMap<ServerKey, BTreeMap<i32, Target>>>,
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
            });
        }
        let known = targets.iter().filter_map(|(slot, target)| {
            let probe = Probe {
                address: target.address.host.clone(),
                port: target.address.port.into(),
                failure: target.found.clone()?,
            };
            Some((*slot, probe))
        });
        known.collect()
    }

    /// Probes until it is dropped.
    pub(crate) async fn run(&self, queue: &Queue, metrics: &Metrics) {
        let mut tick = interval(TICK);
        let mut probes = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    let free = MAX_PROBES - probes.len();
                    for (slot, address) in self.due(free) {
                        metrics.probed();
                        probes.push(async move { (slot, ask(&address).await, address) });
                    }
                }
                Some((slot, failure, address)) = probes.next() => {
                    if self.learn(&slot, &address, failure) {
                        queue.send([slot.0]).await;
                    }
                }
            }
        }
    }

    fn due(&self, at_most: usize) -> Vec<(Slot, MediaAddress)> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (key, targets) in self.targets().iter_mut() {
            for (slot, target) in targets {
                if due.len() == at_most {
                    return due;
                }
                if !target.asking && target.due <= now {
                    target.asking = true;
                    due.push(((key.clone(), *slot), target.address.clone()));
                }
            }
        }
        due
    }

    /// Notes a result. Returns whether it is news.
    fn learn(&self, (key, slot): &Slot, address: &MediaAddress, failure: Failure) -> bool {
        let mut all = self.targets();
        let target = all.get_mut(key).and_then(|targets| targets.get_mut(slot));
        let Some(target) = target.filter(|target| target.address == *address) else {
            return false;
        };
        let every = match failure {
            None => REACHED_EVERY,
            Some(_) => FAILED_EVERY,
        };
        target.asking = false;
        target.due = Instant::now() + every;
        let news = target.found.as_ref() != Some(&failure);
        target.found = Some(failure);
        news
    }

    fn targets(&self) -> MutexGuard<'_, HashMap<ServerKey, BTreeMap<i32, Target>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(address: &MediaAddress) -> Failure {
    let transaction = match draw() {
        Ok(transaction) => transaction,
        Err(error) => return Some(error.to_string()),
    };
    let asked = probe(&address.host, address.port, transaction).await;
    asked.err().map(|error| error.to_string())
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

    #[tokio::test(start_paused = true)]
    async fn only_a_changed_result_is_news() {
        let prober = Prober::default();
        let slot = (key(), 0);
        assert!(prober.aim(&key(), at(1)).is_empty());
        assert_eq!(prober.due(9), [(slot.clone(), address(1))]);
        assert!(prober.due(9).is_empty(), "asked twice at the same time");

        assert!(prober.learn(&slot, &address(1), None));
        assert_eq!(prober.aim(&key(), at(1))[&0].failure, None);
        assert!(prober.due(9).is_empty());
        tokio::time::advance(REACHED_EVERY).await;
        assert_eq!(prober.due(9).len(), 1);
        assert!(!prober.learn(&slot, &address(1), None));
        assert!(prober.learn(&slot, &address(1), Some("silent".to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_about_an_old_address_says_nothing_about_a_new_one() {
        let prober = Prober::default();
        let slot = (key(), 0);
        prober.aim(&key(), at(1));
        prober.due(9);
        assert!(prober.aim(&key(), at(2)).is_empty());
        assert!(!prober.learn(&slot, &address(1), None));
        assert_eq!(prober.due(9), [(slot.clone(), address(2))]);
        prober.aim(&key(), BTreeMap::new());
        assert!(!prober.learn(&slot, &address(2), None));
    }
}
