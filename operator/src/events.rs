//! Events: what changed at a server that a person cares about. Made from two statuses, so that a
//! reconcile that changes nothing tells nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::time::Instant;

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
            ("DatabaseReady" | "BusReady", "False") if condition.reason.ends_with("Failed") => {
                tell(true, condition);
            }
            _ => {}
        }
    }
    // Stalled brings Ready=False along with the same words.
    notices.dedup_by(|one, other| one.reason == other.reason && one.message == other.message);
    notices
}

/// How long kube's recorder counts the same Event up.
const SAME_FOR: Duration = Duration::from_secs(6 * 60);
/// Messages that are remembered for counting up, about as many as a restart of a large cluster
/// tells in that time. With one more all are forgotten: then Events are written anew.
const MOST_MESSAGES: usize = 1024;

/// Writes Events. The same one again within six minutes counts up instead.
#[derive(Clone)]
pub struct Events {
    client: Client,
    reporter: Reporter,
    /// One recorder for each message, and when it was used last. kube takes Events that differ in
    /// nothing but their message for the same, and would count the first one up.
    recorders: Arc<Mutex<HashMap<String, (Instant, Recorder)>>>,
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
            client,
            reporter,
            recorders: Arc::default(),
            metrics,
        }
    }

    fn recorder(&self, message: &str) -> Recorder {
        let now = Instant::now();
        let recorders = self.recorders.lock();
        let mut recorders = recorders.unwrap_or_else(PoisonError::into_inner);
        recorders.retain(|_, (used, _)| now.duration_since(*used) < SAME_FOR);
        if recorders.len() >= MOST_MESSAGES {
            recorders.clear();
        }
        let (used, recorder) = recorders.entry(message.to_owned()).or_insert_with(|| {
            let recorder = Recorder::new(self.client.clone(), self.reporter.clone());
            (now, recorder)
        });
        *used = now;
        recorder.clone()
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
        let recorder = self.recorder(&message);
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
        if let Err(error) = recorder.publish(&event, about).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "event not written"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Method, Request, Response};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use kube::Resource as _;
    use kube::client::Body;
    use tower::service_fn;

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

    /// The method and the note of each Event that was written.
    type Written = Arc<Mutex<Vec<(Method, String)>>>;

    fn cluster(written: Written) -> Client {
        let answer = move |request: Request<Body>| {
            let written = Arc::clone(&written);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let note = event["note"].as_str().unwrap().to_owned();
                written.lock().unwrap().push((head.method, note));
                Ok::<_, Infallible>(Response::new(Body::from(body.to_vec())))
            }
        };
        Client::new(service_fn(answer), "default")
    }

    #[tokio::test]
    async fn only_an_event_with_the_same_words_is_counted_up() {
        let written = Written::default();
        let client = cluster(Arc::clone(&written));
        let events = Events::new(client, "test".to_owned(), Metrics::default());
        let about = crate::fixture::server("chat").object_ref(&());
        let (there, back) = ("Takes b in the place of a", "Takes a in the place of b");
        for message in [there, back, there] {
            let notice = Notice {
                warning: false,
                reason: "RollingOut".to_owned(),
                message: message.to_owned(),
            };
            events.tell(&about, notice).await;
        }
        let written = written.lock().unwrap().clone();
        let expected = [
            (Method::POST, there.to_owned()),
            (Method::POST, back.to_owned()),
            (Method::PATCH, there.to_owned()),
        ];
        assert_eq!(written, expected);
    }
}
