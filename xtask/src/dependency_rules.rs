//! Which crate may know which: the architecture as a check.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{cargo, output};

/// Crates of ours that a crate of ours may name. Everything else is a broken boundary.
const MAY_KNOW: [(&str, &[&str]); 20] = [
    ("gryt-operator", &["gryt-model", "gryt-runtime"]),
    ("gryt-proto", &[]),
    ("gryt-model", &[]),
    ("gryt-rooms", &["gryt-model"]),
    ("gryt-chat", &["gryt-model"]),
    ("gryt-media", &["gryt-model"]),
    ("gryt-store", &["gryt-model", "gryt-chat"]),
    ("gryt-blobs", &["gryt-model"]),
    // The log is a second SQLite file, written the same way (decision 22).
    ("gryt-bus", &["gryt-model", "gryt-proto", "gryt-store"]),
    ("gryt-runtime", &[]),
    ("gryt-issuer", &["gryt-model", "gryt-runtime"]),
    // Serves the issuer where no other one is named; nobody else makes invites for it.
    (
        "gryt-signaling",
        &[
            "gryt-blobs",
            "gryt-bus",
            "gryt-chat",
            "gryt-issuer",
            "gryt-model",
            "gryt-proto",
            "gryt-rooms",
            "gryt-runtime",
            "gryt-store",
        ],
    ),
    (
        "gryt-sfu",
        &["gryt-media", "gryt-model", "gryt-proto", "gryt-runtime"],
    ),
    (
        "gryt",
        &[
            "gryt-issuer",
            "gryt-runtime",
            "gryt-sfu",
            "gryt-signaling",
            "gryt-store",
        ],
    ),
    ("gryt-tests", &["gryt-model", "gryt-proto"]),
    ("gryt-backends", &[]),
    ("gryt-cluster-controllers", &[]),
    // Renders what the operator would write, to write the same without it.
    ("gryt-cluster-load", &["gryt-operator"]),
    ("gryt-cluster-probe", &[]),
    ("xtask", &[]),
];

/// The pure crates, and what none of them may reach even through another crate.
const PURE: [&str; 4] = ["gryt-model", "gryt-rooms", "gryt-chat", "gryt-media"];
const IMPURE: [&str; 10] = [
    "tokio", "mio", "axum", "hyper", "tonic", "kube", "redis", "rusqlite", "reqwest", "scylla",
];

/// Compares the workspace with the rules.
///
/// # Errors
/// Names every broken boundary.
pub(crate) fn check() -> Result<()> {
    let text = output(cargo(&["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).context("read cargo's metadata")?;
    let broken = broken_rules(&Graph::read(&metadata)?);
    if !broken.is_empty() {
        bail!("{}", broken.join("; "));
    }
    Ok(())
}

/// Crate names and what each depends on, tests and build scripts left out.
struct Graph {
    own: BTreeSet<String>,
    dependencies: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Self> {
        let packages = metadata["packages"]
            .as_array()
            .context("no packages in the metadata")?;
        let names: BTreeMap<&str, &str> = packages
            .iter()
            .filter_map(|p| Some((p["id"].as_str()?, p["name"].as_str()?)))
            .collect();
        let members = metadata["workspace_members"]
            .as_array()
            .context("no workspace members")?;
        let own = members
            .iter()
            .filter_map(|id| names.get(id.as_str()?).map(|name| (*name).to_owned()))
            .collect();
        let nodes = metadata["resolve"]["nodes"]
            .as_array()
            .context("no resolved graph")?;
        let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in nodes {
            let Some(name) = node["id"].as_str().and_then(|id| names.get(id)) else {
                continue;
            };
            let normal = node["deps"].as_array().into_iter().flatten().filter(|dep| {
                dep["dep_kinds"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|kind| kind["kind"].is_null())
            });
            let normal = normal.filter_map(|dep| names.get(dep["pkg"].as_str()?));
            dependencies
                .entry((*name).to_owned())
                .or_default()
                .extend(normal.map(|name| (*name).to_owned()));
        }
        Ok(Self { own, dependencies })
    }

    fn reached_from(&self, name: &str) -> BTreeSet<&str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            for next in self.dependencies.get(name).into_iter().flatten() {
                if reached.insert(next.as_str()) {
                    open.push(next);
                }
            }
        }
        reached
    }
}

fn broken_rules(graph: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    for name in &graph.own {
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(crate_name, _)| crate_name == name) else {
            broken.push(format!(
                "{name} has no rule in xtask/src/dependency_rules.rs"
            ));
            continue;
        };
        let known = graph.dependencies.get(name).into_iter().flatten();
        for other in known.filter(|other| graph.own.contains(*other)) {
            if !allowed.contains(&other.as_str()) {
                broken.push(format!("{name} may not know {other}"));
            }
        }
    }
    for name in PURE {
        let reached = graph.reached_from(name);
        for impure in IMPURE.iter().filter(|impure| reached.contains(**impure)) {
            broken.push(format!("{name} is pure and may not reach {impure}"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            dependencies
                .entry((*from).into())
                .or_default()
                .insert((*to).into());
        }
        let own = MAY_KNOW.iter().map(|(name, _)| (*name).into()).collect();
        Graph { own, dependencies }
    }

    #[test]
    fn broken_boundaries_are_named() {
        let broken = broken_rules(&graph(&[
            ("gryt-signaling", "gryt-media"),
            ("gryt-chat", "between"),
            ("between", "tokio"),
            ("gryt-sfu", "gryt-media"),
        ]));
        assert_eq!(
            broken,
            [
                "gryt-signaling may not know gryt-media",
                "gryt-chat is pure and may not reach tokio"
            ]
        );
    }
}
