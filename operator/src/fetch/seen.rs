//! Reads what decisions need out of live objects. What is missing or strange reads as absent: the
//! cluster is not ours alone.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Map, Value};

use super::object::Object;
use crate::crd::SERVER_ID_ANNOTATION;
use crate::objects::Child;
use crate::observed::{
    DeploymentSeen, IngressSeen, JobSeen, RouteSeen, SecretContents, ServiceSeen, VolumeSeen,
};

/// What counts of one live object, beside that it is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// Only that it is there.
    Nothing,
    Deployment(DeploymentSeen),
    Service(ServiceSeen),
    Volume(VolumeSeen),
    Route(RouteSeen),
    Ingress(IngressSeen),
    Secret(SecretContents),
    Job(JobSeen),
}

/// Reads an object of `kind`.
pub(crate) fn read(kind: Child, object: &Object) -> Seen {
    match kind {
        Child::Deployment => Seen::Deployment(deployment(object)),
        Child::Service => Seen::Service(service(object)),
        Child::PersistentVolumeClaim => Seen::Volume(volume(object)),
        Child::HttpRoute => Seen::Route(route(object)),
        Child::Ingress => Seen::Ingress(IngressSeen {
            class_name: text(&object.field("spec")["ingressClassName"]),
        }),
        Child::Secret => Seen::Secret(secret(object)),
        Child::Job => Seen::Job(job(object)),
        Child::ServiceAccount
        | Child::ConfigMap
        | Child::NetworkPolicy
        | Child::PodDisruptionBudget
        | Child::Certificate => Seen::Nothing,
    }
}

fn job(object: &Object) -> JobSeen {
    let status = object.field("status");
    let is_true = |type_: &str| {
        items(&status["conditions"])
            .any(|condition| condition["type"] == type_ && condition["status"] == "True")
    };
    JobSeen {
        complete: is_true("Complete"),
        failed: is_true("Failed"),
    }
}

fn deployment(object: &Object) -> DeploymentSeen {
    let (spec, seen) = (object.field("spec"), object.field("status"));
    let status = |field: &str| number(&seen[field]).unwrap_or(0);
    DeploymentSeen {
        generation: object.meta().generation.unwrap_or(0),
        observed_generation: seen["observedGeneration"].as_i64().unwrap_or(0),
        wanted: number(&spec["replicas"]).unwrap_or(1),
        replicas: status("replicas"),
        updated: status("updatedReplicas"),
        ready: status("readyReplicas"),
        available: status("availableReplicas"),
        trouble: condition(&seen, "ReplicaFailure", "True")
            .or_else(|| condition(&seen, "Progressing", "False")),
        image: text(&spec["template"]["spec"]["containers"][0]["image"]),
    }
}

fn service(object: &Object) -> ServiceSeen {
    let (spec, status) = (object.field("spec"), object.field("status"));
    let ports = items(&spec["ports"]).filter_map(|port| {
        let name = text(&port["name"]).unwrap_or_default();
        Some((name, number(&port["nodePort"])?))
    });
    let ingress = || items(&status["loadBalancer"]["ingress"]);
    ServiceSeen {
        type_: text(&spec["type"]).unwrap_or_default(),
        node_ports: ports.collect(),
        addresses: ingress()
            .filter_map(|ingress| ingress["ip"].as_str()?.parse().ok())
            .collect(),
        hostnames: ingress()
            .filter_map(|ingress| text(&ingress["hostname"]))
            .collect(),
    }
}

fn volume(object: &Object) -> VolumeSeen {
    let (spec, status) = (object.field("spec"), object.field("status"));
    let owner = object.owner_references().iter();
    let owner = owner
        .filter(|owner| owner.kind == "GrytServer")
        .map(|owner| owner.uid.clone());
    VolumeSeen {
        phase: text(&status["phase"]).unwrap_or_default(),
        requested: text(&spec["resources"]["requests"]["storage"]),
        capacity: text(&status["capacity"]["storage"]),
        storage_class_name: text(&spec["storageClassName"]),
        volume_name: text(&spec["volumeName"]).filter(|name| !name.is_empty()),
        owner_uid: owner.into_iter().next(),
        server_id: object.annotations().get(SERVER_ID_ANNOTATION).cloned(),
        trouble: ["ControllerResizeError", "NodeResizeError"]
            .into_iter()
            .find_map(|type_| condition(&status, type_, "True")),
    }
}

fn route(object: &Object) -> RouteSeen {
    let status = object.field("status");
    let parents = items(&status["parents"]);
    let accepted = parents
        .flat_map(|parent| items(&parent["conditions"]))
        .filter(|condition| condition["type"] == "Accepted");
    let mut seen = RouteSeen::default();
    for condition in accepted {
        let accepted = condition["status"] == "True";
        // Several controllers may answer: one that accepts is enough.
        if seen.accepted != Some(true) {
            seen.accepted = Some(accepted);
            seen.reason = text(&condition["reason"]).unwrap_or_default();
            seen.message = text(&condition["message"]).unwrap_or_default();
        }
    }
    seen
}

pub(crate) fn secret(object: &Object) -> SecretContents {
    let data = match object.field("data") {
        Value::Object(data) => data,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    };
    let data = data.into_iter().filter_map(|(key, value)| {
        let value: ByteString = serde_json::from_value(value).ok()?;
        Some((key, value))
    });
    SecretContents {
        data: data.collect(),
        resource_version: object.resource_version().unwrap_or_default(),
        owner_uid: object
            .owner_references()
            .first()
            .map(|owner| owner.uid.clone()),
        annotations: object
            .annotations()
            .clone()
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    }
}

/// The message of a condition, if it has this status.
fn condition(seen: &Value, type_: &str, status: &str) -> Option<String> {
    let found = items(&seen["conditions"])
        .find(|condition| condition["type"] == type_ && condition["status"] == status)?;
    text(&found["message"])
        .filter(|message| !message.is_empty())
        .or_else(|| text(&found["reason"]))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn number(value: &Value) -> Option<i32> {
    value.as_i64().and_then(|number| number.try_into().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(object: Value) -> Object {
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_gateways_refusal_is_read_with_its_reason() {
        let refused = json!([{"type": "Accepted", "status": "False",
            "reason": "NoMatchingListenerHostname", "message": ""}]);
        let seen = route(&object(json!({
            "metadata": {"name": "chat-web"},
            "status": {"parents": [{"conditions": refused}]},
        })));
        assert_eq!(seen.accepted, Some(false));
        assert_eq!(seen.reason, "NoMatchingListenerHostname");
        assert_eq!(seen.message, "");
    }

    #[test]
    fn a_claim_was_never_bound_while_it_names_no_volume() {
        let claim = |phase: &str, volume: Value| {
            volume_of(
                &json!({"storageClassName": "fast", "volumeName": volume}),
                phase,
            )
        };
        assert!(claim("Pending", Value::Null).was_never_bound());
        assert!(claim("Pending", "".into()).was_never_bound());
        assert!(!claim("Pending", "pv-1".into()).was_never_bound());
        assert!(!claim("Bound", "pv-1".into()).was_never_bound());
        assert!(!claim("Lost", Value::Null).was_never_bound());
    }

    fn volume_of(spec: &Value, phase: &str) -> VolumeSeen {
        volume(&object(json!({
            "metadata": {"name": "chat-data"},
            "spec": spec,
            "status": {"phase": phase},
        })))
    }
}
