//! `GrytServer`: what a tenant asks for. The doc comments are the text of `kubectl explain`.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{GrytServerStatus, OBJECT_NAME, PodTemplate, is_default};

/// What the tenant wants.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "gryt.chat",
    version = "v1alpha1",
    kind = "GrytServer",
    namespaced,
    status = "GrytServerStatus",
    shortname = "gs",
    category = "gryt",
    derive = "Default",
    derive = "PartialEq",
    doc = "A voice and text chat server for one community. Only spec.hostname is required.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether people can talk on this server"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Serving, Paused, or what stands in the way"
    ),
    printcolumn(
        name = "Address",
        type_ = "string",
        json_path = ".status.address",
        description = "Where a browser finds the server"
    ),
    printcolumn(
        name = "Version",
        type_ = "string",
        json_path = ".status.version",
        description = "The version that runs, or ran last"
    ),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".status.className",
        priority = 1,
        description = "The GrytServerClass that serves it"
    ),
    printcolumn(
        name = "Signaling",
        type_ = "string",
        json_path = ".status.signaling",
        priority = 1,
        description = "Signaling pods: ready/wanted"
    ),
    printcolumn(
        name = "SFU",
        type_ = "string",
        json_path = ".status.sfu",
        priority = 1,
        description = "SFU pods: ready/wanted"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since creation"
    ),
    validation = Rule::new("self.metadata.name.size() <= 36").message(
        "metadata.name: at most 36 characters, so that the names of its pods stay within 63"
    ),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')").message(
        "metadata.name: small letters, digits and hyphens only, beginning with a letter, because Services are named after it"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(
        "!has(oldSelf.serverId) || (has(self.serverId) && self.serverId == oldSelf.serverId)"
    )
    .message("serverId: can't be changed or removed once it is set, because data and certificates belong to it")
)]
pub struct GrytServerSpec {
    /// The host name at which browsers reach this server, for example chat.example.org. Only one
    /// GrytServer of a cluster serves a host name: the one that has it, else the oldest that asks
    /// for it.
    #[schemars(length(min = 3, max = 253))]
    #[x_kube(
        validation = Rule::new(
            "self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?[.])+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')"
        )
        .message("hostname: a DNS name in small letters with at least one dot, such as chat.example.org")
    )]
    pub hostname: String,

    /// The identity of the server and of its data: 26 characters of a-z and 2-7. Leave it out:
    /// the operator draws one at random and writes it here. Name one only to bring a server back
    /// whose data was kept. It can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 26, max = 26))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z2-7]{26}$')")
            .message("serverId: exactly 26 characters of a-z and 2-7")
    )]
    pub server_id: Option<String>,

    /// The GrytServerClass that serves this server. Left out, the class marked as default is
    /// taken; that choice is kept (status.className) until another class is named here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), extend("pattern" = OBJECT_NAME))]
    pub class_name: Option<String>,

    /// The name that people see. Left out, it is the first label of the host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("self.trim() != ''")
            .message("displayName: needs at least one character that can be seen")
    )]
    pub display_name: Option<String>,

    /// What becomes of what the server has in the back ends of its class when it is deleted: Retain
    /// leaves it there, and a later GrytServer of the same name and serverId may take it over.
    /// Delete removes it before the GrytServer goes. A volume goes with its GrytServer anyway.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// Stops every pod of the server after its calls have ended or the drain timeout has passed.
    /// Data, addresses and certificates are kept; false brings the server back.
    #[serde(default)]
    pub suspend: bool,

    /// The signaling pods: sign-in, chat, and who is in which call.
    #[serde(default)]
    pub signaling: Signaling,

    /// The SFU pods: they pass on what people say in calls.
    #[serde(default)]
    pub sfu: Sfu,

    /// The volume for messages and uploads. A class whose backends keep everything needs none.
    #[serde(default)]
    #[x_kube(
        validation = Rule::new(
            "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)"
        )
        .message("storage.storageClassName: can't be changed, because the volume exists already")
    )]
    pub storage: Storage,

    /// Where the certificate for the host name comes from. Left out, the class decides; where it
    /// names none either, the operator makes a self-signed one, which browsers warn about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSource>,

    /// What to add to the pods of this server.
    #[serde(default, skip_serializing_if = "is_default")]
    pub template: PodTemplate,
}

/// What becomes of data outside of the cluster.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It is removed.
    Delete,
}

/// The signaling pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Signaling {
    /// How many signaling pods run. More than one needs a class with redis, cql and issuers in its
    /// backends: the data on a volume can be opened by one pod.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 32))]
    pub replicas: i32,
}

impl Default for Signaling {
    fn default() -> Self {
        Self { replicas: one() }
    }
}

/// The SFU pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Sfu {
    /// How many SFU pods run, each with an address of its own. A call is on one of them, and a new
    /// call goes to one that has room. Raise it when calls are refused because all are full.
    /// Lowered, the pods with the highest numbers take no new calls, and each ends when its calls
    /// have ended or the drain timeout has passed.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub replicas: i32,
}

impl Default for Sfu {
    fn default() -> Self {
        Self { replicas: one() }
    }
}

/// The largest `spec.sfu.replicas`, as the schema has it.
pub const MAX_SFUS: i32 = 16;

fn one() -> i32 {
    1
}

/// The volume.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The size of the volume, for example 10Gi. It can be raised later where the storage class
    /// allows expansion. A volume never shrinks: less than it has is refused in the status. The
    /// class may set a largest size.
    #[serde(default = "one_gibibyte")]
    #[schemars(length(max = 16))]
    #[x_kube(
        validation = Rule::new("self.matches('^[1-9][0-9]{0,9}(M|G|T|P|Mi|Gi|Ti|Pi)$')")
            .message("storage.size: a whole number with a unit, such as 500Mi or 10Gi")
    )]
    pub size: String,

    /// The StorageClass of the volume. Left out, the cluster's default is taken. It can't be
    /// changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub storage_class_name: Option<String>,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            size: one_gibibyte(),
            storage_class_name: None,
        }
    }
}

fn one_gibibyte() -> String {
    "1Gi".to_owned()
}

/// A certificate that somebody else provides: exactly one of the two.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.secretName) != has(self.issuerRef)")
        .message("tls: name exactly one of secretName and issuerRef")
)]
pub struct TlsSource {
    /// A Secret with tls.crt and tls.key: for a GrytServer in its own namespace, for a
    /// GrytServerClass in the operator's. A renewed certificate is used without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub secret_name: Option<String>,

    /// A cert-manager issuer that is asked for the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_ref: Option<IssuerRef>,
}

/// A cert-manager issuer.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// The name of the issuer.
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub name: String,

    /// Issuer (in the namespace of the GrytServer) or ClusterIssuer.
    #[serde(default)]
    pub kind: IssuerKind,
}

/// The two kinds of cert-manager issuers.
#[derive(JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuerKind {
    /// In the namespace of the GrytServer.
    #[default]
    Issuer,
    /// For the whole cluster.
    ClusterIssuer,
}

impl IssuerKind {
    /// The kind as cert-manager writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issuer => "Issuer",
            Self::ClusterIssuer => "ClusterIssuer",
        }
    }
}
