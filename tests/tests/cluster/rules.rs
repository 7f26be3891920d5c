//! Every rule of the two schemas at the real API server: what it refuses, with which sentence, and
//! what it accepts. The cases are the operator's own; its unit tests give them to kube's CEL engine and
//! see that no rule is without a case.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use gryt_tests::cluster::{Cluster, Namespace, PodSecurity};
use serde_json::{Value, json};

use crate::{among_others, cluster};

#[tokio::test]
async fn rules_of_a_server_refuse_and_accept() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "rules", PodSecurity::Restricted).await?;
    let checked = check(&cluster, &space, "grytserver.yaml").await?;
    ensure!(checked > 20, "only {checked} cases");
    Ok(())
}

#[tokio::test]
async fn rules_of_a_class_refuse_and_accept() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "class-rules", PodSecurity::Restricted).await?;
    let checked = check(&cluster, &space, "grytserverclass.yaml").await?;
    ensure!(checked > 10, "only {checked} cases");
    Ok(())
}

async fn check(cluster: &Cluster, space: &Namespace, file: &str) -> Result<usize> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../operator/tests/fixtures/cel")
        .join(file);
    let table: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(&path)?)?;
    let kind = table["kind"].as_str().context("no kind")?;
    let mut checked = 0;
    let of = |list: &str| table[list].as_array().cloned().unwrap_or_default();
    for rule in of("rules").iter().chain(&of("bounds")) {
        let text = rule["rule"].as_str().context("no rule")?;
        for (list, accepted) in [("refused", false), ("accepted", true)] {
            for case in rule[list].as_array().into_iter().flatten() {
                one(cluster, space, kind, text, (case, accepted))
                    .await
                    .with_context(|| format!("{kind}: {text}"))?;
                checked += 1;
            }
        }
    }
    Ok(checked)
}

/// Nothing stays: a case without a past is a dry run, one with a past is removed.
async fn one(
    cluster: &Cluster,
    space: &Namespace,
    kind: &str,
    rule: &str,
    (case, accepted): (&Value, bool),
) -> Result<()> {
    let name = case["name"].as_str().unwrap_or("rule-case");
    let object = |spec: &Value| {
        let mut object = json!({
            "apiVersion": "gryt.chat/v1alpha1",
            "kind": kind,
            "metadata": {"name": name, "annotations": {"gryt.chat/paused": "true"}},
            "spec": spec,
        });
        if kind == "GrytServer" {
            object["metadata"]["namespace"] = space.name().into();
        }
        object.to_string()
    };
    let before = &case["before"];
    if !before.is_null() {
        let made = cluster
            .kubectl_said(&["create", "--filename=-"], Some(&object(before)))
            .await?;
        ensure!(
            made.success,
            "the past itself is refused: {}",
            made.complaint
        );
    }
    let verb = if before.is_null() {
        "create"
    } else {
        "replace"
    };
    let args = [verb, "--dry-run=server", "--filename=-"];
    let said = cluster
        .kubectl_said(&args, Some(&object(&case["spec"])))
        .await?;
    if !before.is_null() {
        let gone = ["delete", "--wait=true", "--filename=-"];
        cluster.kubectl_said(&gone, Some(&object(before))).await?;
    }
    match (said.success, accepted) {
        (true, true) => Ok(()),
        (true, false) => bail!("accepted: {case}"),
        (false, true) => bail!("refused: {case}: {}", said.complaint),
        (false, false) => {
            let sentence = case["message"].as_str().unwrap_or(rule);
            ensure!(
                said.complaint.contains(sentence),
                "{case}: {}",
                said.complaint
            );
            Ok(())
        }
    }
}
