//! Finds the servers that may have to do with another's claims, without a pass over all of them.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::{host_ports, reached_by};
use crate::crd::GrytServer;
use crate::fetch::ServerKey;

/// The servers by what they claim. Holds a few numbers for each.
#[derive(Debug, Default)]
pub(crate) struct Claimants {
    by_mark: HashMap<Mark, BTreeSet<ServerKey>>,
    marks: HashMap<ServerKey, BTreeSet<Mark>>,
}

/// Stands for one claim. Who shares a mark by chance is looked at for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Mark(u64);

#[derive(Clone, Copy, Hash)]
enum Claim<'a> {
    Hostname(&'a str),
    ServerId(&'a str),
    /// Any ports: they meet where they overlap, and few servers have them.
    NodePorts,
}

impl Claimants {
    /// Takes a server as it is now.
    pub(crate) fn put(&mut self, server: &GrytServer) {
        let key = ServerKey::of(server);
        let marks = marks(server);
        if self.marks.get(&key) == Some(&marks) {
            return;
        }
        self.remove(&key);
        for mark in &marks {
            self.by_mark.entry(*mark).or_default().insert(key.clone());
        }
        self.marks.insert(key, marks);
    }

    /// Forgets a server.
    pub(crate) fn remove(&mut self, key: &ServerKey) {
        for mark in self.marks.remove(key).into_iter().flatten() {
            if let Some(keys) = self.by_mark.get_mut(&mark) {
                keys.remove(key);
                if keys.is_empty() {
                    self.by_mark.remove(&mark);
                }
            }
        }
    }

    /// Whoever may claim what `server` claims, and all who have ports of nodes; often `server` too.
    pub(crate) fn beside(&self, server: &GrytServer) -> BTreeSet<ServerKey> {
        let mut marks = marks(server);
        marks.insert(Mark::of(Claim::NodePorts));
        let keys = marks.iter().filter_map(|mark| self.by_mark.get(mark));
        keys.flatten().cloned().collect()
    }
}

impl Mark {
    fn of(claim: Claim<'_>) -> Self {
        let mut hasher = DefaultHasher::new();
        claim.hash(&mut hasher);
        Self(hasher.finish())
    }
}

fn marks(server: &GrytServer) -> BTreeSet<Mark> {
    let asked = Some(Claim::Hostname(&server.spec.hostname));
    let held = reached_by(server).map(Claim::Hostname);
    let id = server.spec.server_id.as_deref().map(Claim::ServerId);
    let ports = (!host_ports(server).is_empty()).then_some(Claim::NodePorts);
    let claims = [asked, held, id, ports].into_iter().flatten();
    claims.map(Mark::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::{ExposureStatus, GrytServerStatus, MediaStatus, MediaType, WebType};
    use crate::fixture::server;

    fn with(name: &str, change: impl FnOnce(&mut GrytServer)) -> GrytServer {
        let mut server = server(name);
        server.spec.server_id = Some(format!("{name}-id"));
        change(&mut server);
        server
    }

    fn beside(claimants: &Claimants, server: &GrytServer) -> Vec<String> {
        let keys = claimants.beside(server).into_iter();
        keys.map(|key| key.name).collect()
    }

    #[test]
    fn who_shares_a_claim_is_found_and_nobody_else() {
        let mut claimants = Claimants::default();
        let alone = with("alone", |_| {});
        let moved = with("moved", |server| {
            server.status = Some(GrytServerStatus {
                address: Some("https://old.example.org:30443".to_owned()),
                ..GrytServerStatus::default()
            });
        });
        let on_node = with("on-node", |server| {
            server.status = Some(GrytServerStatus {
                exposure: Some(ExposureStatus {
                    web: WebType::Ingress,
                    media: MediaType::HostPort,
                }),
                media: vec![MediaStatus {
                    slot: 0,
                    address: None,
                    port: Some(40_000),
                }],
                ..GrytServerStatus::default()
            });
        });
        for server in [&alone, &moved, &on_node] {
            claimants.put(server);
        }
        assert_eq!(beside(&claimants, &alone), ["alone", "on-node"]);
        let heir = with("heir", |server| {
            server.spec.hostname = "old.example.org".to_owned();
        });
        assert_eq!(beside(&claimants, &heir), ["moved", "on-node"]);
        let copy = with("copy", |server| {
            server.spec.server_id = Some("alone-id".to_owned());
        });
        assert_eq!(beside(&claimants, &copy), ["alone", "on-node"]);
    }

    #[test]
    fn what_is_given_up_or_gone_is_forgotten() {
        let mut claimants = Claimants::default();
        let before = with("chat", |_| {});
        let after = with("chat", |server| {
            server.spec.hostname = "new.example.org".to_owned();
            server.spec.server_id = None;
        });
        claimants.put(&before);
        claimants.put(&after);
        let rival = |hostname: &str| {
            with("rival", |server| {
                server.spec.hostname = hostname.to_owned();
            })
        };
        assert!(beside(&claimants, &rival(&before.spec.hostname)).is_empty());
        assert_eq!(beside(&claimants, &rival("new.example.org")), ["chat"]);
        claimants.remove(&ServerKey::of(&after));
        assert!(claimants.by_mark.is_empty() && claimants.marks.is_empty());
    }
}
