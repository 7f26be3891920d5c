//! What a stranger in the same cluster reaches: the page, the media, and nothing else.

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Namespace, PodSecurity, Probe};
use gryt_tests::wait::until_answered;
use serde_json::Value;

use crate::server::ready;
use crate::{among_others, cluster};

#[tokio::test]
async fn a_foreign_namespace_reaches_the_page_and_neither_grpc_nor_metrics() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "isolated", PodSecurity::Restricted).await?;
    let foreign = Namespace::create(&cluster, "stranger", PodSecurity::Restricted).await?;
    ready(&space, "chat", "isolated.gryt.test").await?;
    let stranger = foreign.probe("stranger").await?;
    let signaling = address(&space, "signaling").await?;
    let sfu = address(&space, "sfu").await?;

    let page = format!("{signaling}:8080");
    ensure!(stranger.connects(&page).await?, "the page is not served");
    let closed = [
        format!("{signaling}:8090"),
        format!("{sfu}:8082"),
        format!("{sfu}:8083"),
    ];
    for port in &closed {
        ensure!(
            !stranger.connects(port).await?,
            "{port} is open to a foreign namespace"
        );
    }

    // The same probe gets through once our policies are gone, so it is they that keep it out.
    space
        .kubectl(&["annotate", "gs/chat", "gryt.chat/paused=true"])
        .await?;
    space
        .kubectl(&["delete", "networkpolicies", "--all"])
        .await?;
    for port in &closed {
        connects(&stranger, port)
            .await
            .with_context(|| port.clone())?;
    }
    let policies = space.get("networkpolicies").await?;
    ensure!(
        policies["items"].as_array().is_some_and(Vec::is_empty),
        "paused means hands off"
    );

    space
        .kubectl(&["annotate", "gs/chat", "gryt.chat/paused-"])
        .await?;
    space
        .until("networkpolicies", "are back", |list| {
            (list["items"].as_array()?.len() == 2).then_some(())
        })
        .await
}

async fn connects(probe: &Probe<'_>, to: &str) -> Result<()> {
    until_answered("a connection without policies", || async {
        probe.connects(to).await.ok()?.then_some(())
    })
    .await
}

/// The address of the component's pod.
async fn address(space: &Namespace, component: &str) -> Result<String> {
    let pods: Value = space.get("pods").await?;
    let pods = pods["items"].as_array().context("no list of pods")?;
    let ours = |pod: &&Value| pod["metadata"]["labels"]["app.kubernetes.io/component"] == component;
    let address = pods
        .iter()
        .find(ours)
        .and_then(|pod| pod["status"]["podIP"].as_str());
    Ok(address
        .with_context(|| format!("no pod of {component}"))?
        .to_owned())
}
