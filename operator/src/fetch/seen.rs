//! Reads what decisions need out of live objects. What is missing or strange reads as absent: the
//! cluster is not ours alone.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::crd::SERVER_ID_ANNOTATION;
use crate::objects::Child;
use crate::observed::{DeploymentSeen, RouteSeen, SecretContents, ServiceSeen, VolumeSeen};

/// What counts of one live object, beside that it is there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    /// Only that it is there.
    Nothing,
    Deployment(DeploymentSeen),
    Service(ServiceSeen),
    Volume(VolumeSeen),
    Route(RouteSeen),
    Secret(SecretContents),
}

/// Reads an object of `kind`.
pub(crate) fn read(kind: Child, object: &DynamicObject) -> Seen {
    match kind {
        Child::Deployment => Seen::Deployment(deployment(object)),
        Child::Service => Seen::Service(service(object)),
        Child::PersistentVolumeClaim => Seen::Volume(volume(object)),
        Child::HttpRoute => Seen::Route(route(object)),
        Child::Secret => Seen::Secret(secret(object)),
        Child::ServiceAccount
        | Child::ConfigMap
        | Child::NetworkPolicy
        | Child::PodDisruptionBudget
        | Child::Certificate
        | Child::Ingress => Seen::Nothing,
    }
}

fn deployment(object: &DynamicObject) -> DeploymentSeen {
    let data = &object.data;
    let status = |field: &str| number(&data["status"][field]).unwrap_or(0);
    DeploymentSeen {
        generation: object.metadata.generation.unwrap_or(0),
        observed_generation: data["status"]["observedGeneration"].as_i64().unwrap_or(0),
        wanted: number(&data["spec"]["replicas"]).unwrap_or(1),
        replicas: status("replicas"),
        updated: status("updatedReplicas"),
        ready: status("readyReplicas"),
        available: status("availableReplicas"),
        trouble: condition(data, "ReplicaFailure", "True")
            .or_else(|| condition(data, "Progressing", "False")),
        image: text(&data["spec"]["template"]["spec"]["containers"][0]["image"]),
    }
}

fn service(object: &DynamicObject) -> ServiceSeen {
    let data = &object.data;
    let ports = items(&data["spec"]["ports"]).filter_map(|port| {
        let name = text(&port["name"]).unwrap_or_default();
        Some((name, number(&port["nodePort"])?))
    });
    let ingress = || items(&data["status"]["loadBalancer"]["ingress"]);
    ServiceSeen {
        type_: text(&data["spec"]["type"]).unwrap_or_default(),
        node_ports: ports.collect(),
        addresses: ingress()
            .filter_map(|ingress| ingress["ip"].as_str()?.parse().ok())
            .collect(),
        hostnames: ingress()
            .filter_map(|ingress| text(&ingress["hostname"]))
            .collect(),
    }
}

fn volume(object: &DynamicObject) -> VolumeSeen {
    let data = &object.data;
    let owner = object.owner_references().iter();
    let owner = owner
        .filter(|owner| owner.kind == "GrytServer")
        .map(|owner| owner.uid.clone());
    VolumeSeen {
        phase: text(&data["status"]["phase"]).unwrap_or_default(),
        requested: text(&data["spec"]["resources"]["requests"]["storage"]),
        capacity: text(&data["status"]["capacity"]["storage"]),
        storage_class_name: text(&data["spec"]["storageClassName"]),
        owner_uid: owner.into_iter().next(),
        server_id: object.annotations().get(SERVER_ID_ANNOTATION).cloned(),
        trouble: ["ControllerResizeError", "NodeResizeError"]
            .into_iter()
            .find_map(|type_| condition(data, type_, "True")),
    }
}

fn route(object: &DynamicObject) -> RouteSeen {
    let parents = items(&object.data["status"]["parents"]);
    let accepted = parents
        .flat_map(|parent| items(&parent["conditions"]))
        .filter(|condition| condition["type"] == "Accepted");
    let mut seen = RouteSeen::default();
    for condition in accepted {
        let accepted = condition["status"] == "True";
        // Several controllers may answer: one that accepts is enough.
        if seen.accepted != Some(true) {
            seen.accepted = Some(accepted);
            seen.message = text(&condition["message"]).unwrap_or_default();
        }
    }
    seen
}

pub(crate) fn secret(object: &DynamicObject) -> SecretContents {
    let data = object.data["data"].as_object().into_iter().flatten();
    let data = data.filter_map(|(key, value)| {
        let value: ByteString = serde_json::from_value(value.clone()).ok()?;
        Some((key.clone(), value))
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
fn condition(data: &Value, type_: &str, status: &str) -> Option<String> {
    let found = items(&data["status"]["conditions"])
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
