//! What the operator reports: from what was decided and what the children do, to a status. Pure;
//! equal facts give an equal status, so that an idle server costs no write.

mod backends;
mod departure;
mod findings;
mod media;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;

use crate::build::Preparing;
use crate::conditions::{
    BUS_READY, DATABASE_READY, Draft, MEDIA_REACHABLE, READY, RECONCILING, STALLED, TLS_READY,
    Truth, find, follow,
};
use crate::crd::{ExposureStatus, GrytServer, GrytServerStatus, PAUSED_ANNOTATION};
use crate::observed::{Children, Component, NamedSecrets};
use crate::refusal::Refusals;
use crate::valid::ValidServer;

pub use departure::Departure;
pub use media::media_addresses;

/// The reason of what is so only because the operator keeps its hands off.
const PAUSED: &str = "Paused";

/// Everything that a status is made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The object with its last status.
    pub server: &'a GrytServer,
    /// How far the reconcile came.
    pub outcome: Outcome<'a>,
    /// The children as they are after apply.
    pub children: &'a Children,
    /// As observed: tells whether cert-manager has written its Secret.
    pub named_secrets: &'a NamedSecrets,
    /// What the last probes of the slots' addresses found. A slot that wasn't probed since the
    /// operator started is left out.
    pub probes: &'a BTreeMap<i32, Probe>,
    /// Where the probes are sent from, as it follows "from": `the operator's pod`.
    pub vantage: &'a str,
    /// The rollout of its class holds the server on the version that it runs.
    pub held: bool,
    /// What has to be done in back ends before signaling starts or changes.
    pub preparing: &'a [Preparing],
}

/// How far the reconcile came.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// validate refused it: nothing was changed.
    Refused(&'a Refusals),
    /// The API server refused a child for good: quota, admission, an invalid value. What names
    /// the child and what it said, as a sentence.
    ApplyFailed(&'a ValidServer, &'a str),
    /// The road broke off, for a cause that the operator tries to get over by itself.
    Failed(&'a Setback),
    /// The operator keeps its hands off: it only looks.
    Paused,
    /// Everything was applied.
    Applied(&'a ValidServer),
    /// It is deleted, and something of it is still in back ends.
    Leaving(&'a Departure),
}

impl<'a> Outcome<'a> {
    fn valid(self) -> Option<&'a ValidServer> {
        match self {
            Self::Refused(_) | Self::Failed(_) | Self::Paused | Self::Leaving(_) => None,
            Self::ApplyFailed(valid, _) | Self::Applied(valid) => Some(valid),
        }
    }
}

/// Where the road broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A Secret that the server or its class names could not be read.
    Fetch,
    /// Certificates or tokens could not be made or copied.
    Provide,
    /// A child could not be written, perhaps only now.
    Apply,
    /// The GrytServer could not be written.
    Write,
    /// The whole took too long.
    Time,
}

impl Step {
    /// The reason as conditions and Events carry it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Fetch => "FetchFailed",
            Self::Provide => "ProvideFailed",
            Self::Apply => "ApplyFailed",
            Self::Write => "WriteFailed",
            Self::Time => "TimedOut",
        }
    }
}

/// Why the road broke off. The same cause is told in the same words, so that a retry writes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// What kind of thing failed.
    pub step: Step,
    /// A sentence for people, without anything secret.
    pub message: String,
}

/// What the last probe of one slot found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The address that was probed.
    pub address: String,
    /// The port that was probed.
    pub port: i32,
    /// Why it counts as unreachable; `None` if it answered.
    pub failure: Option<String>,
}

/// Makes the status that follows `facts.server.status`. Write it only if it differs.
#[must_use]
pub fn status(facts: &Facts<'_>, now: Timestamp) -> GrytServerStatus {
    let previous = facts.server.status.clone().unwrap_or_default();
    let observed_generation = match facts.outcome {
        // What is asked for since isn't followed, and nobody shall believe that it is.
        Outcome::Paused => previous.observed_generation,
        Outcome::Refused(_)
        | Outcome::ApplyFailed(..)
        | Outcome::Failed(_)
        | Outcome::Applied(_)
        | Outcome::Leaving(_) => Some(facts.server.metadata.generation.unwrap_or_default()),
    };
    let generation = observed_generation.unwrap_or_default();
    let mut next = GrytServerStatus {
        observed_generation,
        signaling: Some(findings::count(facts, Component::Signaling)),
        sfu: Some(findings::count(facts, Component::Sfu)),
        version: findings::version(facts).or(previous.version),
        // What was reported of the last good state stays true while it keeps running.
        ..previous
    };
    let previous = previous_conditions(facts.server);
    if let Some(valid) = facts.outcome.valid() {
        next.address = valid.origin.clone();
        next.class_name = valid.class.name.clone();
        next.exposure = Some(ExposureStatus {
            web: valid.web.type_(),
            media: valid.media_type(),
        });
        next.media = media_addresses(valid, facts.children);
    }
    let drafts = drafts(facts, &next);
    let mut conditions = follow(previous, drafts, generation, now);
    conditions.extend(untouched(facts, previous));
    next.conditions = in_order_of(previous, conditions);
    next
}

