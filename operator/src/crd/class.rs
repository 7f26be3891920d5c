//! `GrytServerClass`: what the platform gives. The doc comments are the text of `kubectl explain`.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Backends, LABEL, OBJECT_NAME, TlsSource, is_default};

/// What the platform gives to the servers of this class.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "gryt.chat",
    version = "v1alpha1",
    kind = "GrytServerClass",
    plural = "grytserverclasses",
    shortname = "gsc",
    category = "gryt",
    derive = "Default",
    derive = "PartialEq",
    doc = "The platform's defaults for the GrytServers that name it: images, exposure, certificates, back ends, limits. Secrets that it names live in the operator's namespace.",
    printcolumn(
        name = "Default",
        type_ = "boolean",
        json_path = ".spec.default",
        description = "Whether servers without className take it"
    ),
    printcolumn(
        name = "Web",
        type_ = "string",
        json_path = ".spec.exposure.web.type",
        description = "How the web page and signaling are exposed"
    ),
    printcolumn(
        name = "Media",
        type_ = "string",
        json_path = ".spec.exposure.media.type",
        description = "How media is exposed"
    ),
    printcolumn(
        name = "Tag",
        type_ = "string",
        json_path = ".spec.images.tag",
        priority = 1,
        description = "The version of the images"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation"
    ),
    validation = Rule::new("self.metadata.name.size() <= 63").message(
        "metadata.name: at most 63 characters"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct GrytServerClassSpec {
    /// Whether GrytServers without className take this class. At most one class may say so.
    #[serde(default)]
    pub default: bool,

    /// The container images.
    #[serde(default)]
    pub images: Images,

    /// How browsers reach the servers.
    #[serde(default)]
    pub exposure: Exposure,

    /// The certificate of servers that name none themselves: a wildcard Secret in the operator's
    /// namespace, or a cert-manager issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSource>,

    /// Networks of the proxies in front of the servers, for example 10.42.0.0/16. Only from these
    /// is the client's address in X-Forwarded-For believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(length(min = 1, max = 64)),
        extend("x-kubernetes-list-type" = "set")
    )]
    #[x_kube(
        validation = Rule::new("self.all(network, isCIDR(network))")
            .message("trustedProxies: networks such as 10.42.0.0/16 or fd00::/8")
    )]
    pub trusted_proxies: Vec<String>,

    /// TURN servers for browsers in networks that block UDP. Signaling doesn't hand them out yet:
    /// only their Secrets are checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub turn: Vec<TurnServer>,

    /// Where servers keep what several pods share, and where people sign in. Left out, a server
    /// keeps everything on a volume and has one signaling pod and accounts of its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backends: Backends,

    /// What no server of this class exceeds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: Limits,

    /// How a change of the class reaches its servers.
    #[serde(default)]
    pub rollout: Rollout,

    /// Namespaces whose GrytServers may use this class. Empty allows every namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        inner(length(min = 1, max = 63)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub allowed_namespaces: Vec<String>,

    /// Which host names the GrytServers of a namespace may take. Empty allows every name; as soon
    /// as one namespace is listed, a namespace that isn't may take none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 256),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["namespace"])
    )]
    pub allowed_hostnames: Vec<AllowedHostnames>,
}

/// The container images.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Images {
    /// The registry and path before the image names, for example registry.example.org/gryt. Left
    /// out, the operator's own setting is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(
        validation = Rule::new(
            "self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]+)?(/[a-z0-9]([-a-z0-9_.]*[a-z0-9])?)*$')"
        )
            .message("images.registry: host and path without scheme and closing slash, such as registry.example.org/gryt")
    )]
    pub registry: Option<String>,

    /// The tag of all images. Left out, the operator's own setting is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9_][-A-Za-z0-9_.]*$')")
            .message("images.tag: letters, digits, dots, hyphens and underscores")
    )]
    pub tag: Option<String>,

    /// The whole reference of the signaling image, with a digest if wanted. Wins over registry
    /// and tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub signaling: Option<String>,

    /// The whole reference of the SFU image, with a digest if wanted. Wins over registry and tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub sfu: Option<String>,

    /// When nodes pull the images.
    #[serde(default)]
    pub pull_policy: PullPolicy,
}

/// When a node pulls an image.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time a pod starts.
    Always,
    /// Only what the node doesn't have.
    #[default]
    IfNotPresent,
    /// Never: the images are on the nodes.
    Never,
}

impl PullPolicy {
    /// The word that a container's `imagePullPolicy` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// How browsers reach the servers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// The web page, sign-in and signaling: HTTPS.
    #[serde(default)]
    pub web: WebExposure,

    /// Voice and video: UDP, and TCP on the same port number.
    #[serde(default)]
    pub media: MediaExposure,
}

/// How the web page and the signaling are exposed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.type != 'Gateway' || has(self.gateway)")
        .message("exposure.web.gateway: the type Gateway needs the name and namespace of a Gateway")
)]
pub struct WebExposure {
    /// Auto takes the Gateway if one is named and the Gateway API is installed, else an Ingress
    /// if the cluster has a class for it, else a NodePort.
    #[serde(rename = "type", default)]
    pub type_: WebType,

    /// The Gateway to which HTTPRoutes are attached. Its listener holds the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<ParentGateway>,

    /// The IngressClass of Ingresses. Left out, the cluster's default is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub ingress_class_name: Option<String>,

