//! `ValidServer`: the only input of build. Whoever holds one knows that the spec makes sense,
//! that its class serves it and that everything it names exists.

mod backends;
mod leaving;

use std::collections::BTreeMap;
use std::net::IpAddr;

use gryt_model::ServerId;

use crate::class::ResolvedClass;
use crate::crd::{MediaType, PodTemplate, PullPolicy, WebType};
use crate::names::{Hostname, Namespace, ServerName};

pub use backends::{
    Administrator, Progress, SecretFile, SentinelSignIn, ValidBackends, ValidCql, ValidIssuer,
    ValidRedis,
};
pub use leaving::Leaving;

/// A server that may be built.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidServer {
    /// `metadata.name`.
    pub name: ServerName,
    /// `metadata.namespace`.
    pub namespace: Namespace,
    /// `metadata.uid`, for owner references.
    pub uid: String,
    /// `metadata.generation`, for `status.observedGeneration`.
    pub generation: i64,
    /// `spec.serverId`.
    pub id: ServerId,
    /// `spec.hostname`; no other server holds it.
    pub hostname: Hostname,
    /// `spec.displayName`, else the first label of the host name.
    pub display_name: String,
    /// The class that serves it.
    pub class: ResolvedClass,
    /// True: every Deployment has 0 replicas, all else stays.
    pub suspended: bool,
    /// Replicas of the signaling Deployment while not suspended. 1 as long as data is on a volume.
    pub signaling_replicas: i32,
    /// What lives outside of the pods, and how far that was prepared.
    pub backends: ValidBackends,
    /// The volume, if the back ends leave something for one.
    pub storage: ValidStorage,
    /// The SFU slots, by number, each once: those that are asked for, at least one, and those
    /// that are leaving.
    pub slots: Vec<Slot>,
    /// The images to run.
    pub images: ValidImages,
    /// How browsers reach web page and signaling.
    pub web: Web,
    /// Where the certificate comes from.
    pub tls: Tls,
    /// The one canonical origin, `https://host[:port]` without a closing slash. `None` while it
    /// depends on a nodePort that isn't assigned: then build makes the signaling Service but not
    /// the signaling Deployment.
    pub origin: Option<String>,
    /// The tenant's additions to the pods.
    pub template: PodTemplate,
}

/// The volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidStorage {
    /// `spec.storage.size`, a valid quantity, not below what the claim already asks for.
    pub size: String,
    /// `spec.storage.storageClassName`.
    pub storage_class_name: Option<String>,
}

/// One SFU slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The slot's number, from 0: `<server>-sfu-<number>`.
    pub number: i32,
    /// No longer asked for: its pods end with their calls. All else of it stays until they have.
    pub leaving: bool,
    /// The image that it keeps until its turn in a rollout has come; `None`: that of `images`.
    pub image: Option<String>,
    /// The ports inside the pod (with HostNetwork: of the node).
    pub ports: SlotPorts,
    /// Where browsers send media.
    pub announced: Announced,
}

/// The ports that an SFU pod listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotPorts {
    /// Media, UDP and TCP.
    pub media: i32,
    /// gRPC with mTLS.
    pub grpc: i32,
    /// Probes and metrics.
    pub probes: i32,
}

impl Default for SlotPorts {
    /// What a pod with its own network listens on.
    fn default() -> Self {
        Self {
            media: 8081,
            grpc: 8082,
            probes: 8083,
        }
    }
}

/// What an SFU writes into its candidates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// The cluster hasn't assigned port or address: build makes the slot's media Service but not
    /// its Deployment (an existing Deployment stays as it is, unless its slot is leaving).
    Pending(Pending),
    /// The pod announces the address of the node that it lands on (`$(HOST_IP)`, or the node map)
    /// with this port.
    NodeAddress {
        /// nodePort, hostPort or the host network's port.
        port: i32,
    },
    /// The pod announces these addresses with this port.
    Fixed {
        /// The load balancer's addresses, at least one.
        addresses: Vec<IpAddr>,
        /// The load balancer's port.
        port: i32,
    },
}

