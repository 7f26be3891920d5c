//! Whether a lease may be taken now. Pure: what was read and two clocks in, one step out.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;

/// What a candidate should do with the lease that it read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Another holds it.
    Wait,
    /// There is none: create it with this spec.
    Create(LeaseSpec),
    /// It is ours, free or given up: write this spec over exactly what was read.
    Write(LeaseSpec),
}

/// Remembers since when a foreign lease has stood still.
#[derive(Debug)]
pub(super) struct Observer {
    identity: String,
    term: Duration,
    seen: Option<(String, Instant)>,
}

impl Observer {
    pub(super) fn new(identity: String, term: Duration) -> Self {
        Self {
            identity,
            term,
            seen: None,
        }
    }

    /// Decides by the monotonic clock `now`; `wall` is only written for people to read.
    pub(super) fn step(&mut self, found: Option<&Lease>, now: Instant, wall: Timestamp) -> Step {
        let Some(lease) = found else {
            return Step::Create(self.taken(None, wall));
        };
        let spec = lease.spec.as_ref();
        let holder = spec.and_then(|spec| spec.holder_identity.as_deref());
        if holder == Some(self.identity.as_str()) {
            let mut renewed = spec.cloned().unwrap_or_default();
            renewed.renew_time = Some(MicroTime(wall));
            return Step::Write(renewed);
        }
        if holder.is_none_or(str::is_empty) || self.stood_still(lease, now) {
            return Step::Write(self.taken(spec, wall));
        }
        Step::Wait
    }

    /// The spec that gives the lease back, if it is ours.
    pub(super) fn released(&self, lease: &Lease) -> Option<LeaseSpec> {
        let spec = lease.spec.as_ref()?;
        (spec.holder_identity.as_deref() == Some(self.identity.as_str())).then(|| LeaseSpec {
            holder_identity: None,
            ..spec.clone()
        })
    }

    fn stood_still(&mut self, lease: &Lease, now: Instant) -> bool {
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        match &self.seen {
            Some((seen, since)) if *seen == version => {
                let theirs = lease
                    .spec
                    .as_ref()
                    .and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok());
                let term = theirs.map_or(self.term, Duration::from_secs);
                now.saturating_duration_since(*since) > term
            }
            Some(_) | None => {
                self.seen = Some((version, now));
                false
            }
        }
    }

    fn taken(&self, before: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
        let transitions = before.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        LeaseSpec {
            acquire_time: Some(MicroTime(wall)),
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.term.as_secs()).ok(),
            lease_transitions: Some(transitions.saturating_add(1)),
            renew_time: Some(MicroTime(wall)),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;

    use super::*;

    const TERM: Duration = Duration::from_secs(15);

    fn lease(holder: Option<&str>, version: &str) -> Lease {
        Lease {
            metadata: ObjectMeta {
                resource_version: Some(version.to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: holder.map(str::to_owned),
                lease_duration_seconds: Some(15),
                lease_transitions: Some(3),
                ..LeaseSpec::default()
            }),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a start for the virtual clock")]
    fn start() -> Instant {
        Instant::now()
    }

    fn holder(step: &Step) -> Option<&str> {
        match step {
            Step::Wait => None,
            Step::Create(spec) | Step::Write(spec) => spec.holder_identity.as_deref(),
        }
    }

    #[test]
    fn missing_and_free_leases_are_taken_at_once() {
        let mut me = Observer::new("me".to_owned(), TERM);
        assert!(matches!(
            me.step(None, start(), Timestamp::UNIX_EPOCH),
            Step::Create(_)
        ));
        for free in [None, Some("")] {
            let step = me.step(Some(&lease(free, "1")), start(), Timestamp::UNIX_EPOCH);
            assert_eq!(holder(&step), Some("me"));
        }
    }

    #[test]
    fn foreign_lease_is_taken_only_after_it_stood_still_for_a_term() {
        let mut me = Observer::new("me".to_owned(), TERM);
        let (at, wall) = (start(), Timestamp::UNIX_EPOCH);
        let seconds = Duration::from_secs;
        let old = lease(Some("other"), "1");

        assert_eq!(me.step(Some(&old), at, wall), Step::Wait);
        assert_eq!(me.step(Some(&old), at + seconds(15), wall), Step::Wait);
        let renewed = lease(Some("other"), "2");
        assert_eq!(me.step(Some(&renewed), at + seconds(16), wall), Step::Wait);
        assert_eq!(me.step(Some(&renewed), at + seconds(31), wall), Step::Wait);
        let step = me.step(Some(&renewed), at + seconds(32), wall);
        assert_eq!(holder(&step), Some("me"));
        let Step::Write(spec) = step else {
            panic!("expected a write")
        };
        assert_eq!(spec.lease_transitions, Some(4));
    }

    #[test]
    fn own_lease_is_renewed_without_a_transition_and_only_own_is_released() {
        let mut me = Observer::new("me".to_owned(), TERM);
        let step = me.step(
            Some(&lease(Some("me"), "1")),
            start(),
            Timestamp::UNIX_EPOCH,
        );
        let Step::Write(spec) = step else {
            panic!("expected a write")
        };
        assert_eq!(spec.lease_transitions, Some(3));
        assert_eq!(spec.renew_time, Some(MicroTime(Timestamp::UNIX_EPOCH)));

        let released = me.released(&lease(Some("me"), "2")).unwrap();
        assert_eq!(released.holder_identity, None);
        assert_eq!(me.released(&lease(Some("other"), "2")), None);
    }
}
