//! A server can be deleted while that which it depends on is away, and nothing of it stays: its
//! objects go by the cluster's own garbage collector, its CA when the operator is there.

use anyhow::{Result, ensure};
use gryt_tests::cluster::{Namespace, PodSecurity};
use gryt_tests::wait::until_answered;

use crate::inventory::{authorities, defaults, everything, left};
use crate::server::{ready, with_spec};
use crate::{alone, among_others, cluster};

const DELETE: [&str; 4] = ["delete", "gs/chat", "--wait=true", "--timeout=30s"];

#[tokio::test]
async fn a_server_goes_though_its_class_is_gone() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "classless", PodSecurity::Restricted).await?;
    defaults(&space).await?;
    let before = everything(&cluster, &space).await?;
    let class = format!("class-of-{}", space.name());
    let mut copy = cluster.get("", "grytserverclass").await?["items"][0].take();
    copy["metadata"] = serde_json::json!({"name": class});
    copy["spec"]["default"] = false.into();
    space.apply(&copy.to_string()).await?;
    let spec = format!("hostname: classless.gryt.test, className: {class}");
    space.apply(&with_spec("chat", &spec)).await?;
    space.wait("gs/chat", "condition=Ready").await?;

    cluster
        .kubectl(&["delete", "grytserverclass", &class])
        .await?;
    space.wait("gs/chat", "condition=Stalled").await?;
    space.kubectl(&DELETE).await?;
    left(&cluster, &space, &before).await
}

#[tokio::test]
async fn a_server_goes_without_the_operator_and_its_authority_once_it_is_back() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "orphaned", PodSecurity::Restricted).await?;
    defaults(&space).await?;
    let before = everything(&cluster, &space).await?;
    ready(&space, "chat", "orphaned.gryt.test").await?;

    let operator = cluster.stop_operator().await?;
    space.kubectl(&DELETE).await?;
    until_answered("only the CA is left", || async {
        let mut now = everything(&cluster, &space).await.ok()?;
        now.retain(|object| !object.starts_with("authority/"));
        (now == before).then_some(())
    })
    .await?;
    ensure!(authorities(&cluster, &space).await?.len() == 1);
    operator.start().await?;
    left(&cluster, &space, &before).await
}

#[tokio::test]
async fn a_server_deleted_while_the_api_server_restarts_leaves_nothing() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "restarted", PodSecurity::Restricted).await?;
    defaults(&space).await?;
    let before = everything(&cluster, &space).await?;
    ready(&space, "chat", "restarted.gryt.test").await?;

    space
        .kubectl(&["delete", "gs/chat", "--wait=false"])
        .await?;
    let control_plane = cluster.stop_control_plane().await?;
    control_plane.start().await?;
    left(&cluster, &space, &before).await
}
