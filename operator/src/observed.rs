//! What fetch saw of the cluster for one server: plain data, read once, never a client. Everything
//! that validate, build and status decide is decided from this.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::crd::{GrytServer, GrytServerClass};
use crate::fetch::ServerKey;

/// The keys of a Secret that holds a certificate.
pub(crate) const TLS_KEYS: [&str; 2] = ["tls.crt", "tls.key"];

/// Everything about one server that a reconcile reads. Built by fetch alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The object itself, with its metadata and its last status.
    pub server: Arc<GrytServer>,
    /// Every class of the cluster, in any order. Empty if there is none.
    pub classes: Vec<Arc<GrytServerClass>>,
    /// What other GrytServers claim: from `claims::of_others`.
    pub claims: Claims,
    /// The APIs and classes that the cluster offers.
    pub cluster: Cluster,
    /// Secrets that the server's spec or its class names, or that build must copy.
    pub named_secrets: NamedSecrets,
    /// Secrets that the operator made for this server, contents included.
    pub own_secrets: OwnSecrets,
    /// The live state of the server's children.
    pub children: Children,
    /// The addresses of the nodes that run the server's SFU pods, by node name. Nodes that run
    /// none may be left out.
    pub nodes: BTreeMap<String, NodeSeen>,
}

/// What other GrytServers, deleted ones included until they are gone, hold already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// Servers whose claim to this one's host name or server id goes before its own.
    pub rivals: Vec<Rival>,
    /// Node ports that other servers of classes with HostPort or HostNetwork hold, from their
    /// `status.media`. May be empty where this server's media exposure is neither.
    pub host_ports: Vec<HostPortClaim>,
}

/// Another server that has the host name or the server id. At least one of the two is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// Which one.
    pub server: ServerKey,
    /// It has the host name.
    pub hostname: bool,
    /// It has the server id.
    pub server_id: bool,
}

/// A port of the nodes that another server's SFU holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPortClaim {
    /// The UID of the server that holds it.
    pub uid: String,
    /// The creation time of that server.
    pub created: Option<Time>,
    /// The media port as in its `status.media`.
    pub port: i32,
    /// How many ports it holds from there on.
    pub count: i32,
}

impl HostPortClaim {
    /// Whether it has one of the `count` ports from `port` on.
    pub(crate) fn overlaps(&self, port: i32, count: i32) -> bool {
        self.port < port + count && port < self.port + self.count
    }
}

/// What the cluster offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// `gateway.networking.k8s.io/v1` with `HTTPRoute` is served.
    pub gateway_api: bool,
    /// `cert-manager.io/v1` with `Certificate` is served.
    pub cert_manager: bool,
    /// The names of all IngressClasses.
    pub ingress_classes: BTreeSet<String>,
    /// The IngressClass that is marked as the cluster's default.
    pub default_ingress_class: Option<String>,
}

/// Secrets that others made and that this server needs. A name that is missing here was looked
/// for and not found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NamedSecrets {
    /// In the server's namespace, by name: `spec.tls.secretName`, `spec.template.imagePullSecrets`
    /// and the Secret of a certificate that cert-manager issues (`<server>-web-tls`). Of their keys
    /// only those of a certificate are told.
    pub tenant: BTreeMap<String, SecretSeen>,
    /// In the operator's namespace, by name: the `tls.secretName` and `turn[].secretRef.name` of
    /// every class that could serve this server (reading all classes' is right too).
    pub platform: BTreeMap<String, SecretSeen>,
    /// The certificate and key of the class's `tls.secretName`, which build copies to
    /// `<server>-web-tls`. By name in the operator's namespace; empty where no class names one.
    pub platform_tls: BTreeMap<String, SecretContents>,
    /// What a class's back ends need of Secrets in the operator's namespace and build copies to
    /// `<server>-backends`: authorities and the sentinels' sign-in.
    pub platform_files: BTreeMap<String, SecretContents>,
}

