//! The back ends of a class: where servers keep messages and events outside of their pods, and
//! where people sign in. The doc comments are the text of `kubectl explain`.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{OBJECT_NAME, SecretKey};

/// Where the servers of a class keep what several pods share. With redis, cql and issuers together
/// a server needs no volume and may have several signaling pods.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Backends {
    /// Redis, for events and presence. Each server gets a user of its own, which reaches nothing of
    /// other servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisBackend>,

    /// A CQL database, ScyllaDB or Cassandra, for messages and members. It is chosen for a server
    /// once: a server that has its data on a volume doesn't move there by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cql: Option<CqlBackend>,

    /// OpenID Connect issuers at which people sign in, in the order in which they are offered. They
    /// take the place of accounts of the server's own. Whoever signs in first to a new server is
    /// its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[x_kube(
        validation = Rule::new(
            "self.all(one, self.exists_one(other, other.issuer == one.issuer))"
        )
        .message("backends.issuers: two have the same issuer")
    )]
    pub issuers: Vec<OidcIssuer>,
}

/// A Redis: one process, sentinels or a cluster.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.sentinelSecretRef) || self.url.contains('+sentinel:')")
        .message("backends.redis.sentinelSecretRef: the url names no sentinels"),
    validation = Rule::new("!has(self.caSecretRef) || self.url.startsWith('rediss')")
        .message("backends.redis.caSecretRef: the url has to begin with rediss, which means TLS")
)]
pub struct RedisBackend {
    /// Where it is: redis://host:6379, redis+sentinel://a:26379,b:26379/master or
    /// redis+cluster://a:6379,b:6379. With rediss in place of redis connections are TLS. Without
    /// user and password: those are in adminSecretRef.
    #[schemars(length(min = 9, max = 1024))]
    #[x_kube(
        validation = Rule::new(
            "self.matches('^rediss?([+](sentinel|cluster))?://[^@/?# ]+(/[^@?# ]*)?$')"
        )
        .message("backends.redis.url: redis://host:6379, redis+sentinel://a:26379,b:26379/master or redis+cluster://a:6379,b:6379, or the same with rediss, without user and password")
    )]
    pub url: String,

    /// The Redis user that may make users and delete keys.
    pub admin_secret_ref: SignInSecret,

    /// How servers sign in to the sentinels, where these ask for it. Its username may be left out.
    /// It is copied to the namespaces of the servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentinel_secret_ref: Option<SignInSecret>,

    /// The authorities of its certificates, as PEM. Left out, the public ones are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKey>,
}

/// A CQL database.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CqlBackend {
    /// Nodes to begin with, as host or host:port; the port is 9042 where it is left out. The others
    /// are found by them. One that stays in the list tells that it is still the same database.
    #[schemars(
        length(min = 1, max = 16),
        inner(length(min = 1, max = 255)),
        extend("x-kubernetes-list-type" = "set")
    )]
    #[x_kube(
        validation = Rule::new(
            "self.all(node, node.matches('^([-A-Za-z0-9._]+|\\\\[[0-9a-fA-F:.]+\\\\])(:[0-9]{1,5})?$'))"
        )
        .message("backends.cql.contactPoints: each is a host, host:port or [IPv6 address]:port")
    )]
    pub contact_points: Vec<String>,

    /// The data center whose nodes are asked and whose quorum decides. Left out, a quorum of all
    /// data centers decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 48), extend("pattern" = DATACENTER))]
    pub datacenter: Option<String>,

    /// How many copies each data center keeps of a new keyspace. Keyspaces that exist are not
    /// changed.
    #[schemars(
        length(min = 1, max = 8),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["datacenter"])
    )]
    pub replication: Vec<Replication>,

    /// One keyspace for all servers of the class. Left out, each server gets one of its own, which
    /// the database keeps from all others; good for up to about 1000 servers. In a shared one only
    /// signaling itself keeps servers apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 48), extend("pattern" = KEYSPACE))]
    pub shared_keyspace: Option<String>,

    /// The role that may make keyspaces, tables and roles.
    pub admin_secret_ref: SignInSecret,

    /// The authorities of its certificates, as PEM. With it connections are TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKey>,
}

/// What Cassandra and signaling both take as the name of a data center.
const DATACENTER: &str = "^[-A-Za-z0-9._]+$";
/// A name that needs no quotes in CQL.
const KEYSPACE: &str = "^[a-z][a-z0-9_]*$";

/// The copies in one data center.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Replication {
    /// The name of the data center.
    #[schemars(length(min = 1, max = 48), extend("pattern" = DATACENTER))]
    pub datacenter: String,

    /// How many nodes of it keep each row. With 3, one of them may fail.
    #[schemars(range(min = 1, max = 9))]
    pub copies: i32,
}

/// A Secret with username and password, such as those of the type kubernetes.io/basic-auth.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SignInSecret {
    /// The name of the Secret in the operator's namespace. Its keys are username and password.
    #[schemars(length(min = 1, max = 253), extend("pattern" = OBJECT_NAME))]
    pub name: String,
}

/// An OpenID Connect issuer, such as a realm of Keycloak.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.jwksUrl) || !has(self.discoveryUrl)")
        .message("backends.issuers: name jwksUrl or discoveryUrl, or none of them")
)]
pub struct OidcIssuer {
    /// Part of the ids of its people, so it never changes: small letters, digits and hyphens, and
    /// not local.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && self != 'local'")
            .message("backends.issuers.name: small letters, digits and hyphens, and not local")
    )]
    pub name: String,

    /// What the sign-in page calls it. Left out, the host of the issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[^[:cntrl:]]+$') && self.trim() == self")
            .message("backends.issuers.label: one line, without spaces around it")
    )]
    pub label: Option<String>,

    /// The iss of its tokens, to the letter; browsers find it there.
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^@?#/ ]+(/[^?# ]*)?$')")
            .message("backends.issuers.issuer: an http or https URL without user, query and fragment")
    )]
    pub issuer: String,

    /// The public client there that the web client is. The text {serverId} in it stands for the id
    /// of the server, so that each server may have a client of its own.
    #[serde(default = "client_id")]
    #[schemars(length(min = 1, max = 255))]
    pub client_id: String,

    /// What the aud of access tokens has to name. Left out, the id of the server; {serverId} stands
    /// for that here, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub audience: Option<String>,

    /// Where signaling reads the keys, if that is another address inside the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^@/ ]+(/[^ ]*)?$')")
            .message("backends.issuers.jwksUrl: an http or https URL")
    )]
    pub jwks_url: Option<String>,

    /// Where signaling reads the discovery document. Left out, where browsers do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 512))]
    #[x_kube(
        validation = Rule::new("self.matches('^https?://[^@/ ]+(/[^ ]*)?$')")
            .message("backends.issuers.discoveryUrl: an http or https URL")
    )]
    pub discovery_url: Option<String>,

    /// The authorities of its certificate, as PEM, in place of the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKey>,
}

fn client_id() -> String {
    "gryt-web".to_owned()
}
