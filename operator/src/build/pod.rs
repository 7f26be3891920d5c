//! What the pods of both components have in common: Pod Security "restricted", probes, and the
//! tenant's additions. No pod is restarted for a Secret or ConfigMap: the processes read those
//! again themselves.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, HTTPGetAction, LocalObjectReference, PodSecurityContext,
    PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecretVolumeSource,
    SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{Of, pod_labels, selector};
use crate::crd::{Resources, SERVER_ID_ANNOTATION};
use crate::valid::ValidServer;

/// Names and numbers of the pods' ports.
pub(super) mod port {
    pub(in crate::build) const HTTP: &str = "http";
    pub(in crate::build) const GRPC: &str = "grpc";
    pub(in crate::build) const PROBES: &str = "probes";
    pub(in crate::build) const MEDIA_UDP: &str = "media-udp";
    pub(in crate::build) const MEDIA_TCP: &str = "media-tcp";
    pub(in crate::build) const SIGNALING_HTTP: i32 = 8080;
    pub(in crate::build) const SIGNALING_PROBES: i32 = 8090;
}

/// The user of the images.
const USER: i64 = 65532;

/// What a component brings to its pods.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) of: Of,
    pub(super) service_account: String,
    pub(super) container: Container,
    pub(super) volumes: Vec<Volume>,
    pub(super) grace_seconds: i64,
}

/// The pods of a Deployment.
pub(super) fn template(server: &ValidServer, parts: Parts) -> PodTemplateSpec {
    let Parts {
        of,
        service_account,
        container,
        volumes,
        grace_seconds,
    } = parts;
    let template = &server.template;
    let mut annotations = template.annotations.clone();
    annotations.insert(SERVER_ID_ANNOTATION.to_owned(), server.id.to_string());
    let pull_secrets = template.image_pull_secrets.iter();
    let pull_secrets = pull_secrets.map(|secret| LocalObjectReference {
        name: secret.name.clone(),
    });
    let spread = template.topology_spread_constraints.iter();
    let spread = spread.map(|constraint| TopologySpreadConstraint {
        label_selector: constraint
            .label_selector
            .clone()
            .or_else(|| Some(selector(server, of))),
        ..constraint.clone()
    });
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(pod_labels(server, of)),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(service_account),
            automount_service_account_token: Some(false),
            // A Service named like ours would set GRYT_… variables in every pod beside it.
            enable_service_links: Some(false),
            // Not as process 1: that one never gets a SIGTERM that comes before it listens, and a pod
            // that is deleted while it starts would stay for its whole grace.
            share_process_namespace: Some(true),
            security_context: Some(pod_security()),
            termination_grace_period_seconds: Some(grace_seconds),
            containers: vec![container],
            volumes: some(volumes),
            image_pull_secrets: some(pull_secrets.collect()),
            node_selector: (!template.node_selector.is_empty())
                .then(|| template.node_selector.clone()),
            tolerations: some(template.tolerations.clone()),
            topology_spread_constraints: some(spread.collect()),
            ..PodSpec::default()
        }),
    }
}

/// An absent list and an empty one are the same to Kubernetes, but not to a comparison.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

pub(super) fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // A large folder of uploads isn't walked at every start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..PodSecurityContext::default()
    }
}

pub(super) fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        ..SecurityContext::default()
    }
}

/// Startup, readiness and liveness, by the process's own word: none of them asks a neighbour.
#[derive(Debug)]
pub(super) struct Probes {
    pub(super) startup: Probe,
    pub(super) readiness: Probe,
    pub(super) liveness: Probe,
}

pub(super) fn probes() -> Probes {
    let every = |path: &str, seconds, failures| Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port::PROBES.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(seconds),
        failure_threshold: Some(failures),
        timeout_seconds: Some(3),
        ..Probe::default()
    };
    Probes {
        // Five minutes, for a migration of a large database.
        startup: every("/healthz", 1, 300),
        readiness: every("/readyz", 2, 3),
        liveness: every("/healthz", 10, 3),
    }
}

/// The defaults, and what the tenant asks for. What the tenant names takes no default on the other
/// side: a request above a limit is refused. No limit on CPU by default: throttling is heard.
pub(super) fn resources(
    defaults: [(&str, &str); 2],
    memory_limit: &str,
    wanted: Option<&Resources>,
) -> ResourceRequirements {
    let quantity = |(name, value): (&str, &str)| (name.to_owned(), Quantity(value.to_owned()));
    let mut requests: BTreeMap<String, Quantity> = defaults.map(quantity).into();
    let mut limits = BTreeMap::from([quantity(("memory", memory_limit))]);
    if let Some(wanted) = wanted {
        for name in wanted.requests.keys().chain(wanted.limits.keys()) {
            requests.remove(name);
            limits.remove(name);
        }
        requests.extend(wanted.requests.clone());
        limits.extend(wanted.limits.clone());
    }
    let some = |list: BTreeMap<_, _>| (!list.is_empty()).then_some(list);
    ResourceRequirements {
        requests: some(requests),
        limits: some(limits),
        claims: None,
    }
}

pub(super) fn variable(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.into()),
        value_from: None,
    }
}

/// Kubernetes replaces `$(NAME)` in values; `$$` stands for a dollar.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A Secret, readable for the pod's group.
pub(super) fn secret_volume(name: &str, secret_name: String) -> Volume {
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret_name),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

pub(super) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}