/// A Secret by its outside only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretSeen {
    /// Its `metadata.resourceVersion`.
    pub resource_version: String,
    /// The keys of its `data` whose values are not empty, as far as they were asked for.
    pub keys: BTreeSet<String>,
}

/// The contents of a Secret. `Debug` shows the keys only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretContents {
    /// Its `data`.
    pub data: BTreeMap<String, ByteString>,
    /// Its `metadata.resourceVersion`.
    pub resource_version: String,
    /// The UID of the object that its first owner reference names.
    pub owner_uid: Option<String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl fmt::Debug for SecretContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretContents")
            .field("keys", &self.data.keys())
            .field("resource_version", &self.resource_version)
            .field("owner_uid", &self.owner_uid)
            .finish_non_exhaustive()
    }
}

/// Secrets that the operator made; `None` where one doesn't exist (yet).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnSecrets {
    /// `ca-<serverId>` in the operator's namespace.
    pub authority: Option<SecretContents>,
    /// `<server>-signaling-tls`.
    pub signaling_tls: Option<SecretContents>,
    /// `<server>-sfu-tls`.
    pub sfu_tls: Option<SecretContents>,
    /// `<server>-web-tls`.
    pub web_tls: Option<SecretContents>,
    /// `<server>-owner`.
    pub owner: Option<SecretContents>,
    /// `backends-<serverId>` in the operator's namespace, whoever it is of.
    pub backends: Option<Record>,
}

/// What is kept of a server's back ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Passwords, and annotations as in `record`.
    pub contents: SecretContents,
    /// The GrytServer that it names.
    pub holder: ServerKey,
}

/// The live state of the children. status takes it too, then as it was after apply.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Children {
    /// The Deployment `<server>-signaling`.
    pub signaling: Option<DeploymentSeen>,
    /// The SFU Deployments, by slot.
    pub sfus: BTreeMap<i32, DeploymentSeen>,
    /// The Service `<server>-signaling`.
    pub web_service: Option<ServiceSeen>,
    /// The media Services, by slot.
    pub media_services: BTreeMap<i32, ServiceSeen>,
    /// The PersistentVolumeClaim `<server>-data`.
    pub volume: Option<VolumeSeen>,
    /// The pods of this server, terminating ones included.
    pub pods: Vec<PodSeen>,
    /// The HTTPRoute, where the web exposure is Gateway.
    pub route: Option<RouteSeen>,
    /// The Ingress, where the web exposure is Ingress.
    pub ingress: Option<IngressSeen>,
    /// The Jobs in the operator's namespace, by name.
    pub jobs: BTreeMap<String, JobSeen>,
    /// The pods of the Jobs.
    pub job_pods: Vec<JobPodSeen>,
}

/// A Job's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobSeen {
    /// It has done its work.
    pub complete: bool,
    /// It has given up.
    pub failed: bool,
}

/// One pod of a Job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobPodSeen {
    /// The name of its Job.
    pub job: String,
    /// How a container of it ended without success last.
    pub failure: Option<JobFailure>,
    /// Why it doesn't run.
    pub trouble: Option<PodTrouble>,
}

/// A container that ended without success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFailure {
    /// Its name.
    pub container: String,
    /// The last line that it said; may be empty.
    pub said: String,
}

/// An Ingress's spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngressSeen {
    /// `spec.ingressClassName`: what we asked for, else what the cluster filled in.
    pub class_name: Option<String>,
}

/// A Deployment's status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentSeen {
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`; 0 before the first.
    pub observed_generation: i64,
    /// `spec.replicas`; 1 where left out.
    pub wanted: i32,
    /// `status.replicas`: pods that exist, old ones included; 0 where left out, as below.
    pub replicas: i32,
    /// `status.updatedReplicas`.
    pub updated: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.availableReplicas`.
    pub available: i32,
    /// The message of the condition Progressing=False (ProgressDeadlineExceeded) or
    /// ReplicaFailure=True (quota, admission), if there is one.
    pub trouble: Option<String>,
    /// The image of its first container.
    pub image: Option<String>,
}

