//! Names, labels and the owner of every child.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource as _;

use crate::crd::GrytServer;
use crate::labels::{COMPONENT_LABEL, INSTANCE_LABEL, MANAGED_BY_LABEL, MANAGER, SLOT_LABEL};
use crate::names::ServerName;
use crate::observed::Component;
use crate::valid::ValidServer;

pub(super) type Labels = BTreeMap<String, String>;

/// Whose object it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    /// The server's as a whole.
    Server,
    /// One component's.
    Component(Component),
    /// One SFU's.
    Slot(i32),
}

/// The labels that select the pods of `of`. They never change while the server lives.
pub(super) fn selector_labels(server: &ValidServer, of: Of) -> Labels {
    let mut labels = Labels::from([
        label("app.kubernetes.io/name", "gryt"),
        label(INSTANCE_LABEL, server.name.as_str()),
    ]);
    let component = match of {
        Of::Server => return labels,
        Of::Component(component) => component,
        Of::Slot(number) => {
            labels.insert(SLOT_LABEL.to_owned(), number.to_string());
            Component::Sfu
        }
    };
    labels.extend([label(COMPONENT_LABEL, component.as_str())]);
    labels
}

pub(super) fn selector(server: &ValidServer, of: Of) -> LabelSelector {
    LabelSelector {
        match_labels: Some(selector_labels(server, of)),
        match_expressions: None,
    }
}

/// The labels of everything of a server, and of what is its as a whole no other.
pub(super) fn common_labels(server: &ServerName) -> Labels {
    Labels::from([
        label("app.kubernetes.io/name", "gryt"),
        label(INSTANCE_LABEL, server.as_str()),
        label("app.kubernetes.io/part-of", "gryt"),
        label(MANAGED_BY_LABEL, MANAGER),
    ])
}

/// The labels of the pods of `of`. No version: an SFU would be restarted for signaling's.
pub(super) fn pod_labels(server: &ValidServer, of: Of) -> Labels {
    let mut labels = selector_labels(server, of);
    labels.extend(common_labels(&server.name));
    labels
}

/// The labels of an object of `of`.
pub(super) fn labels(server: &ValidServer, of: Of) -> Labels {
    let mut labels = pod_labels(server, of);
    labels.extend([label("app.kubernetes.io/version", &server.images.version)]);
    labels
}

/// The metadata of a child in the server's namespace.
pub(super) fn child(server: &ValidServer, name: String, of: Of) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(server.namespace.to_string()),
        labels: Some(labels(server, of)),
        owner_references: Some(vec![owner(server)]),
        ..ObjectMeta::default()
    }
}

/// The same with annotations, if there are any.
pub(super) fn annotated(
    server: &ValidServer,
    name: String,
    of: Of,
    annotations: &Labels,
) -> ObjectMeta {
    let mut metadata = child(server, name, of);
    metadata.annotations = (!annotations.is_empty()).then(|| annotations.clone());
    metadata
}

fn owner(server: &ValidServer) -> OwnerReference {
    OwnerReference {
        api_version: GrytServer::api_version(&()).into_owned(),
        kind: GrytServer::kind(&()).into_owned(),
        name: server.name.to_string(),
        uid: server.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn label(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}