/// The API server keeps its own order of a list that is merged by key; nothing but the order is
/// no change.
fn in_order_of(previous: &[Condition], conditions: Vec<Condition>) -> Vec<Condition> {
    let same = previous.len() == conditions.len()
        && conditions
            .iter()
            .all(|condition| previous.contains(condition));
    if same { previous.to_vec() } else { conditions }
}

fn previous_conditions(server: &GrytServer) -> &[Condition] {
    let status = server.status.as_ref();
    status.map_or(&[], |status| &status.conditions)
}

/// While a spec is refused or can't be followed, nobody looks anew at certificate, back ends and
/// address: their findings stay.
fn untouched<'a>(
    facts: &Facts<'_>,
    previous: &'a [Condition],
) -> impl Iterator<Item = Condition> + use<'a> {
    let types: &[&str] = match facts.outcome {
        Outcome::Refused(_) | Outcome::Failed(_) => {
            &[TLS_READY, DATABASE_READY, BUS_READY, MEDIA_REACHABLE]
        }
        Outcome::Paused => &[TLS_READY, DATABASE_READY, BUS_READY],
        Outcome::ApplyFailed(..) | Outcome::Applied(_) | Outcome::Leaving(_) => &[],
    };
    types
        .iter()
        .filter_map(|type_| find(previous, type_).cloned())
}

/// Ready first, then kstatus's two where they are true, then the parts.
fn drafts(facts: &Facts<'_>, next: &GrytServerStatus) -> Vec<Draft> {
    if let Outcome::Leaving(departure) = facts.outcome {
        return vec![departure.ready(), departure.progress()];
    }
    let mut parts = findings::parts(facts);
    let ready = ready(facts, next, &parts);
    let mut drafts = vec![ready.clone()];
    drafts.extend(stalled(facts, &ready, &parts).or_else(|| reconciling(facts, &ready)));
    match facts.outcome {
        Outcome::Applied(valid) | Outcome::ApplyFailed(valid, _) => {
            parts.push(media::reachable(facts, valid, next));
        }
        Outcome::Paused => parts.push(Draft::new(
            MEDIA_REACHABLE,
            Truth::Unknown,
            PAUSED,
            "Nobody probes the media address of a paused server.",
        )),
        Outcome::Refused(_) | Outcome::Failed(_) | Outcome::Leaving(_) => {}
    }
    drafts.extend(parts);
    drafts
}

fn ready(facts: &Facts<'_>, next: &GrytServerStatus, parts: &[Draft]) -> Draft {
    match facts.outcome {
        Outcome::Refused(refusals) => {
            let reason = refusals.reason().as_str();
            Draft::new(READY, Truth::False, reason, refused(facts, refusals))
        }
        Outcome::ApplyFailed(_, trouble) => {
            Draft::new(READY, Truth::False, "ApplyRefused", trouble)
        }
        Outcome::Leaving(departure) => departure.ready(),
        Outcome::Failed(setback) => Draft::new(
            READY,
            Truth::False,
            setback.step.reason(),
            setback.message.as_str(),
        ),
        Outcome::Paused => paused(facts, parts),
        Outcome::Applied(valid) if valid.suspended => Draft::new(
            READY,
            Truth::False,
            "Suspended",
            "spec.suspend is true: no pod runs, data and addresses are kept. Set it to false to bring the server back.",
        ),
        Outcome::Applied(valid) => {
            // What is broken says more than what isn't known because of it.
            let first = parts.iter().find(|part| part.truth == Truth::False);
            let first = first.or_else(|| parts.iter().find(|part| part.truth != Truth::True));
            let first = first.cloned().or_else(|| findings::way_in(facts, valid));
            first.map_or_else(
                || {
                    let address = next.address.as_deref().unwrap_or("its address");
                    let message = format!("People can sign in and talk at {address}.");
                    Draft::new(READY, Truth::True, "Serving", message)
                },
                |part| part.as_type(READY, Truth::False),
            )
        }
    }
}

