//! Everything that the cluster has of one server or one namespace, by name: what a server left
//! behind shows as a difference.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Cluster, Namespace};
use gryt_tests::wait::until_answered;
use serde_json::Value;

use crate::server::OPERATOR_NAMESPACE;

/// Every kind that the operator makes beside a server.
pub(crate) const CHILD_KINDS: &str = "deployments,services,serviceaccounts,secrets,configmaps,\
                                      persistentvolumeclaims,networkpolicies,poddisruptionbudgets,\
                                      httproutes,ingresses";
/// Selects what the operator made.
pub(crate) const OURS: &str = "--selector=app.kubernetes.io/managed-by=gryt-operator";

/// Every object of a namespace, and its servers' secrets in the operator's, as `kind/name`.
pub(crate) async fn everything(cluster: &Cluster, space: &Namespace) -> Result<BTreeSet<String>> {
    let kinds = cluster
        .kubectl(&[
            "api-resources",
            "--verbs=list",
            "--namespaced",
            "--output=name",
        ])
        .await?;
    let kinds: Vec<&str> = kinds
        .lines()
        .filter(|kind| !kind.starts_with("events"))
        .collect();
    let listed = space
        .kubectl(&["get", &kinds.join(","), "--output=name"])
        .await?;
    let names = authorities(cluster, space).await?;
    Ok(listed.lines().map(str::to_owned).chain(names).collect())
}

/// The CAs of a namespace's servers, as `authority/name`.
pub(crate) async fn authorities(cluster: &Cluster, space: &Namespace) -> Result<BTreeSet<String>> {
    let secrets: Value = cluster.get(OPERATOR_NAMESPACE, "secrets").await?;
    let secrets = secrets["items"].as_array().context("no list")?;
    let of_the_space = secrets.iter().filter(|secret| {
        secret["metadata"]["labels"]
            .as_object()
            .is_some_and(|labels| labels.values().any(|value| value == space.name()))
    });
    let names = of_the_space.filter_map(|secret| secret["metadata"]["name"].as_str());
    Ok(names.map(|name| format!("authority/{name}")).collect())
}

/// Waits for what every namespace gets.
pub(crate) async fn defaults(space: &Namespace) -> Result<()> {
    space
        .until("serviceaccount/default", "is there", |_| Some(()))
        .await?;
    space
        .until("configmap/kube-root-ca.crt", "is there", |_| Some(()))
        .await
}

/// Waits until everything is as it was before.
pub(crate) async fn left(
    cluster: &Cluster,
    space: &Namespace,
    before: &BTreeSet<String>,
) -> Result<()> {
    let all_gone = until_answered("nothing is left", || async {
        let now = everything(cluster, space).await.ok()?;
        (now == *before).then_some(())
    });
    if all_gone.await.is_err() {
        let now = everything(cluster, space).await?;
        let orphans: Vec<&String> = now.difference(before).collect();
        ensure!(orphans.is_empty(), "left behind: {orphans:#?}");
    }
    Ok(())
}
