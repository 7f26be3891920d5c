//! People on a server of the cluster: what they hear and what they wrote outlive its signaling pod.

use anyhow::{Result, ensure};
use gryt_tests::cluster::{Cluster, Namespace, PodSecurity, Visit};

use crate::server::{ready, uid};
use crate::{among_others, cluster};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_signaling_pod_costs_neither_words_nor_packets() -> Result<()> {
    let _turn = among_others().await;
    let cluster: Cluster = cluster()?;
    let space = Namespace::create(&cluster, "people", PodSecurity::Restricted).await?;
    ready(&space, "chat", "people.gryt.test").await?;
    let mut visit = Visit::begin(&space, "chat").await?;
    visit.write("written before").await?;
    let call = visit.call(1..4).await?;

    let selector = "--selector=app.kubernetes.io/component=signaling";
    let pods = || async {
        space
            .kubectl(&["get", "pods", selector, "--output=name"])
            .await
    };
    let before = pods().await?;
    let first = uid(&space.get(&before).await?)?;
    space.kubectl(&["delete", &before, "--wait=true"]).await?;
    space.wait("gs/chat", "condition=Ready").await?;
    ensure!(uid(&space.get(&pods().await?).await?)? != first);

    visit.come_back().await?;
    assert_eq!(visit.history().await?, ["written before"]);
    visit.write("written after").await?;
    assert_eq!(visit.history().await?, ["written before", "written after"]);
    let (packets, silence) = call.lost_nothing().await?;
    println!("{packets} packets, none lost, longest silence {silence:?}");
    let late = visit.join(9).await?;
    ensure!(late.participant_id != 0);
    Ok(())
}
