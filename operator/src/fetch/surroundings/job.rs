//! What counts of a Job's pod: how it failed last, in its own words.

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt as _;

use super::pod_trouble;
use crate::observed::{JobFailure, JobPodSeen};

/// Where the cluster writes the name of a pod's Job.
const JOB_LABEL: &str = "batch.kubernetes.io/job-name";

pub(super) fn read(pod: &Pod) -> JobPodSeen {
    let trouble = pod_trouble(pod).filter(|trouble| trouble.reason != "CrashLoopBackOff");
    JobPodSeen {
        job: pod.labels().get(JOB_LABEL).cloned().unwrap_or_default(),
        failure: failure(pod),
        trouble,
    }
}

/// Of the first container that didn't come to its end.
fn failure(pod: &Pod) -> Option<JobFailure> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter();
    let mut containers = containers.chain(&status.container_statuses).flatten();
    containers.find_map(|container| {
        let ended = last_failure(container)?;
        Some(JobFailure {
            container: container.name.clone(),
            said: last_line(ended.message.as_deref().unwrap_or_default()),
        })
    })
}

/// How it failed, unless it has succeeded since.
fn last_failure(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    fn ended(state: Option<&ContainerState>) -> Option<&ContainerStateTerminated> {
        state?.terminated.as_ref()
    }
    let now = ended(container.state.as_ref());
    let last = now.or_else(|| ended(container.last_state.as_ref()));
    last.filter(|ended| ended.exit_code != 0)
}

/// A program says at its very end why it ends; before that stands its log.
fn last_line(said: &str) -> String {
    let line = said.trim_end().lines().next_back().unwrap_or_default();
    let error = line.strip_prefix("gryt-signaling: ").unwrap_or(line);
    error.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(init: &Value, main: &Value) -> Pod {
        let container = |name: &str, states: &Value| {
            let mut status = json!({
                "name": name, "image": "a", "imageID": "a", "ready": false, "restartCount": 0,
            });
            for (key, state) in states.as_object().unwrap() {
                status[key] = state.clone();
            }
            status
        };
        let pod = json!({
            "metadata": {"name": "a", "labels": {JOB_LABEL: "database-a"}},
            "status": {
                "initContainerStatuses": [container("provision", init)],
                "containerStatuses": [container("migrate", main)],
            },
        });
        serde_json::from_value(pod).unwrap()
    }

    fn ended(code: i32, message: &str) -> Value {
        json!({"terminated": {"exitCode": code, "message": message}})
    }

    const LOG: &str = "{\"level\":\"INFO\"}\ngryt-signaling: sign in: wrong password\n";

    #[test]
    fn the_container_that_failed_last_speaks_in_its_last_line() {
        let waiting = json!({"state": {"waiting": {"reason": "PodInitializing"}}});
        let again = json!({
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": ended(1, LOG),
        });
        let seen = read(&pod(&again, &waiting));
        assert_eq!(seen.job, "database-a");
        assert_eq!(seen.trouble, None, "the failure says more");
        let failure = seen.failure.unwrap();
        assert_eq!(failure.container, "provision");
        assert_eq!(failure.said, "sign in: wrong password");

        let healed = json!({"state": ended(0, ""), "lastState": ended(1, LOG)});
        assert_eq!(read(&pod(&healed, &waiting)).failure, None);
        let failed = json!({"state": ended(101, "")});
        let failure = read(&pod(&healed, &failed)).failure.unwrap();
        assert_eq!(
            (failure.container.as_str(), &*failure.said),
            ("migrate", "")
        );
    }
}
