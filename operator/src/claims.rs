//! Host names, server ids and node ports that several servers ask for: the oldest object wins,
//! at the same second the smaller UID.

#[cfg(test)]
mod tests;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use crate::crd::{GrytServer, MediaType};
use crate::names::Hostname;
use crate::observed::{Claims, HostPortClaim, Rival};
use crate::refusal::{Reason, Refusal};

/// How many ports of a node one SFU takes.
pub(crate) fn ports_per_slot(media: MediaType) -> i32 {
    match media {
        MediaType::HostPort => 1,
        MediaType::HostNetwork => 3,
        MediaType::NodePort | MediaType::LoadBalancer => 0,
    }
}

/// What servers other than `server` hold or ask for. Costs one pass over `all`, which may contain
/// `server` itself.
pub fn of_others(
    server: &GrytServer,
    all: impl IntoIterator<Item = impl AsRef<GrytServer>>,
) -> Claims {
    let own = server.metadata.uid.as_deref();
    let mut claims = Claims::default();
    for other in all {
        let other = other.as_ref();
        if other.metadata.uid.as_deref() == own {
            continue;
        }
        let same_hostname = other.spec.hostname == server.spec.hostname;
        let same_server_id =
            server.spec.server_id.is_some() && other.spec.server_id == server.spec.server_id;
        if same_hostname || same_server_id {
            claims.rivals.push(Rival {
                namespace: other.namespace().unwrap_or_default(),
                name: other.name_any(),
                uid: other.uid().unwrap_or_default(),
                created: other.creation_timestamp(),
                same_hostname,
                same_server_id,
            });
        }
        claims.host_ports.extend(host_ports(other));
    }
    claims
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

/// Refuses a host name or server id that an older server has.
pub(crate) fn check(server: &GrytServer, hostname: &Hostname, rivals: &[Rival]) -> Vec<Refusal> {
    let older: Vec<&Rival> = rivals
        .iter()
        .filter(|rival| is_older(rival.created.as_ref(), &rival.uid, server))
        .collect();
    let namespace = server.namespace().unwrap_or_default();
    let mut refusals = Vec::new();
    if let Some(holder) = older.iter().find(|rival| rival.same_hostname) {
        refusals.push(Refusal::new(
            Reason::HostnameTaken,
            format!(
                "The host name \"{hostname}\" belongs to {}, which is older: choose another.",
                title(holder, &namespace)
            ),
        ));
    }
    if let Some(holder) = older.iter().find(|rival| rival.same_server_id) {
        refusals.push(Refusal::new(
            Reason::ServerIdTaken,
            format!(
                "The server id belongs to {}, which is older: create this GrytServer again without spec.serverId, or delete the other first.",
                title(holder, &namespace)
            ),
        ));
    }
    refusals
}

/// Whether the object with these marks was created before `server`. One without a creation time
/// is not stored yet and so is younger.
pub(crate) fn is_older(created: Option<&Time>, uid: &str, server: &GrytServer) -> bool {
    let age = |time: Option<&Time>| time.map_or(i64::MAX, |time| time.0.as_second());
    let own = server.metadata.creation_timestamp.as_ref();
    let own_uid = server.metadata.uid.as_deref().unwrap_or_default();
    (age(created), uid) < (age(own), own_uid)
}

/// A tenant learns the name of a neighbor in the same namespace only.
fn title(rival: &Rival, namespace: &str) -> String {
    if rival.namespace == namespace {
        format!("the GrytServer \"{}\"", rival.name)
    } else {
        "a GrytServer of another namespace".to_owned()
    }
}
