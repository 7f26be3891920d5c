//! What surrounds the servers: pods, nodes, Ingress classes and the APIs that others installed.
//! Filled by watches, read by fetch.

mod job;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::networking::v1::IngressClass;
use kube::ResourceExt as _;

use super::live::ServerKey;
use crate::labels::{ADMINISTRATION, COMPONENT_LABEL, SLOT_LABEL};
use crate::observed::{Cluster, Component, JobPodSeen, NodeSeen, PodSeen, PodTrouble};
use crate::version::version;

const DEFAULT_CLASS_ANNOTATION: &str = "ingressclass.kubernetes.io/is-default-class";

#[derive(Debug)]
struct PodEntry {
    uid: String,
    epoch: u64,
    seen: AnyPod,
}

#[derive(Debug, PartialEq)]
enum AnyPod {
    OfServer(PodSeen),
    OfJob(JobPodSeen),
}

impl AnyPod {
    fn node(&self) -> Option<&str> {
        match self {
            Self::OfServer(seen) => seen.node.as_deref(),
            Self::OfJob(_) => None,
        }
    }
}

/// What surrounds one server.
#[derive(Debug, Default)]
pub(crate) struct Around {
    /// Its pods.
    pub(crate) pods: Vec<PodSeen>,
    /// The pods of its Jobs.
    pub(crate) job_pods: Vec<JobPodSeen>,
    /// The nodes on which its SFUs run.
    pub(crate) nodes: BTreeMap<String, NodeSeen>,
}

#[derive(Debug, Default)]
struct Inner {
    pods: HashMap<ServerKey, BTreeMap<String, PodEntry>>,
    pods_epoch: u64,
    nodes: BTreeMap<String, NodeSeen>,
    /// What the listing of nodes that goes on has named so far.
    listed_nodes: Option<BTreeSet<String>>,
    /// Name and whether it is the default.
    ingress_classes: BTreeMap<String, bool>,
    /// The same as for nodes.
    listed_ingress_classes: Option<BTreeSet<String>>,
    gateway_api: bool,
    cert_manager: bool,
}

/// All of it. Bounded by what the cluster holds.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    inner: RwLock<Inner>,
}

/// An API that comes with a CRD of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignApi {
    GatewayApi,
    CertManager,
}

