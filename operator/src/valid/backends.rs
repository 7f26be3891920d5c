//! The back ends of a server: what its class names, checked, with how far they were prepared.

use std::collections::BTreeSet;

/// Where a server keeps what does not live in its pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValidBackends {
    /// Events and presence; `None`: in the signaling pod.
    pub redis: Option<ValidRedis>,
    /// Messages and members; `None`: on the volume.
    pub cql: Option<ValidCql>,
    /// Where people sign in. Empty: at accounts of the server's own, on the volume.
    pub issuers: Vec<ValidIssuer>,
    /// What was done in them for this server.
    pub progress: Progress,
}

impl ValidBackends {
    /// Whether several pods may serve: nothing is kept on a volume.
    #[must_use]
    pub fn are_shared(&self) -> bool {
        self.redis.is_some() && self.cql.is_some() && !self.issuers.is_empty()
    }

    /// Whether something of the server lives outside of the cluster's own objects.
    #[must_use]
    pub fn keep_something(&self) -> bool {
        self.redis.is_some() || self.cql.is_some()
    }
}

/// What the Jobs have done for a server, as far as that is recorded or seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Stands for what the database was last prepared for.
    pub database: Option<String>,
    /// The same of Redis.
    pub bus: Option<String>,
    /// The names of Jobs that have come to their end and whose work isn't recorded yet.
    pub complete: BTreeSet<String>,
}

/// A Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidRedis {
    /// As signaling takes it, without user and password.
    pub url: String,
    /// The TCP ports at which its processes may listen.
    pub ports: BTreeSet<i32>,
    /// Who makes users.
    pub admin: Administrator,
    /// How to sign in to the sentinels.
    pub sentinel: Option<SentinelSignIn>,
    /// The authorities to trust in place of the public ones.
    pub ca: Option<SecretFile>,
}

/// A CQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidCql {
    /// `host` or `host:port`, at least one.
    pub contact_points: Vec<String>,
    /// The TCP ports at which its nodes listen.
    pub ports: BTreeSet<i32>,
    /// The data center to ask.
    pub datacenter: Option<String>,
    /// `dc1:3,dc2:3`.
    pub replication: String,
    /// The keyspace that is shared with other servers; `None`: one of its own.
    pub shared_keyspace: Option<String>,
    /// Who makes keyspaces and roles.
    pub admin: Administrator,
    /// The authorities to trust. With them connections are TLS.
    pub ca: Option<SecretFile>,
}

/// One OpenID Connect issuer. `{serverId}` is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidIssuer {
    /// Part of the ids of its people.
    pub name: String,
    /// What people are shown.
    pub label: Option<String>,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The web client there.
    pub client_id: String,
    /// What tokens have to be for; `None`: the server's id.
    pub audience: Option<String>,
    /// Where the keys are.
    pub jwks_url: Option<String>,
    /// Where the discovery document is.
    pub discovery_url: Option<String>,
    /// The TCP port that signaling asks.
    pub port: i32,
    /// The authorities to trust in place of the public ones.
    pub ca: Option<SecretFile>,
}

/// A Secret in the operator's namespace with `username` and `password`, both there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    /// Its name.
    pub secret: String,
    /// Its `metadata.resourceVersion`: another one is worth another try.
    pub version: String,
}

/// A Secret in the operator's namespace with `password`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelSignIn {
    /// Its name.
    pub secret: String,
    /// It has a `username`, too.
    pub names_user: bool,
}

/// A file in a Secret in the operator's namespace, which is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile {
    /// The name of the Secret.
    pub secret: String,
    /// The key in it.
    pub key: String,
}
