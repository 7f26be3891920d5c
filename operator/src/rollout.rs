//! Which servers may take a changed image now. Pure: who runs what in, who may start out.
//!
//! A few at a time, and no further once one of them has not become ready in its time: a bad image
//! then costs a few servers and not all. Servers with calls come last.

pub mod slots;

use std::time::{Duration, Instant};

use crate::fetch::ServerKey;

/// One server of a class, as far as a rollout cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which one.
    pub key: ServerKey,
    /// Whether it runs, or was told to run, what it should.
    pub stage: Stage,
    /// Calls that go on there, if that is known.
    pub calls: Option<u32>,
}

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It runs something else. `ready`: people can talk there.
    Waiting {
        /// Whether it serves at the moment.
        ready: bool,
    },
    /// It was told to take the new image at `since` and is not ready.
    InFlight {
        /// When it was told, or when we first saw it so.
        since: Instant,
    },
    /// It is ready with the new image, or suspended.
    Done,
}

/// The platform's limits for a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Servers that may be in flight together.
    pub max_concurrent: usize,
    /// Time for one server to become ready.
    pub ready_deadline: Duration,
}

/// What may happen now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// These may take the new image.
    pub start: Vec<ServerKey>,
    /// These had their time: nobody starts until they are ready or the image changes again.
    pub overdue: Vec<ServerKey>,
    /// How many still run the old image, those in `start` included.
    pub waiting: usize,
}

/// In the order of their turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Calls {
    Nobody,
    Unknown,
    Some(u32),
}

impl Calls {
    fn of(calls: Option<u32>) -> Self {
        match calls {
            Some(0) => Self::Nobody,
            Some(calls) => Self::Some(calls),
            None => Self::Unknown,
        }
    }
}

/// Plans for all `members` of one class.
#[must_use]
pub fn plan(members: &[Member], limits: Limits, now: Instant) -> Plan {
    let mut plan = Plan::default();
    let mut in_flight = 0_usize;
    let mut waiting = Vec::new();
    for member in members {
        match member.stage {
            Stage::Done => {}
            Stage::InFlight { since } => {
                in_flight += 1;
                if now.saturating_duration_since(since) > limits.ready_deadline {
                    plan.overdue.push(member.key.clone());
                }
            }
            Stage::Waiting { ready } => {
                // Nobody is cut off on a server that does not serve; then the quiet ones.
                waiting.push((ready, Calls::of(member.calls), &member.key));
            }
        }
    }
    plan.waiting = waiting.len();
    if plan.overdue.is_empty() {
        waiting.sort();
        let free = limits.max_concurrent.saturating_sub(in_flight);
        let first = waiting.into_iter().take(free);
        plan.start = first.map(|(_, _, key)| key.clone()).collect();
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a start for the virtual clock")]
    fn start() -> Instant {
        Instant::now()
    }

    fn member(name: &str, stage: Stage, calls: Option<u32>) -> Member {
        Member {
            key: ServerKey {
                namespace: "a".to_owned(),
                name: name.to_owned(),
            },
            stage,
            calls,
        }
    }

    fn limits(max_concurrent: usize) -> Limits {
        Limits {
            max_concurrent,
            ready_deadline: Duration::from_secs(300),
        }
    }

    fn names(keys: &[ServerKey]) -> Vec<&str> {
        keys.iter().map(|key| key.name.as_str()).collect()
    }

    #[test]
    fn only_so_many_are_in_flight() {
        let now = start();
        let waiting = Stage::Waiting { ready: true };
        let members = [
            member("a", Stage::Done, None),
            member("b", Stage::InFlight { since: now }, None),
            member("c", waiting, None),
            member("d", waiting, None),
            member("e", waiting, None),
        ];
        let plan = plan(&members, limits(3), now);
        assert_eq!(names(&plan.start), ["c", "d"]);
        assert_eq!(plan.waiting, 3);
        assert!(super::plan(&members, limits(1), now).start.is_empty());
    }

    #[test]
    fn broken_servers_come_first_and_busy_ones_last() {
        let ready = Stage::Waiting { ready: true };
        let members = [
            member("a-busy", ready, Some(3)),
            member("b-less-busy", ready, Some(2)),
            member("c-unknown", ready, None),
            member("d-quiet", ready, Some(0)),
            member("e-broken", Stage::Waiting { ready: false }, Some(9)),
        ];
        let plan = plan(&members, limits(9), start());
        assert_eq!(
            names(&plan.start),
            ["e-broken", "d-quiet", "c-unknown", "b-less-busy", "a-busy"]
        );
    }

    #[test]
    fn one_that_is_late_stops_all_others() {
        let since = start();
        let members = [
            member("late", Stage::InFlight { since }, None),
            member("next", Stage::Waiting { ready: true }, None),
        ];
        let on_time = plan(&members, limits(5), since + Duration::from_secs(300));
        assert_eq!(names(&on_time.start), ["next"]);
        let late = plan(&members, limits(5), since + Duration::from_secs(301));
        assert_eq!(names(&late.overdue), ["late"]);
        assert!(late.start.is_empty());
    }
}