    /// Annotations for the HTTPRoute, Ingress or Service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

/// The ways to expose the web page and the signaling.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebType {
    /// What the cluster has.
    #[default]
    Auto,
    /// An HTTPRoute at a Gateway.
    Gateway,
    /// An Ingress.
    Ingress,
    /// A port on every node; signaling serves HTTPS itself.
    NodePort,
    /// An address from the cluster's load balancer; signaling serves HTTPS itself.
    LoadBalancer,
}

/// A Gateway.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ParentGateway {
    /// The name of the Gateway.
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub name: String,

    /// The namespace of the Gateway.
    #[schemars(length(min = 1, max = 63), extend("pattern" = LABEL))]
    pub namespace: String,

    /// The listener of the Gateway. Left out, every listener that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// How media is exposed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(self.type in ['HostPort', 'HostNetwork']) || has(self.ports)")
        .message("exposure.media.ports: the types HostPort and HostNetwork need a range of ports"),
    validation = Rule::new(
        "self.type != 'HostNetwork' || !has(self.ports) || self.ports.last - self.ports.first >= 2"
    )
    .message("exposure.media.ports: with HostNetwork each SFU takes three ports of the range")
)]
pub struct MediaExposure {
    /// NodePort needs neither host network nor privileges. LoadBalancer takes an address from the
    /// cluster's load balancer. HostPort and HostNetwork take ports of the node itself, which
    /// Pod Security "baseline" and "restricted" refuse.
    #[serde(rename = "type", default)]
    pub type_: MediaType,

    /// The ports from which the operator picks with HostPort (one for each SFU) and HostNetwork
    /// (three for each SFU: media, gRPC, probes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PortRange>,

    /// The addresses at which browsers reach the nodes, where these differ from the nodes' own
    /// (behind 1:1 NAT). A node that isn't listed uses its own address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 512),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["node"])
    )]
    pub node_addresses: Vec<NodeAddress>,

    /// Annotations for the media Services, for example to ask a load balancer for an address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

/// The ways to expose media.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaType {
    /// A port on every node, assigned by the cluster.
    #[default]
    NodePort,
    /// An address from the cluster's load balancer.
    LoadBalancer,
    /// A port of the pod's node.
    HostPort,
    /// The pod lives in the network of its node.
    HostNetwork,
}

/// A range of ports, both ends included.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.first <= self.last")
        .message("ports: first must not be above last")
)]
pub struct PortRange {
    /// The first port.
    #[schemars(range(min = 1024, max = 65535))]
    pub first: i32,

    /// The last port.
    #[schemars(range(min = 1024, max = 65535))]
    pub last: i32,
}

/// The address at which browsers reach one node.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NodeAddress {
    /// The name of the node.
    #[schemars(length(min = 1, max = 253))]
    pub node: String,

    /// The IPv4 or IPv6 address.
    #[schemars(length(min = 2, max = 45))]
    #[x_kube(
        validation = Rule::new("isIP(self)")
            .message("nodeAddresses.address: an IPv4 or IPv6 address")
    )]
    pub address: String,
}

/// A TURN server that shares a secret with the signaling (TURN REST API).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TurnServer {
    /// Its addresses, for example turns:turn.example.org:443?transport=tcp.
    #[schemars(length(min = 1, max = 8), inner(length(min = 6, max = 256)))]
    #[x_kube(
        validation = Rule::new("self.all(url, url.matches('^turns?:[^ ]+$'))")
            .message("turn.urls: each begins with turn: or turns:")
    )]
    pub urls: Vec<String>,

    /// The Secret in the operator's namespace that holds the shared secret.
    pub secret_ref: SecretKey,
}

/// One key of a Secret.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub name: String,

    /// The key within the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// Limits of every server of a class.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// How many people one voice room takes. Left out, signaling's own limit is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1000))]
    pub room_capacity: Option<i32>,

    /// How many people one worker of an SFU takes, over all of its rooms. Left out, the SFU's own
    /// limit is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 10000))]
    pub places_per_worker: Option<i32>,

    /// The largest volume that a server may ask for, for example 50Gi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^[1-9][0-9]{0,9}(M|G|T|P|Mi|Gi|Ti|Pi)$')")
            .message("limits.maxStorage: a whole number with a unit, such as 500Mi or 50Gi")
    )]
    pub max_storage: Option<String>,
}

/// How a change of the class, above all of its images, reaches the servers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// How many servers change at the same time. Servers with calls come last.
    #[serde(default = "max_concurrent")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent: i32,

    /// How long a changed server may take to become Ready, in seconds. When one takes longer, the
    /// rollout stops and the others keep what they have.
    #[serde(default = "ready_deadline_seconds")]
    #[schemars(range(min = 10, max = 86400))]
    pub ready_deadline_seconds: i32,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            max_concurrent: max_concurrent(),
            ready_deadline_seconds: ready_deadline_seconds(),
        }
    }
}

fn max_concurrent() -> i32 {
    5
}

fn ready_deadline_seconds() -> i32 {
    300
}

/// The host names of one namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AllowedHostnames {
    /// The namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,

    /// A host name is allowed if it equals one of these or ends with a dot and one of these, for
    /// example team-a.example.org.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 253)))]
    #[x_kube(
        validation = Rule::new(
            "self.all(suffix, suffix.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$'))"
        )
        .message("allowedHostnames.suffixes: DNS names in small letters without leading dot or star")
    )]
    pub suffixes: Vec<String>,
}
