//! What is known of a server's back ends: by the Jobs that prepare them, and by the readiness of the
//! signaling pods, which serve only when they have reached them.

use super::Facts;
use super::findings::explain;
use crate::build::{MIGRATE, Part, Preparing};
use crate::conditions::{BUS_READY, DATABASE_READY, Draft, Truth};
use crate::valid::ValidServer;

/// One finding for each back end that the class names.
pub(super) fn parts(facts: &Facts<'_>, valid: &ValidServer) -> Vec<Draft> {
    let database = valid.backends.cql.is_some().then_some(Part::Database);
    let bus = valid.backends.redis.is_some().then_some(Part::Bus);
    let parts = database.into_iter().chain(bus);
    parts.map(|part| found(facts, valid, part)).collect()
}

fn found(facts: &Facts<'_>, valid: &ValidServer, part: Part) -> Draft {
    let (type_, noun) = match part {
        Part::Database => (DATABASE_READY, "the database"),
        Part::Bus => (BUS_READY, "the Redis"),
    };
    let draft = |truth, reason: &str, message: String| Draft::new(type_, truth, reason, message);
    if valid.suspended {
        let message = format!("spec.suspend is true: nobody asks {noun}.");
        return draft(Truth::Unknown, "Suspended", message);
    }
    let mut preparing = facts.preparing.iter();
    if let Some(preparing) = preparing.find(|preparing| preparing.part == part) {
        let (reason, message) = prepares(facts, preparing, noun);
        return draft(Truth::False, &reason, message);
    }
    let signaling = facts.children.signaling.as_ref();
    if signaling.is_some_and(|signaling| signaling.ready > 0) {
        let message = format!("Signaling has reached {noun} and serves.");
        return draft(Truth::True, "Connected", message);
    }
    let message = format!(
        "The server's place in {noun} is prepared; no signaling pod is ready to tell more."
    );
    draft(Truth::Unknown, "Prepared", message)
}

/// What the Job says.
fn prepares(facts: &Facts<'_>, preparing: &Preparing, noun: &str) -> (String, String) {
    let job = &preparing.job;
    let pods = facts.children.job_pods.iter();
    let pods = pods.filter(|pod| pod.job == *job);
    let failure = pods.clone().find_map(|pod| pod.failure.as_ref());
    if let Some(failure) = failure {
        let (reason, what) = if failure.container == MIGRATE {
            (
                "MigrationFailed",
                "The tables can't be brought up to date in",
            )
        } else {
            ("ProvisionFailed", "The server's place can't be made in")
        };
        let said = match failure.said.trim_end_matches('.') {
            "" => "the Job's log says why",
            said => said,
        };
        let message = format!("{what} {noun}: {said}. It is tried again.");
        return (reason.to_owned(), message);
    }
    if let Some(trouble) = pods.clone().find_map(|pod| pod.trouble.as_ref()) {
        let image = facts.outcome.valid();
        let image = image.map_or("", |valid| &valid.images.signaling);
        let (reason, message) = explain(trouble, &format!("Job \"{job}\""), image);
        return (reason.to_owned(), message.into_owned());
    }
    let message = format!("The Job \"{job}\" in the operator's namespace prepares {noun}.");
    ("Preparing".to_owned(), message)
}