/// What is missing before an SFU can be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// The media Service has no nodePort, or doesn't exist.
    NodePort {
        /// The one that it had when it was last seen: calls go on if it comes back with that.
        before: Option<i32>,
    },
    /// The load balancer has assigned no address.
    LoadBalancer,
    /// The load balancer gave a host name only, which a candidate can't carry.
    LoadBalancerHostname,
}

/// The images to run: whole references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidImages {
    /// Of the signaling.
    pub signaling: String,
    /// Of the SFU.
    pub sfu: String,
    /// For both.
    pub pull_policy: PullPolicy,
    /// The signaling image's tag (or shortened digest): `status.version` and the version label.
    /// A valid label value.
    pub version: String,
}

/// How browsers reach web page and signaling: `Auto` is resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Web {
    /// An HTTPRoute; TLS ends at the Gateway, signaling serves plain HTTP.
    Gateway {
        /// The Gateway's name.
        name: String,
        /// The Gateway's namespace.
        namespace: String,
        /// The listener, if one is named.
        section_name: Option<String>,
        /// For the HTTPRoute.
        annotations: BTreeMap<String, String>,
    },
    /// An Ingress; TLS ends at its controller with the Secret of `Tls::secret_name`, signaling
    /// serves plain HTTP.
    Ingress {
        /// `None`: what the cluster fills in.
        class_name: Option<String>,
        /// For the Ingress.
        annotations: BTreeMap<String, String>,
    },
    /// The signaling Service is of type NodePort; signaling serves HTTPS.
    NodePort {
        /// For the Service.
        annotations: BTreeMap<String, String>,
    },
    /// The signaling Service is of type LoadBalancer with port 443; signaling serves HTTPS.
    LoadBalancer {
        /// For the Service.
        annotations: BTreeMap<String, String>,
    },
}

impl Web {
    /// The type as status shows it.
    #[must_use]
    pub fn type_(&self) -> WebType {
        match self {
            Self::Gateway { .. } => WebType::Gateway,
            Self::Ingress { .. } => WebType::Ingress,
            Self::NodePort { .. } => WebType::NodePort,
            Self::LoadBalancer { .. } => WebType::LoadBalancer,
        }
    }

    /// Whether signaling serves HTTPS itself and mounts the certificate.
    #[must_use]
    pub fn signaling_serves_tls(&self) -> bool {
        match self {
            Self::NodePort { .. } | Self::LoadBalancer { .. } => true,
            Self::Gateway { .. } | Self::Ingress { .. } => false,
        }
    }
}

/// Where the certificate for the host name comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// At the Gateway's listener: nothing to make.
    AtGateway,
    /// A Secret of the tenant, in the server's namespace.
    TenantSecret {
        /// Its name; it exists and has both keys.
        name: String,
    },
    /// The class's Secret, which build copies to `<server>-web-tls`.
    ClassSecret {
        /// Its name in the operator's namespace: a key of `NamedSecrets::platform_tls`.
        name: String,
    },
    /// cert-manager writes `<server>-web-tls`; build makes the Certificate.
    Issuer {
        /// The issuer's name.
        name: String,
        /// `Issuer` or `ClusterIssuer`.
        kind: &'static str,
    },
    /// The operator makes `<server>-web-tls`.
    SelfSigned,
}

impl Tls {
    /// The Secret in the server's namespace that Ingress and signaling name; `None` at a Gateway.
    #[must_use]
    pub fn secret_name(&self, server: &ServerName) -> Option<String> {
        match self {
            Self::AtGateway => None,
            Self::TenantSecret { name } => Some(name.clone()),
            Self::ClassSecret { .. } | Self::Issuer { .. } | Self::SelfSigned => {
                Some(server.web_tls())
            }
        }
    }
}

impl ValidServer {
    /// The slots that are asked for.
    pub fn wanted_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| !slot.leaving)
    }

    /// How media is exposed.
    #[must_use]
    pub fn media_type(&self) -> MediaType {
        self.class.spec.exposure.media.type_
    }
}