impl Surroundings {
    fn write<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn read<T>(&self, look: impl FnOnce(&Inner) -> T) -> T {
        look(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a pod. Returns whether something that counts has changed.
    pub(crate) fn put_pod(&self, key: ServerKey, pod: &Pod) -> bool {
        let (name, uid, seen) = (pod.name_any(), pod.uid().unwrap_or_default(), read_pod(pod));
        self.write(|inner| {
            let epoch = inner.pods_epoch;
            let pods = inner.pods.entry(key).or_default();
            let same = pods.get(&name).is_some_and(|entry| entry.seen == seen);
            pods.insert(name, PodEntry { uid, epoch, seen });
            !same
        })
    }

    pub(crate) fn remove_pod(&self, key: &ServerKey, pod: &Pod) {
        self.write(|inner| {
            let Some(pods) = inner.pods.get_mut(key) else {
                return;
            };
            let name = pod.name_any();
            if pods.get(&name).map(|entry| &entry.uid) == pod.metadata.uid.as_ref() {
                pods.remove(&name);
            }
            if pods.is_empty() {
                inner.pods.remove(key);
            }
        });
    }

    pub(crate) fn begin_pods(&self) {
        self.write(|inner| inner.pods_epoch += 1);
    }

    /// Forgets pods that the listing did not name. Returns whose they were.
    pub(crate) fn end_pods(&self) -> HashSet<ServerKey> {
        self.write(|inner| {
            let epoch = inner.pods_epoch;
            let mut lost = HashSet::new();
            inner.pods.retain(|key, pods| {
                let before = pods.len();
                pods.retain(|_, entry| entry.epoch >= epoch);
                if pods.len() < before {
                    lost.insert(key.clone());
                }
                !pods.is_empty()
            });
            lost
        })
    }

    /// Takes a node, or its end. Returns whose SFUs run there, if its addresses have changed.
    pub(crate) fn put_node(&self, name: String, node: Option<&Node>) -> Vec<ServerKey> {
        let seen = node.map(read_node);
        self.write(|inner| {
            inner
                .listed_nodes
                .as_mut()
                .map(|listed| listed.insert(name.clone()));
            if inner.nodes.get(&name) == seen.as_ref() {
                return Vec::new();
            }
            let on_it = |pod: &PodEntry| pod.seen.node() == Some(name.as_str());
            let servers = inner.pods.iter();
            let servers = servers
                .filter(|(_, pods)| pods.values().any(on_it))
                .map(|(key, _)| key.clone())
                .collect();
            match seen {
                Some(seen) => inner.nodes.insert(name, seen),
                None => inner.nodes.remove(&name),
            };
            servers
        })
    }

    /// Takes an IngressClass, or its end. Returns whether that changes anything.
    pub(crate) fn put_ingress_class(&self, name: String, class: Option<&IngressClass>) -> bool {
        let default = class.map(|class| {
            let annotation = class.annotations().get(DEFAULT_CLASS_ANNOTATION);
            annotation.map(String::as_str) == Some("true")
        });
        self.write(|inner| {
            inner
                .listed_ingress_classes
                .as_mut()
                .map(|listed| listed.insert(name.clone()));
            match default {
                Some(default) => inner.ingress_classes.insert(name, default) != Some(default),
                None => inner.ingress_classes.remove(&name).is_some(),
            }
        })
    }

    /// A new listing of nodes begins; what it does not name is gone.
    pub(crate) fn begin_nodes(&self) {
        self.write(|inner| inner.listed_nodes = Some(BTreeSet::new()));
    }

    /// Forgets nodes that went while nobody watched. Nobody is concerned: their pods went too.
    pub(crate) fn end_nodes(&self) {
        self.write(|inner| {
            if let Some(listed) = inner.listed_nodes.take() {
                inner.nodes.retain(|name, _| listed.contains(name));
            }
        });
    }

    /// A new listing of IngressClasses begins; what it does not name is gone.
    pub(crate) fn begin_ingress_classes(&self) {
        self.write(|inner| inner.listed_ingress_classes = Some(BTreeSet::new()));
    }

    /// Forgets IngressClasses that went while nobody watched. Returns whether there are any.
    pub(crate) fn end_ingress_classes(&self) -> bool {
        self.write(|inner| {
            let Some(listed) = inner.listed_ingress_classes.take() else {
                return false;
            };
            let before = inner.ingress_classes.len();
            inner
                .ingress_classes
                .retain(|name, _| listed.contains(name));
            inner.ingress_classes.len() < before
        })
    }

    /// Notes whether an API is served. Returns whether that is news.
    pub(crate) fn set_served(&self, api: ForeignApi, served: bool) -> bool {
        self.write(|inner| {
            let known = match api {
                ForeignApi::GatewayApi => &mut inner.gateway_api,
                ForeignApi::CertManager => &mut inner.cert_manager,
            };
            std::mem::replace(known, served) != served
        })
    }

    pub(crate) fn cluster(&self) -> Cluster {
        self.read(|inner| {
            let mut defaults = inner
                .ingress_classes
                .iter()
                .filter(|(_, default)| **default);
            Cluster {
                gateway_api: inner.gateway_api,
                cert_manager: inner.cert_manager,
                ingress_classes: inner.ingress_classes.keys().cloned().collect(),
                default_ingress_class: defaults.next().map(|(name, _)| name.clone()),
            }
        })
    }

    /// The pods of one server and the nodes on which its SFUs run.
    pub(crate) fn of(&self, key: &ServerKey) -> Around {
        self.read(|inner| {
            let mut around = Around::default();
            for entry in inner.pods.get(key).into_iter().flat_map(BTreeMap::values) {
                match &entry.seen {
                    AnyPod::OfServer(seen) => around.pods.push(seen.clone()),
                    AnyPod::OfJob(seen) => around.job_pods.push(seen.clone()),
                }
            }
            let sfus = around.pods.iter();
            around.nodes = sfus
                .filter(|pod| pod.component == Component::Sfu)
                .filter_map(|pod| pod.node.as_ref())
                .filter_map(|name| Some((name.clone(), inner.nodes.get(name)?.clone())))
                .collect();
            around
        })
    }
}

fn read_pod(pod: &Pod) -> AnyPod {
    let component = pod.labels().get(COMPONENT_LABEL);
    if component.is_some_and(|component| component == ADMINISTRATION) {
        AnyPod::OfJob(job::read(pod))
    } else {
        AnyPod::OfServer(read_server_pod(pod))
    }
}

fn read_server_pod(pod: &Pod) -> PodSeen {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let label = |name| pod.labels().get(name).map(String::as_str);
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    PodSeen {
        name: pod.name_any(),
        component: match label(COMPONENT_LABEL) {
            Some("sfu") => Component::Sfu,
            Some(_) | None => Component::Signaling,
        },
        slot: label(SLOT_LABEL).and_then(|slot| slot.parse().ok()),
        node: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        host_ip: status
            .and_then(|status| status.host_ip.as_deref())
            .and_then(|address| address.parse().ok()),
        ready,
        terminating: pod.metadata.deletion_timestamp.is_some(),
        ended: status
            .and_then(|status| status.phase.as_deref())
            .is_some_and(|phase| matches!(phase, "Succeeded" | "Failed")),
        version: container
            .and_then(|container| container.image.as_deref())
            .map(version),
        trouble: pod_trouble(pod),
    }
}

fn pod_trouble(pod: &Pod) -> Option<PodTrouble> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter();
    let containers = containers.chain(&status.container_statuses).flatten();
    let waiting = containers
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref())
        .filter_map(|waiting| Some((waiting.reason.clone()?, waiting.message.clone())))
        .find(|(reason, _)| reason != "ContainerCreating" && reason != "PodInitializing");
    let unscheduled = || {
        let conditions = status.conditions.iter().flatten();
        let scheduled = conditions
            .filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
        scheduled
            .filter_map(|condition| Some((condition.reason.clone()?, condition.message.clone())))
            .next()
    };
    let (reason, message) = waiting.or_else(unscheduled)?;
    Some(PodTrouble {
        reason,
        message: message.unwrap_or_default(),
    })
}

