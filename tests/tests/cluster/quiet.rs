//! Idle tenants cost nothing: the operator writes when something changes, and only then.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use gryt_tests::cluster::{Namespace, OPERATOR_USER, PodSecurity, Write};

use crate::server::{OPERATOR_NAMESPACE, with_spec};
use crate::{alone, cluster};

const RUNNING: usize = 10;
const SUSPENDED: usize = 40;
const WATCHED_FOR: Duration = Duration::from_secs(60);

#[tokio::test]
async fn idle_servers_cost_no_writes_even_when_the_operator_starts_anew() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "idle", PodSecurity::Restricted).await?;
    let servers: Vec<String> = (0..RUNNING + SUSPENDED)
        .map(|number| {
            let suspended = number >= RUNNING;
            let spec = format!("hostname: idle-{number}.gryt.test, suspend: {suspended}");
            with_spec(&format!("idle-{number}"), &spec)
        })
        .collect();
    space.apply(&servers.join("---\n")).await?;
    for number in 0..RUNNING {
        space
            .wait(&format!("gs/idle-{number}"), "condition=Ready")
            .await?;
        space
            .wait(&format!("gs/idle-{number}"), "condition=MediaReachable")
            .await?;
    }
    for number in RUNNING..RUNNING + SUSPENDED {
        let suspended = r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason}=Suspended"#;
        space.wait(&format!("gs/idle-{number}"), suspended).await?;
    }
    settled(&space).await?;

    // A new operator lists everything anew, and finds nothing to do.
    let before = cluster.writes()?.len();
    let operator = ["--namespace", OPERATOR_NAMESPACE, "rollout"];
    let with = |args: &[&'static str]| [&operator[..], args].concat();
    cluster.kubectl(&with(&["restart", "deployment"])).await?;
    cluster
        .kubectl(&with(&["status", "deployment", "--timeout=120s"]))
        .await?;
    tokio::time::sleep(WATCHED_FOR).await;
    let after = cluster.writes()?;
    let written = operators_writes(&space, &after[before..]);
    println!(
        "{RUNNING} running and {SUSPENDED} suspended servers, {} s: {written:?}",
        WATCHED_FOR.as_secs()
    );
    ensure!(written.is_empty(), "{written:#?}");
    Ok(())
}

/// Waits until the operator has written nothing for a while.
pub(crate) async fn settled(space: &Namespace) -> Result<()> {
    let cluster = space.cluster();
    for _ in 0..30 {
        let before = cluster.writes()?.len();
        tokio::time::sleep(Duration::from_secs(5)).await;
        let after = cluster.writes()?;
        if operators_writes(space, &after[before..]).is_empty() {
            return Ok(());
        }
    }
    let writes = cluster.writes()?;
    let last = operators_writes(space, &writes[writes.len().saturating_sub(100)..]);
    anyhow::bail!("the operator goes on writing: {last:#?}")
}

/// How often the operator wrote what for the servers of the namespace, leases aside. Namespaces of
/// tests before may still be on their way out, and their CAs are deleted last.
pub(crate) fn operators_writes(space: &Namespace, writes: &[Write]) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for write in writes {
        let of_ours = write.namespace == OPERATOR_NAMESPACE
            && write.verb != "delete"
            && write.resource != "leases";
        let counts = write.namespace == space.name() || of_ours;
        if write.user == OPERATOR_USER && counts {
            let Write {
                verb,
                resource,
                namespace,
                name,
                ..
            } = write;
            *counted
                .entry(format!("{verb} {resource} {namespace}/{name}"))
                .or_default() += 1;
        }
    }
    counted
}
