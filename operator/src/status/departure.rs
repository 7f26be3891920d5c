//! How far the end of a server has come that has something in back ends.

use crate::conditions::{Draft, READY, RECONCILING, STALLED, Truth};
use crate::crd::SKIP_PURGE_ANNOTATION;
use crate::refusal::Refusals;

/// Why a deleted server is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// Somebody may have to act.
    pub stalled: bool,
    reason: &'static str,
    message: String,
}

impl Departure {
    /// Its processes end.
    pub(crate) fn stopping() -> Self {
        Self {
            stalled: false,
            reason: "Stopping",
            message: "The server is deleted: its signaling pods end before its data does."
                .to_owned(),
        }
    }

    /// What has to be removed can't be reached as things are.
    pub(crate) fn blocked(refusals: &Refusals) -> Self {
        Self {
            stalled: true,
            reason: "PurgeBlocked",
            message: format!(
                "The server is deleted, and what it has in back ends can't be removed: {} {}",
                refusals.message(),
                way_out()
            ),
        }
    }

    /// A Job removes it.
    pub(crate) fn clearing(job: &str, failure: Option<&str>) -> Self {
        let Some(failure) = failure else {
            return Self {
                stalled: false,
                reason: "Purging",
                message: format!(
                    "The server is deleted: the Job \"{job}\" in the operator's namespace removes what it has in back ends."
                ),
            };
        };
        let said = match failure.trim_end_matches('.') {
            "" => "its log says why",
            said => said,
        };
        Self {
            stalled: true,
            reason: "PurgeFailed",
            message: format!(
                "The server is deleted, and the Job \"{job}\" in the operator's namespace can't remove what it has in back ends: {said}. It is tried again. {}",
                way_out()
            ),
        }
    }

    pub(super) fn ready(&self) -> Draft {
        Draft::new(READY, Truth::False, self.reason, self.message.as_str())
    }

    /// The other one of kstatus's that is true.
    pub(super) fn progress(&self) -> Draft {
        let type_ = if self.stalled { STALLED } else { RECONCILING };
        self.ready().as_type(type_, Truth::True)
    }
}

fn way_out() -> String {
    format!("To leave it there, set the annotation {SKIP_PURGE_ANNOTATION}: \"true\".")
}