fn read_node(node: &Node) -> NodeSeen {
    let addresses = node.status.iter().flat_map(|status| &status.addresses);
    let addresses: Vec<_> = addresses.flatten().collect();
    let first = |type_: &str| -> Option<IpAddr> {
        let mut of_type = addresses.iter().filter(|address| address.type_ == type_);
        of_type.find_map(|address| address.address.parse().ok())
    };
    NodeSeen {
        internal: first("InternalIP"),
        external: first("ExternalIP"),
    }
}

#[cfg(test)]
mod tests {
    use kube::api::ObjectMeta;

    use super::*;

    fn named(name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        }
    }

    fn list_classes(around: &Surroundings, names: &[&str]) -> bool {
        around.begin_ingress_classes();
        for name in names {
            let class = IngressClass {
                metadata: named(name),
                ..IngressClass::default()
            };
            around.put_ingress_class((*name).to_owned(), Some(&class));
        }
        around.end_ingress_classes()
    }

    #[test]
    fn an_ingress_class_that_went_while_nobody_watched_is_gone() {
        let around = Surroundings::default();
        assert!(!list_classes(&around, &["nginx", "traefik"]));
        assert!(!list_classes(&around, &["nginx", "traefik"]));
        assert!(list_classes(&around, &["traefik"]));
        let left = around.cluster().ingress_classes;
        assert_eq!(left, BTreeSet::from(["traefik".to_owned()]));
    }

    #[test]
    fn a_node_that_went_while_nobody_watched_is_gone() {
        let around = Surroundings::default();
        let nodes = |names: &[&str]| {
            around.begin_nodes();
            for name in names {
                let node = Node {
                    metadata: named(name),
                    ..Node::default()
                };
                around.put_node((*name).to_owned(), Some(&node));
            }
            around.end_nodes();
            around.read(|inner| inner.nodes.keys().cloned().collect::<Vec<_>>())
        };
        assert_eq!(nodes(&["a", "b"]), ["a", "b"]);
        assert_eq!(nodes(&["b"]), ["b"]);
    }

    #[test]
    fn a_pods_version_is_that_of_its_first_container() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "chat-signaling-x"},
            "spec": {"containers": [
                {"name": "signaling", "image": "r:5000/gryt-signaling:0.4.1"},
                {"name": "injected", "image": "r/mesh:9"},
            ]},
        }))
        .unwrap();
        assert_eq!(read_server_pod(&pod).version.as_deref(), Some("0.4.1"));
        assert_eq!(read_server_pod(&Pod::default()).version, None);
    }
}
