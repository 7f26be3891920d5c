//! Host names, server ids and node ports that several servers ask for. Who has one keeps it; among
//! those that only ask, the oldest object wins, at the same second the smaller UID.
//!
//! Age alone would let the owner of any old server edit his host name into that of a neighbor. What
//! a server has is read from its status and from the labels of its CA. Both are the operator's word:
//! the chart gives tenants `grytservers` to write and `grytservers/status` only to read, and the CAs
//! live in the operator's namespace.

mod claimants;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::class;
use crate::crd::{GrytServer, GrytServerClass, MediaType};
use crate::fetch::ServerKey;
use crate::names::Hostname;
use crate::observed::{Claims, HostPortClaim, Rival};
use crate::refusal::{Reason, Refusal};

pub(crate) use claimants::Claimants;

/// What decides between claims, beside the servers themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grounds<'a> {
    /// Every class of the cluster: a claim that its class doesn't allow is none.
    pub classes: &'a [Arc<GrytServerClass>],
    /// Whose CA the one with this server's id is. Empty if there is none.
    pub authority_of: &'a [ServerKey],
}

/// How many ports of a node one SFU takes.
pub(crate) fn ports_per_slot(media: MediaType) -> i32 {
    match media {
        MediaType::HostPort => 1,
        MediaType::HostNetwork => 3,
        MediaType::NodePort | MediaType::LoadBalancer => 0,
    }
}

/// What servers other than `server` have, or ask for before it. Costs one pass over `all`, which
/// may contain `server` itself.
pub fn of_others(
    server: &GrytServer,
    all: impl IntoIterator<Item = impl AsRef<GrytServer>>,
    grounds: Grounds<'_>,
) -> Claims {
    let own = server.metadata.uid.as_deref();
    let mut claims = Claims::default();
    for other in all {
        let other = other.as_ref();
        if other.metadata.uid.as_deref() == own {
            continue;
        }
        let hostname = has_hostname(other, server, grounds);
        let server_id = has_server_id(other, server, grounds);
        if hostname || server_id {
            claims.rivals.push(Rival {
                server: ServerKey::of(other),
                hostname,
                server_id,
            });
        }
        claims.host_ports.extend(host_ports(other));
    }
    // Its server is gone; the sweep is about to delete it. Until then it is nobody else's.
    let own = ServerKey::of(server);
    let left = grounds.authority_of.iter();
    let left = left.filter(|_| !grounds.authority_of.contains(&own));
    for holder in left {
        if !claims.rivals.iter().any(|rival| rival.server == *holder) {
            claims.rivals.push(Rival {
                server: holder.clone(),
                hostname: false,
                server_id: true,
            });
        }
    }
    claims
}

/// Whether a change of one of the two may decide something for the other.
pub(crate) fn meet(one: &GrytServer, other: &GrytServer) -> bool {
    let same_hostname = asks_for(one, &other.spec.hostname) || asks_for(other, &one.spec.hostname);
    let same_server_id = one.spec.server_id.is_some() && one.spec.server_id == other.spec.server_id;
    same_hostname || same_server_id || {
        let ports = host_ports(one);
        !ports.is_empty()
            && host_ports(other).iter().any(|claim| {
                ports
                    .iter()
                    .any(|port| claim.overlaps(port.port, port.count))
            })
    }
}

/// A server that has taken another name keeps the old one until it is reached by the new.
fn asks_for(server: &GrytServer, hostname: &str) -> bool {
    server.spec.hostname == hostname || is_reached_by(server, hostname)
}

/// The host name by which browsers were last told to come.
pub(crate) fn reached_by(server: &GrytServer) -> Option<&str> {
    let address = server.status.as_ref()?.address.as_deref()?;
    let host = address.strip_prefix("https://")?;
    Some(host.split_once(':').map_or(host, |(host, _port)| host))
}

fn is_reached_by(server: &GrytServer, hostname: &str) -> bool {
    reached_by(server) == Some(hostname)
}

fn has_hostname(other: &GrytServer, server: &GrytServer, grounds: Grounds<'_>) -> bool {
    let hostname = &server.spec.hostname;
    if !asks_for(other, hostname) {
        return false;
    }
    let held = is_reached_by(other, hostname);
    is_allowed(other, hostname, held, grounds)
        && rank(other, held) < rank(server, is_reached_by(server, hostname))
}