/// Ready as far as the operator sees; it doesn't decide what the server should be.
fn paused(facts: &Facts<'_>, parts: &[Draft]) -> Draft {
    let first = parts.iter().find(|part| part.truth != Truth::True);
    let first = first.cloned().or_else(|| findings::taken_away(facts));
    let (truth, found) = first.map_or_else(
        || (Truth::True, "Its pods serve.".to_owned()),
        |part| (Truth::False, part.message),
    );
    let seen = facts.server.status.as_ref();
    let followed = seen.and_then(|status| status.observed_generation);
    let unfollowed = if followed == facts.server.metadata.generation {
        ""
    } else {
        " What was changed in its spec since isn't followed."
    };
    let message = format!(
        "The annotation {PAUSED_ANNOTATION} is set: the operator changes and repairs nothing until it is removed. {found}{unfollowed}"
    );
    Draft::new(READY, truth, PAUSED, message)
}

fn refused(facts: &Facts<'_>, refusals: &Refusals) -> String {
    let runs = facts.children.signaling.is_some() || !facts.children.sfus.is_empty();
    let kept = if runs {
        " What ran before keeps running unchanged."
    } else {
        ""
    };
    format!("{}{kept}", refusals.message())
}

/// Somebody has to act: a refusal, also the Gateway's, a Deployment that the cluster can't bring up,
/// or a paused server that lost a part.
fn stalled(facts: &Facts<'_>, ready: &Draft, parts: &[Draft]) -> Option<Draft> {
    let draft = |reason: &str, message: String| Draft::new(STALLED, Truth::True, reason, message);
    match facts.outcome {
        Outcome::Refused(refusals) => {
            Some(draft(refusals.reason().as_str(), refused(facts, refusals)))
        }
        Outcome::ApplyFailed(_, trouble) => Some(draft("ApplyRefused", trouble.to_owned())),
        Outcome::Failed(_) | Outcome::Leaving(_) => None,
        Outcome::Applied(valid) if valid.suspended => None,
        Outcome::Applied(valid) => lost_or_stuck(facts, parts).or_else(|| {
            let misfit = findings::misfit(facts, valid)?;
            Some(misfit.as_type(STALLED, Truth::True))
        }),
        Outcome::Paused => {
            let lacks = findings::lacks_a_child(facts);
            let lacks = lacks.then(|| ready.as_type(STALLED, Truth::True));
            lacks.or_else(|| lost_or_stuck(facts, parts))
        }
    }
}

fn lost_or_stuck(facts: &Facts<'_>, parts: &[Draft]) -> Option<Draft> {
    let lost = parts.iter().find(|part| findings::is_lost(part));
    lost.map(|part| part.as_type(STALLED, Truth::True))
        .or_else(|| findings::stuck_deployment(facts, STALLED))
}

fn reconciling(facts: &Facts<'_>, ready: &Draft) -> Option<Draft> {
    let valid = match facts.outcome {
        Outcome::Applied(valid) => valid,
        Outcome::Failed(_) => return Some(ready.as_type(RECONCILING, Truth::True)),
        Outcome::Refused(_) | Outcome::ApplyFailed(..) | Outcome::Paused | Outcome::Leaving(_) => {
            return None;
        }
    };
    let draft =
        |reason: &str, message: &str| Some(Draft::new(RECONCILING, Truth::True, reason, message));
    if valid.suspended {
        let drains = findings::any_pod_left(facts.children);
        return drains
            .then(|| draft("Draining", "Calls that are going on may end first."))
            .flatten();
    }
    if ready.truth != Truth::True {
        return Some(ready.as_type(RECONCILING, Truth::True));
    }
    if findings::rolling_out(facts.children) {
        return draft(
            "RollingOut",
            "Pods are being replaced by what was asked for.",
        );
    }
    if let Some(message) = findings::leaving(valid) {
        return draft("Draining", &message);
    }
    if facts.held {
        return draft(
            "RolloutWaiting",
            "Its class has other images; the server takes them when other servers of the class have come through.",
        );
    }
    None
}