/// A Service's assigned addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceSeen {
    /// `spec.type`.
    pub type_: String,
    /// `spec.ports[].nodePort` by port name, without those that have none.
    pub node_ports: BTreeMap<String, i32>,
    /// `status.loadBalancer.ingress[].ip`, in the object's order.
    pub addresses: Vec<IpAddr>,
    /// `status.loadBalancer.ingress[].hostname`, in the object's order.
    pub hostnames: Vec<String>,
}

/// A PersistentVolumeClaim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeSeen {
    /// `status.phase`: Pending, Bound or Lost.
    pub phase: String,
    /// `spec.resources.requests.storage`.
    pub requested: Option<String>,
    /// `status.capacity.storage`.
    pub capacity: Option<String>,
    /// `spec.storageClassName`.
    pub storage_class_name: Option<String>,
    /// `spec.volumeName`: the PersistentVolume that it is bound to, or is to be.
    pub volume_name: Option<String>,
    /// The UID of the GrytServer that an owner reference names.
    pub owner_uid: Option<String>,
    /// The annotation `gryt.chat/server-id`.
    pub server_id: Option<String>,
    /// The message of a condition that speaks of trouble (a failed expansion), if there is one.
    pub trouble: Option<String>,
}

/// One pod of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name.
    pub name: String,
    /// Whose pod it is.
    pub component: Component,
    /// The slot of an SFU pod.
    pub slot: Option<i32>,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `status.hostIP`.
    pub host_ip: Option<IpAddr>,
    /// The condition Ready is True.
    pub ready: bool,
    /// It has a `deletionTimestamp`.
    pub terminating: bool,
    /// Its containers have ended for good (phase Succeeded or Failed): it carries no call.
    pub ended: bool,
    /// The version of the image of its first container.
    pub version: Option<String>,
    /// Why it doesn't run: a container's waiting reason and message (ImagePullBackOff,
    /// CrashLoopBackOff, CreateContainerConfigError) or the PodScheduled condition's.
    pub trouble: Option<PodTrouble>,
}

impl VolumeSeen {
    /// No volume was ever bound to it, so that it holds nothing.
    pub(crate) fn was_never_bound(&self) -> bool {
        self.phase == "Pending" && self.volume_name.is_none()
    }
}

impl PodSeen {
    /// Whether calls may go on in it.
    pub(crate) fn may_have_calls(&self) -> bool {
        self.component == Component::Sfu && !self.ended
    }
}

/// Why a pod doesn't run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodTrouble {
    /// The reason as the kubelet or the scheduler names it.
    pub reason: String,
    /// Their message; may be empty.
    pub message: String,
}

/// The two components.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// gryt-signaling.
    #[default]
    Signaling,
    /// gryt-sfu.
    Sfu,
}

impl Component {
    /// The value of the label `app.kubernetes.io/component`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signaling => "signaling",
            Self::Sfu => "sfu",
        }
    }
}

/// An HTTPRoute's status at its Gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteSeen {
    /// The condition Accepted, `None` before a controller wrote it.
    pub accepted: Option<bool>,
    /// That condition's reason.
    pub reason: String,
    /// That condition's message; may be empty.
    pub message: String,
}

impl RouteSeen {
    /// Refused for a reason of the Gateway API that waiting doesn't mend.
    #[must_use]
    pub fn misfits(&self) -> bool {
        let lasting = [
            "NoMatchingListenerHostname",
            "NotAllowedByListeners",
            "NoMatchingParent",
            "UnsupportedValue",
        ];
        self.accepted == Some(false) && lasting.contains(&self.reason.as_str())
    }
}

/// A node's addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSeen {
    /// The first `status.addresses` of the type InternalIP.
    pub internal: Option<IpAddr>,
    /// The first `status.addresses` of the type ExternalIP.
    pub external: Option<IpAddr>,
}