fn has_server_id(other: &GrytServer, server: &GrytServer, grounds: Grounds<'_>) -> bool {
    if server.spec.server_id.is_none() || other.spec.server_id != server.spec.server_id {
        return false;
    }
    let has = |server: &GrytServer| grounds.authority_of.contains(&ServerKey::of(server));
    let held = has(other);
    (held || is_allowed(other, &other.spec.hostname, held, grounds))
        && rank(other, held) < rank(server, has(server))
}

/// Whether the class of `server` gives it the host name. A class that can't be found gives
/// nothing, but takes nothing either.
fn is_allowed(server: &GrytServer, hostname: &str, held: bool, grounds: Grounds<'_>) -> bool {
    let mut class = class::resolve(server, grounds.classes);
    if held && class.is_err() {
        // Nobody gets around the rules of his class by naming one that isn't there.
        let mut pinned = server.clone();
        let status = server.status.as_ref();
        pinned.spec.class_name = status.and_then(|status| status.class_name.clone());
        class = class::resolve(&pinned, grounds.classes);
    }
    let (Ok(class), Ok(hostname)) = (class, hostname.parse::<Hostname>()) else {
        return held;
    };
    let namespace = server.namespace().unwrap_or_default();
    class::check_allowed(&class, &namespace, &hostname).is_empty()
}

/// The smallest wins.
fn rank(server: &GrytServer, held: bool) -> impl Ord + use<'_> {
    let (created, uid) = age(
        server.metadata.creation_timestamp.as_ref(),
        server.metadata.uid.as_deref().unwrap_or_default(),
    );
    (!held, created, uid)
}

/// One without a creation time is not stored yet and so is younger.
fn age<'a>(created: Option<&Time>, uid: &'a str) -> (i64, &'a str) {
    (created.map_or(i64::MAX, |time| time.0.as_second()), uid)
}

fn host_ports(server: &GrytServer) -> Vec<HostPortClaim> {
    let Some(status) = &server.status else {
        return Vec::new();
    };
    let count = status
        .exposure
        .as_ref()
        .map_or(0, |exposure| ports_per_slot(exposure.media));
    if count == 0 {
        return Vec::new();
    }
    let claim = |port| HostPortClaim {
        uid: server.uid().unwrap_or_default(),
        created: server.creation_timestamp(),
        port,
        count,
    };
    let ports = status.media.iter().filter_map(|slot| slot.port);
    ports.map(claim).collect()
}

/// The ports of nodes that the status shows: the first and how many.
pub(crate) fn ports(server: &GrytServer) -> Vec<(i32, i32)> {
    let ports = host_ports(server).into_iter();
    ports.map(|claim| (claim.port, claim.count)).collect()
}

/// Refuses a host name or server id that another server has.
pub(crate) fn check(server: &GrytServer, hostname: &Hostname, rivals: &[Rival]) -> Vec<Refusal> {
    let namespace = server.namespace().unwrap_or_default();
    let mut refusals = Vec::new();
    if let Some(holder) = rivals.iter().find(|rival| rival.hostname) {
        refusals.push(Refusal::new(
            Reason::HostnameTaken,
            format!(
                "The host name \"{hostname}\" belongs to {}, which had it first: choose another.",
                title(holder, &namespace)
            ),
        ));
    }
    if let Some(holder) = rivals.iter().find(|rival| rival.server_id) {
        refusals.push(Refusal::new(
            Reason::ServerIdTaken,
            format!(
                "The server id belongs to {}, which had it first: create this GrytServer again without spec.serverId, or delete the other first.",
                title(holder, &namespace)
            ),
        ));
    }
    refusals
}

/// Whether the object with these marks was created before `server`.
pub(crate) fn is_older(created: Option<&Time>, uid: &str, server: &GrytServer) -> bool {
    let own_uid = server.metadata.uid.as_deref().unwrap_or_default();
    age(created, uid) < age(server.metadata.creation_timestamp.as_ref(), own_uid)
}

/// A tenant learns the name of a neighbor in the same namespace only.
fn title(rival: &Rival, namespace: &str) -> String {
    if rival.server.namespace == namespace {
        format!("the GrytServer \"{}\"", rival.server.name)
    } else {
        "a GrytServer of another namespace".to_owned()
    }
}
