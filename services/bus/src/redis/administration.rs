//! What is done to a server in Redis by an administrator: its user is made before its first process
//! starts, and removed with all it left at its end.
//!
//! Redis copies no users from node to node, so this is done at every node that the deployment knows.
//! The administrator needs `ACL` (`SETUSER`, `GETUSER`, `DELUSER`, `SAVE`), `CLUSTER SHARDS`, `SCAN`
//! and `DEL`, and all keys.

use std::collections::HashMap;

use gryt_model::ServerId;
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Value, cmd};

use super::config::{Host, RedisConfig};
use super::nodes;
use super::primary::{Primary, connect_to, settings};
use super::session::Broken;
use super::user::{hash, passwords_after, rules, user_name};

/// Redis could not be administrated.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// Nobody who was named tells which nodes there are.
    #[error("cannot learn the nodes of redis")]
    FindNodes(#[source] Why),
    /// A node answered that it will not do it.
    #[error("redis at {node} does not do it")]
    Refused {
        /// Which.
        node: String,
        /// Its words.
        #[source]
        source: Why,
    },
    /// It is done at all other nodes. Trying again is safe and may help.
    #[error("cannot reach redis at {nodes}")]
    Reach {
        /// Which ones, with commas between.
        nodes: String,
        /// Why not the last of them.
        #[source]
        source: Why,
    },
    /// The keys cannot be removed.
    #[error("cannot remove what the server has in redis")]
    RemoveKeys(#[source] Why),
}

/// Why a node of Redis did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Why(#[from] Broken);

impl AdministrationError {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::FindNodes(Why(broken)) | Self::RemoveKeys(Why(broken)) => is_passing(broken),
            Self::Refused { .. } => false,
            Self::Reach { .. } => true,
        }
    }
}

fn is_passing(broken: &Broken) -> bool {
    match broken {
        Broken::Refused(error) => !matches!(error.code(), Some("NOPERM" | "ERR")),
        Broken::Closed => true,
        Broken::SignIn { .. }
        | Broken::ReadPassword { .. }
        | Broken::Fenced
        | Broken::OtherEpoch
        | Broken::Unexpected => false,
    }
}

/// Makes the server's user at every node, or gives it the rights that this program needs, and the
/// password. Twice is harmless. The password before this one stays good until the next change; no
/// older one does. `config` signs in as an administrator.
///
/// # Errors
/// [`AdministrationError`] if a node does not do it, or cannot be reached: a primary that takes over
/// later would let the server in only after this was done again.
pub async fn provision(
    config: &RedisConfig,
    server: &ServerId,
    password: &str,
) -> Result<(), AdministrationError> {
    let user = user_name(server);
    let hash = hash(password);
    let (mut forgetful, mut open) = (Vec::new(), Vec::new());
    for (node, made) in everywhere(config, async |mut connection| {
        make_user(&mut connection, server, &user, &hash).await
    })
    .await?
    {
        if !made.is_saved {
            forgetful.push(node.clone());
        }
        if made.is_open {
            open.push(node);
        }
    }
    if !forgetful.is_empty() {
        let nodes = forgetful.join(", ");
        tracing::warn!(
            %nodes,
            user,
            "redis has no aclfile: it forgets the user at a restart, then provision it again"
        );
    }
    if !open.is_empty() {
        let nodes = open.join(", ");
        tracing::warn!(
            %nodes,
            "redis lets anybody in: its default user needs no password, so no server is kept apart"
        );
    }
    Ok(())
}

/// Removes the server's user at every node, and all of its keys. Its connections end. Twice is
/// harmless. `config` signs in as an administrator.
///
/// # Errors
/// [`AdministrationError`] if something may be left.
pub async fn purge(config: &RedisConfig, server: &ServerId) -> Result<(), AdministrationError> {
    let user = user_name(server);
    // First, so that nothing is written any more.
    everywhere(config, async |mut connection| {
        cmd("ACL")
            .arg("DELUSER")
            .arg(&user)
            .exec_async(&mut connection)
            .await?;
        save(&mut connection).await.map(drop)
    })
    .await?;
    let mut primary = Primary::new(config.clone(), format!("{{{server}}}:"));
    let removed = remove_keys(&mut primary, &format!("{{{server}}}:*")).await;
    removed.map_err(|broken| AdministrationError::RemoveKeys(broken.into()))
}

