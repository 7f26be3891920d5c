//! A cluster of three primaries with a replica each.

use std::fmt::Write as _;

use super::Redis;
use crate::process::free_port;
use crate::wait::eventually;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;

/// A Redis cluster. The first three nodes begin as primaries, `n + 3` is the replica of `n`.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Starts six nodes and waits until every one finds the cluster whole.
    #[must_use]
    pub fn start() -> Self {
        let mut buses = Vec::new();
        let nodes: Vec<Redis> = (0..2 * PRIMARIES)
            .map(|_| {
                let bus = free_port().to_string();
                let node = Redis::start(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    "2000",
                    "--repl-diskless-sync-delay",
                    "0",
                ]);
                buses.push(bus);
                node
            })
            .collect();
        for (node, bus) in nodes.iter().zip(&buses).skip(1) {
            let port = node.port().to_string();
            nodes[0].run(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        for (index, node) in nodes[..PRIMARIES].iter().enumerate() {
            let first = index * SLOTS / PRIMARIES;
            let last = (index + 1) * SLOTS / PRIMARIES - 1;
            let (first, last) = (first.to_string(), last.to_string());
            node.run(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        for index in PRIMARIES..2 * PRIMARIES {
            let primary = nodes[index - PRIMARIES].run(&["CLUSTER", "MYID"]);
            eventually("a replica knows its primary", || {
                nodes[index]
                    .try_run(&["CLUSTER", "REPLICATE", &primary])
                    .ok()
            });
        }
        for (index, node) in nodes.iter().enumerate() {
            eventually("the cluster is whole", || {
                let is_ok = node.fact(&["CLUSTER", "INFO"], "cluster_state")? == "ok";
                let known = node.fact(&["CLUSTER", "INFO"], "cluster_known_nodes")?;
                let link = node.fact(&["INFO", "replication"], "master_link_status");
                let follows = index < PRIMARIES || link.as_deref() == Some("up");
                (is_ok && known == nodes.len().to_string() && follows).then_some(())
            });
        }
        Self { nodes }
    }

    /// The line that a configuration names it by.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = "redis+cluster://".to_owned();
        for (index, node) in self.nodes.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(url, "{comma}127.0.0.1:{}", node.port());
        }
        url
    }

    /// All of them, primaries first.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Ends the first primary of a key's slot as `kill -9` does, and waits until its replica has
    /// taken over.
    pub fn fail_over(&mut self, key: &str) {
        let slot = self.nodes[0].run(&["CLUSTER", "KEYSLOT", key]);
        let slot: usize = slot
            .parse()
            .unwrap_or_else(|error| panic!("no slot in {slot:?}: {error}"));
        let primary = slot * PRIMARIES / SLOTS;
        self.nodes[primary].kill();
        let replica = &self.nodes[primary + PRIMARIES];
        eventually("the replica takes over", || {
            let role = replica.fact(&["INFO", "replication"], "role")?;
            (role == "master").then_some(())
        });
    }
}
