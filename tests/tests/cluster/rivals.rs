//! Two operators that do not know of each other agree: neither undoes what the other did.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Namespace, OperatorProcess, PodSecurity};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inventory::{CHILD_KINDS, OURS};
use crate::quiet::{operators_writes, settled};
use crate::server::{OPERATOR_NAMESPACE, with_spec};
use crate::{alone, cluster};

const LEASE: &str = "rival";
const SUSPENDED: usize = 4;
const WATCHED_FOR: Duration = Duration::from_secs(60);

#[tokio::test]
async fn two_operators_leave_each_others_objects_alone() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "rivals", PodSecurity::Restricted).await?;
    let folder = TempDir::new()?;
    let kubeconfig = cluster.operators_kubeconfig(folder.path()).await?;
    let rights = ["apply", "--filename=-"];
    let said = cluster.kubectl_said(&rights, Some(LEASE_RIGHTS)).await?;
    ensure!(said.success, "{}", said.complaint);
    let flags = ["--lease-name", LEASE, "--identity", LEASE];
    let rival = OperatorProcess::start(&cluster, &kubeconfig, &flags).await?;
    cluster
        .until(
            OPERATOR_NAMESPACE,
            &format!("lease/{LEASE}"),
            "is held",
            |lease| (lease["spec"]["holderIdentity"] == LEASE).then_some(()),
        )
        .await?;

    // Both begin each of them at the same time.
    let servers: Vec<String> = (0..=SUSPENDED)
        .map(|number| {
            let spec = format!(
                "hostname: rivals-{number}.gryt.test, suspend: {}",
                number > 0
            );
            with_spec(&format!("rivals-{number}"), &spec)
        })
        .collect();
    space.apply(&servers.join("---\n")).await?;
    for condition in ["Ready", "MediaReachable"] {
        let condition = format!("condition={condition}");
        space.wait("gs/rivals-0", &condition).await?;
    }
    for number in 1..=SUSPENDED {
        let suspended = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}=Suspended"#;
        let server = format!("gs/rivals-{number}");
        space.wait(&server, suspended).await?;
    }
    settled(&space).await?;

    let written = cluster.writes()?.len();
    let before = versions(&space).await?;
    ensure!(before.len() > 12 * (1 + SUSPENDED), "{before:#?}");
    tokio::time::sleep(WATCHED_FOR).await;
    let after = versions(&space).await?;
    let writes = operators_writes(&space, &cluster.writes()?[written..]);
    println!(
        "two operators, {} objects, {} s: {writes:?}",
        before.len(),
        WATCHED_FOR.as_secs()
    );
    ensure!(writes.is_empty(), "{writes:#?}");
    for (object, version) in &before {
        ensure!(after.get(object) == Some(version), "{object} changed");
    }
    ensure!(after.len() == before.len(), "{after:#?}");
    rival.kill().await?;
    let gone = ["--namespace", OPERATOR_NAMESPACE, "delete"];
    cluster
        .kubectl(&[&gone[..], &["role,rolebinding,lease", LEASE]].concat())
        .await?;
    Ok(())
}

/// The resourceVersion and the field managers of every server and of all its children, the CA
/// included.
async fn versions(space: &Namespace) -> Result<BTreeMap<String, Value>> {
    let managed = ["--show-managed-fields", "--output=json"];
    let servers = [&["get", "grytservers"], &managed[..]].concat();
    let children = [&["get", CHILD_KINDS, OURS], &managed[..]].concat();
    let mut versions = BTreeMap::new();
    let authorities = format!("--selector=gryt.chat/server-namespace={}", space.name());
    let authorities = [
        "--namespace",
        OPERATOR_NAMESPACE,
        "get",
        "secrets",
        &authorities,
    ];
    let authorities = [&authorities[..], &managed].concat();
    let lists = [
        space.kubectl(&servers).await?,
        space.kubectl(&children).await?,
        space.cluster().kubectl(&authorities).await?,
    ];
    for list in lists {
        let list: Value = serde_json::from_str(&list)?;
        for object in list["items"].as_array().context("no list")? {
            let metadata = &object["metadata"];
            let version = json!([metadata["resourceVersion"], metadata["managedFields"]]);
            let name = format!("{}/{}", object["kind"], metadata["name"]);
            versions.insert(name, version);
        }
    }
    Ok(versions)
}

/// The chart lets the operator hold the chart's lease only.
const LEASE_RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: rival, namespace: gryt-system}
rules:
  - {apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [rival], verbs: [get, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: rival, namespace: gryt-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: rival}
subjects: [{kind: ServiceAccount, name: gryt-operator, namespace: gryt-system}]
";