/// Does something at every node, also after one that cannot be reached. Returns each node's name and
/// what came of it.
async fn everywhere<T>(
    config: &RedisConfig,
    work: impl AsyncFn(MultiplexedConnection) -> RedisResult<T>,
) -> Result<Vec<(String, T)>, AdministrationError> {
    let nodes = nodes::all(config).await;
    let nodes = nodes.map_err(|broken| AdministrationError::FindNodes(broken.into()))?;
    let mut done = Vec::new();
    let mut unreached = Vec::new();
    let mut why = None;
    for node in nodes {
        let worked = match connect_to(config, &node, &config.sign_in, &settings()).await {
            Ok(connection) => work(connection).await.map_err(Broken::from),
            Err(broken) => Err(broken),
        };
        let Host { name, port } = node;
        let node = format!("{name}:{port}");
        match worked {
            Ok(made) => done.push((node, made)),
            Err(broken) if is_passing(&broken) => {
                unreached.push(node);
                why = Some(broken);
            }
            Err(broken) => {
                let source = broken.into();
                return Err(AdministrationError::Refused { node, source });
            }
        }
    }
    match why {
        None => Ok(done),
        Some(broken) => Err(AdministrationError::Reach {
            nodes: unreached.join(", "),
            source: broken.into(),
        }),
    }
}

/// What a node is like once it has the user.
struct Made {
    /// The user is there after a restart.
    is_saved: bool,
    /// Its default user needs no password.
    is_open: bool,
}

async fn make_user(
    connection: &mut MultiplexedConnection,
    server: &ServerId,
    user: &str,
    hash: &str,
) -> RedisResult<Made> {
    let known: Vec<String> = fact_of(connection, user, "passwords").await?;
    let passwords = passwords_after(&known, hash.to_owned());
    cmd("ACL")
        .arg("SETUSER")
        .arg(user)
        .arg(rules(server, &passwords))
        .exec_async(connection)
        .await?;
    let flags: Vec<String> = fact_of(connection, "default", "flags").await?;
    let has = |flag: &str| flags.iter().any(|found| found == flag);
    Ok(Made {
        is_saved: save(connection).await?,
        is_open: has("on") && has("nopass"),
    })
}

/// A list that `ACL GETUSER` tells; empty if there is no such user.
async fn fact_of(
    connection: &mut MultiplexedConnection,
    user: &str,
    name: &str,
) -> RedisResult<Vec<String>> {
    let facts: Option<HashMap<String, Value>> = cmd("ACL")
        .arg("GETUSER")
        .arg(user)
        .query_async(connection)
        .await?;
    let fact = facts.and_then(|mut facts| facts.remove(name));
    Ok(redis::from_redis_value(fact.unwrap_or(Value::Nil))?)
}

/// Writes users to the aclfile; false if there is none.
async fn save(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    match cmd("ACL").arg("SAVE").exec_async(connection).await {
        Ok(()) => Ok(true),
        Err(error) if has_no_file(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn has_no_file(error: &RedisError) -> bool {
    let words = error.detail().unwrap_or_default();
    error.code() == Some("ERR") && words.contains("not configured to use an ACL file")
}

/// Deletes every key of this pattern.
async fn remove_keys(primary: &mut Primary, pattern: &str) -> Result<(), Broken> {
    let mut connection = primary.connect().await?.connection;
    let mut cursor = "0".to_owned();
    loop {
        let found: (String, Vec<String>) = cmd("SCAN")
            .arg(&cursor)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(1000)
            .query_async(&mut connection)
            .await?;
        let keys;
        (cursor, keys) = found;
        if !keys.is_empty() {
            cmd("DEL").arg(keys).exec_async(&mut connection).await?;
        }
        if cursor == "0" {
            return Ok(());
        }
    }
}
