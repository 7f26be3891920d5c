//! Events: what changed at a server that a person cares about. Made from two statuses, so that a
//! reconcile that changes nothing tells nothing.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::crd::GrytServerStatus;
use crate::metrics::{Kind, Metrics, Verb};

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Whether somebody should look.
    pub warning: bool,
    /// In CamelCase.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// What happened between two statuses.
#[must_use]
pub fn notices(before: Option<&GrytServerStatus>, after: &GrytServerStatus) -> Vec<Notice> {
    let mut notices = Vec::new();
    let known = before.map_or(&[][..], |before| &before.conditions);
    let mut tell = |warning, condition: &Condition| {
        notices.push(Notice {
            warning,
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        });
    };
    for condition in &after.conditions {
        let was = known.iter().find(|known| known.type_ == condition.type_);
        let same =
            was.is_some_and(|was| was.status == condition.status && was.reason == condition.reason);
        if same {
            continue;
        }
        let was_true = was.is_some_and(|was| was.status == "True");
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("Ready", "True") => tell(false, condition),
            // Not ready yet is no news; not ready any more is.
            ("Ready", _) if was_true => tell(true, condition),
            ("Stalled", "True") => tell(true, condition),
            ("MediaReachable", "False") => tell(true, condition),
            ("MediaReachable", "True") if was.is_some_and(|was| was.status == "False") => {
                tell(false, condition);
            }
            ("TLSReady" | "StorageReady", "False") if was_true => tell(true, condition),
            _ => {}
        }
    }
    // Stalled brings Ready=False along with the same words.
    notices.dedup_by(|one, other| one.reason == other.reason && one.message == other.message);
    notices
}

/// Writes Events. The same one again within six minutes counts up instead.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
    metrics: Metrics,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Events {
    /// Events in the name of this replica.
    #[must_use]
    pub fn new(client: Client, instance: String, metrics: Metrics) -> Self {
        let reporter = Reporter {
            controller: "gryt-operator".to_owned(),
            instance: Some(instance),
        };
        Self {
            recorder: Recorder::new(client, reporter),
            metrics,
        }
    }

    /// Writes one Event. A failure is logged and forgotten: Events explain, nothing waits for them.
    pub async fn tell(&self, about: &ObjectReference, notice: Notice) {
        const MAX_NOTE_BYTES: usize = 1000;
        let Notice {
            warning,
            reason,
            mut message,
        } = notice;
        message.truncate(message.floor_char_boundary(MAX_NOTE_BYTES));
        let event = Event {
            type_: if warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason,
            note: Some(message),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        self.metrics.wrote(Kind::Event, Verb::Create);
        if let Err(error) = self.recorder.publish(&event, about).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "event not written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> GrytServerStatus {
        let conditions = conditions.iter().map(|(type_, status, reason)| Condition {
            type_: (*type_).to_owned(),
            status: (*status).to_owned(),
            reason: (*reason).to_owned(),
            message: format!("{reason}."),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        });
        GrytServerStatus {
            conditions: conditions.collect(),
            ..GrytServerStatus::default()
        }
    }

    fn reasons(before: Option<&GrytServerStatus>, after: &GrytServerStatus) -> Vec<String> {
        let notices = notices(before, after);
        notices.into_iter().map(|notice| notice.reason).collect()
    }

    #[test]
    fn becoming_ready_is_told_once() {
        let starting = status(&[("Ready", "False", "Starting"), ("Reconciling", "True", "A")]);
        let ready = status(&[("Ready", "True", "Serving")]);

        assert!(reasons(None, &starting).is_empty());
        assert_eq!(reasons(Some(&starting), &ready), ["Serving"]);
        assert!(reasons(Some(&ready), &ready).is_empty());
        assert_eq!(reasons(Some(&ready), &starting), ["Starting"]);
    }

    #[test]
    fn a_refusal_and_lost_media_are_warnings() {
        let ready = status(&[
            ("Ready", "True", "Serving"),
            ("MediaReachable", "True", "Yes"),
        ]);
        let lost = status(&[
            ("Ready", "True", "Serving"),
            ("MediaReachable", "False", "No"),
        ]);
        let stalled = status(&[("Stalled", "True", "NoClass")]);

        assert_eq!(reasons(Some(&ready), &lost), ["No"]);
        assert_eq!(reasons(Some(&lost), &ready), ["Yes"]);
        assert_eq!(reasons(None, &stalled), ["NoClass"]);
        assert!(notices(None, &stalled)[0].warning);
    }
}
