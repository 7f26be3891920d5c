//! What an SFU's last word says of the calls that were cut with it. It stands in its container's
//! termination message, in whatever way the pod ended. Pure.

use std::collections::HashMap;
use std::mem;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::ResourceExt as _;

use crate::events::Notice;
use crate::labels::{COMPONENT_LABEL, SLOT_LABEL};
use crate::observed::Component;

/// Calls that ended with an SFU and not by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutCalls {
    /// Never 0.
    pub calls: u32,
    /// People in them.
    pub participants: u32,
}

impl CutCalls {
    /// Reads a termination message. What is not in the SFU's words says nothing.
    #[must_use]
    pub fn parse(message: &str) -> Option<Self> {
        let words: Vec<&str> = message.split_whitespace().take(7).collect();
        let ["cut", calls, "calls", "with", participants, "participants"] = words[..] else {
            return None;
        };
        let cut = Self {
            calls: calls.parse().ok()?,
            participants: participants.parse().ok()?,
        };
        (cut.calls > 0).then_some(cut)
    }

    /// The Event about the SFU of `slot`.
    #[must_use]
    pub fn notice(self, slot: &str) -> Notice {
        let Self {
            calls,
            participants,
        } = self;
        let some = |count: u32, one: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {one}s"),
        };
        Notice {
            warning: true,
            reason: "CallsCut".to_owned(),
            message: format!(
                "SFU {slot} ended with {} of {}.",
                some(calls, "call"),
                some(participants, "participant")
            ),
        }
    }
}

/// Which endings are known, so that each is told once. Bounded by the SFU pods that exist.
#[derive(Debug, Default)]
pub(crate) struct Endings {
    /// By the pod's UID: the container that ended last.
    known: HashMap<String, Option<String>>,
    /// As it was before the listing that is going on.
    before: HashMap<String, Option<String>>,
}

impl Endings {
    /// A listing begins: what it does not name is gone.
    pub(crate) fn begin(&mut self) {
        self.before = mem::take(&mut self.known);
    }

    /// Takes a pod of a listing. How one ended that nobody has watched may have been told by
    /// another operator, so it is not told again.
    pub(crate) fn list(&mut self, pod: &Pod) -> Option<Notice> {
        let uid = pod.uid()?;
        if let Some(known) = self.before.remove(&uid) {
            self.known.insert(uid, known);
            return self.learn(pod);
        }
        self.learn(pod);
        None
    }

    /// The listing is through.
    pub(crate) fn end(&mut self) {
        self.before = HashMap::new();
    }

    /// Takes a pod that changed or went. Returns what there is to tell.
    pub(crate) fn learn(&mut self, pod: &Pod) -> Option<Notice> {
        let labels = pod.labels();
        if labels.get(COMPONENT_LABEL).map(String::as_str) != Some(Component::Sfu.as_str()) {
            return None;
        }
        let known = self.known.entry(pod.uid()?).or_default();
        let ended = last_ended(pod)?;
        if ended.container_id.is_none() || *known == ended.container_id {
            return None;
        }
        known.clone_from(&ended.container_id);
        let cut = CutCalls::parse(ended.message.as_deref()?)?;
        Some(cut.notice(labels.get(SLOT_LABEL).map_or("", String::as_str)))
    }

    /// Forgets a pod that is gone.
    pub(crate) fn forget(&mut self, pod: &Pod) {
        if let Some(uid) = &pod.metadata.uid {
            self.known.remove(uid);
        }
    }
}

/// How the pod's one container ended, at the end of the pod or before it was started again.
fn last_ended(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let [now, before] = [&container.state, &container.last_state]
        .map(|state| state.as_ref().and_then(|state| state.terminated.as_ref()));
    now.or(before)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(uid: &str, state: &str, container: &str, message: &str) -> Pod {
        let ended = json!({"exitCode": 0, "containerID": container, "message": message});
        let mut status = json!({
            "name": "sfu", "image": "a", "imageID": "a", "ready": false, "restartCount": 0,
        });
        status[state] = json!({"terminated": ended});
        let pod = json!({
            "metadata": {
                "name": "chat-sfu-0-a", "uid": uid,
                "labels": {COMPONENT_LABEL: "sfu", SLOT_LABEL: "0"},
            },
            "status": {"containerStatuses": [status]},
        });
        serde_json::from_value(pod).unwrap()
    }

    const CUT: &str = "cut 2 calls with 5 participants\n";

    #[test]
    fn only_the_words_of_an_sfu_are_believed() {
        let cut = |calls, participants| {
            Some(CutCalls {
                calls,
                participants,
            })
        };
        for (message, expected) in [
            (CUT, cut(2, 5)),
            ("cut 1 calls with 1 participants", cut(1, 1)),
            ("cut 0 calls with 0 participants", None),
            ("cut 2 calls with 5 participants and a king", None),
            ("cut 2 calls with five participants", None),
            ("cut -2 calls with 5 participants", None),
            ("cut 4294967296 calls with 5 participants", None),
            ("cut 2 calls", None),
            ("panicked at 'no'", None),
            ("", None),
        ] {
            assert_eq!(CutCalls::parse(message), expected, "{message:?}");
        }
    }

    #[test]
    fn one_call_is_told_in_the_singular() {
        let told = |message| CutCalls::parse(message).unwrap().notice("0").message;
        assert_eq!(told(CUT), "SFU 0 ended with 2 calls of 5 participants.");
        assert_eq!(
            told("cut 1 calls with 1 participants"),
            "SFU 0 ended with 1 call of 1 participant."
        );
    }

    #[test]
    fn each_end_of_a_container_is_told_once() {
        let mut endings = Endings::default();
        let told = endings.learn(&pod("a", "state", "one", CUT)).unwrap();
        assert_eq!((told.warning, &*told.reason), (true, "CallsCut"));
        assert_eq!(endings.learn(&pod("a", "state", "one", CUT)), None);
        assert_eq!(endings.learn(&pod("a", "lastState", "one", CUT)), None);
        assert!(endings.learn(&pod("a", "lastState", "two", CUT)).is_some());
        assert!(endings.learn(&pod("b", "state", "three", CUT)).is_some());
        assert_eq!(endings.learn(&pod("c", "state", "four", "nonsense")), None);
        assert_eq!(endings.learn(&pod("d", "state", "five", "")), None);
    }

    #[test]
    fn what_ended_before_anybody_watched_is_not_told() {
        let mut endings = Endings::default();
        endings.begin();
        assert_eq!(endings.list(&pod("a", "state", "one", CUT)), None);
        endings.end();
        assert_eq!(endings.learn(&pod("a", "state", "one", CUT)), None);
    }

    #[test]
    fn what_ended_while_the_watch_was_broken_is_told() {
        let mut endings = Endings::default();
        endings.begin();
        for uid in ["a", "b"] {
            assert_eq!(endings.list(&pod(uid, "waiting", "", "")), None);
        }
        endings.end();
        endings.begin();
        assert!(endings.list(&pod("a", "state", "one", CUT)).is_some());
        endings.end();
        assert_eq!(endings.known.len(), 1);
        endings.forget(&pod("a", "state", "one", CUT));
        assert!(endings.known.is_empty());
    }

    #[test]
    fn signaling_has_no_calls() {
        let mut pod = pod("a", "state", "one", CUT);
        let component = (COMPONENT_LABEL.to_owned(), "signaling".to_owned());
        pod.metadata.labels = Some([component].into());
        assert_eq!(Endings::default().learn(&pod), None);
    }
}
