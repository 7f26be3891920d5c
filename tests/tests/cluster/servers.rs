//! What becomes of ten lines: a server that is Ready, whose children come back, and which leaves
//! nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Namespace, PodSecurity};
use tokio::time::Instant;

use crate::inventory::{CHILD_KINDS, OURS, defaults, everything, left};
use crate::server::{condition, ready, smallest, uid};
use crate::{alone, among_others, cluster};

/// How long a child may be away or wrong.
const REPAIR: Duration = Duration::from_secs(5);

/// Pod Security "restricted" is enforced by the namespace, so a pod that asks for more never runs.
#[tokio::test]
async fn ten_lines_become_a_ready_server_and_leave_nothing() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "smallest", PodSecurity::Restricted).await?;
    defaults(&space).await?;
    let before = everything(&cluster, &space).await?;

    ready(&space, "chat", "smallest.gryt.test").await?;
    let server = space.get("gs/chat").await?;
    for (field, expected) in [
        ("address", "https://smallest.gryt.test"),
        ("signaling", "1/1"),
        ("sfu", "1/1"),
    ] {
        assert_eq!(server["status"][field], expected, "{field}");
    }
    ensure!(condition(&server, "Stalled").is_none());
    let (reachable, reason, message) = space
        .until("gs/chat", "was probed", |server| {
            condition(server, "MediaReachable").filter(|(status, ..)| status == "True")
        })
        .await?;
    assert_eq!(
        (&*reachable, &*reason),
        ("True", "ProbedFromInside"),
        "{message}"
    );
    let during = everything(&cluster, &space).await?;
    ensure!(during.len() > before.len() + 10, "{during:#?}");

    space
        .kubectl(&["delete", "gs/chat", "--wait=true", "--timeout=90s"])
        .await?;
    left(&cluster, &space, &before).await
}

#[tokio::test]
async fn a_server_deleted_in_the_middle_of_its_creation_leaves_nothing() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "halfway", PodSecurity::Restricted).await?;
    defaults(&space).await?;
    let before = everything(&cluster, &space).await?;
    for pause in [0, 300, 1500] {
        space.apply(&smallest("chat", "halfway.gryt.test")).await?;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        space
            .kubectl(&["delete", "gs/chat", "--wait=true", "--timeout=90s"])
            .await?;
        left(&cluster, &space, &before)
            .await
            .with_context(|| format!("deleted {pause} ms after its creation"))?;
    }
    Ok(())
}

#[tokio::test]
async fn every_child_comes_back_when_deleted_and_when_edited() -> Result<()> {
    // Alone, because it measures how long each takes.
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "children", PodSecurity::Restricted).await?;
    ready(&space, "chat", "children.gryt.test").await?;
    let children = children(&space).await?;
    ensure!(children.len() > 12, "{children:?}");
    let mut took = Vec::new();
    for child in &children {
        took.push((edited(&space, child).await?, format!("{child} edited")));
        // The API server keeps a volume until no pod uses it.
        if !child.starts_with("persistentvolumeclaim/") {
            took.push((deleted(&space, child).await?, format!("{child} deleted")));
        }
    }
    took.sort();
    let (slowest, which) = took.last().context("no children")?;
    let (median, _) = &took[took.len() / 2];
    println!(
        "repairs of {} children: median {median:?}, slowest {slowest:?} ({which})",
        took.len()
    );
    assert!(*slowest < REPAIR, "{which} took {slowest:?}");
    space.wait("gs/chat", "condition=Ready").await
}

async fn edited(space: &Namespace, child: &str) -> Result<Duration> {
    space
        .kubectl(&[
            "label",
            child,
            "--overwrite",
            "app.kubernetes.io/part-of=somebody",
        ])
        .await?;
    let begun = Instant::now();
    space
        .until(child, "has its label back", |object| {
            (object["metadata"]["labels"]["app.kubernetes.io/part-of"] == "gryt").then_some(())
        })
        .await?;
    Ok(begun.elapsed())
}

async fn deleted(space: &Namespace, child: &str) -> Result<Duration> {
    let before = uid(&space.get(child).await?)?;
    space.kubectl(&["delete", child, "--wait=false"]).await?;
    let begun = Instant::now();
    space
        .until(child, "is back", |object| {
            uid(object).ok().filter(|now| *now != before)
        })
        .await?;
    Ok(begun.elapsed())
}

/// What the operator made for the server, as `kind/name`.
async fn children(space: &Namespace) -> Result<Vec<String>> {
    let listed = space
        .kubectl(&["get", CHILD_KINDS, OURS, "--output=name"])
        .await?;
    Ok(listed.lines().map(str::to_owned).collect())
}
