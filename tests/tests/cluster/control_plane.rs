//! What people hear does not depend on the cluster's own machinery: with operator and control plane
//! dead a call goes on, and more people come.

use std::time::Duration;

use anyhow::{Result, ensure};
use gryt_tests::cluster::{Cluster, Namespace, PodSecurity, Visit};
use tokio::time::{Instant, sleep_until};

use crate::server::{ready, uid};
use crate::{alone, cluster};

/// How long nobody rules the cluster.
const AWAY: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_and_grows_while_operator_and_control_plane_are_dead() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "ruled", PodSecurity::Restricted).await?;
    ready(&space, "chat", "ruled.gryt.test").await?;
    let visit = Visit::begin(&space, "chat").await?;
    let call = visit.call(1..3).await?;
    let pods = pods(&space).await?;

    let operator = cluster.stop_operator().await?;
    let control_plane = cluster.stop_control_plane().await?;
    let back = Instant::now() + AWAY;
    ensure!(!answers(&cluster).await?, "the API server is still there");
    let late = visit.join(7).await?;
    call.goes_on().await?;
    sleep_until(back).await;
    ensure!(!answers(&cluster).await?, "the API server is back already");
    let (packets, silence) = call.lost_nothing().await?;
    println!("{AWAY:?} without a control plane: {packets} packets, longest silence {silence:?}");

    control_plane.start().await?;
    operator.start().await?;
    nodes_are_ready(&cluster).await?;
    space.wait("gs/chat", "condition=Ready").await?;
    space.wait("gs/chat", "condition=MediaReachable").await?;
    let child = "poddisruptionbudget/chat-sfu";
    space.kubectl(&["delete", child]).await?;
    space.until(child, "is back", |_| Some(())).await?;
    ensure!(self::pods(&space).await? == pods, "a pod was replaced");
    let (packets, silence) = call.lost_nothing().await?;
    println!("until all is Ready again: {packets} packets, longest silence {silence:?}");
    late.leave().await?;
    visit.join(8).await?;
    Ok(())
}

/// Whether the API server answers.
async fn answers(cluster: &Cluster) -> Result<bool> {
    let ask = ["get", "--raw", "/livez", "--request-timeout=3s"];
    Ok(cluster.kubectl_said(&ask, None).await?.success)
}

async fn nodes_are_ready(cluster: &Cluster) -> Result<()> {
    let wait = [
        "wait",
        "nodes",
        "--all",
        "--for=condition=Ready",
        "--timeout=60s",
    ];
    cluster.kubectl(&wait).await?;
    Ok(())
}

/// The uids of the pods.
async fn pods(space: &Namespace) -> Result<Vec<String>> {
    let pods = space.get("pods").await?;
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    pods.iter().map(uid).collect()
}
