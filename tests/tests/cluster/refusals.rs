//! What only the cluster can know: shown in a condition within seconds, the last good state kept,
//! healed when the cause is gone.

use std::time::Duration;

use anyhow::{Result, ensure};
use gryt_tests::cluster::{Namespace, PodSecurity};
use tokio::time::Instant;

use crate::server::{condition, ready, smallest, uid, with_spec};
use crate::{among_others, cluster};

/// How long a refusal may take to show.
const SHOWN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn more_replicas_than_one_volume_can_serve_are_refused_and_heal() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "replicas", PodSecurity::Restricted).await?;
    ready(&space, "chat", "replicas.gryt.test").await?;
    let before = uid(&space.get("deployment/chat-signaling").await?)?;

    let spec = "hostname: replicas.gryt.test, signaling: {replicas: 3}";
    space.apply(&with_spec("chat", spec)).await?;
    stalled(&space, "chat", "SharedBackendsRequired").await?;
    let deployment = space.get("deployment/chat-signaling").await?;
    assert_eq!(uid(&deployment)?, before);
    assert_eq!(deployment["spec"]["replicas"], 1);
    assert_eq!(deployment["status"]["readyReplicas"], 1);

    let spec = "hostname: replicas.gryt.test, signaling: {replicas: 1}";
    space.apply(&with_spec("chat", spec)).await?;
    healed(&space, "chat").await
}

#[tokio::test]
async fn the_older_of_two_servers_keeps_a_host_name_until_it_is_gone() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let older = Namespace::create(&cluster, "older", PodSecurity::Restricted).await?;
    let younger = Namespace::create(&cluster, "younger", PodSecurity::Restricted).await?;
    older.apply(&smallest("first", "wanted.gryt.test")).await?;
    // Creation times have the grain of a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    younger
        .apply(&smallest("second", "wanted.gryt.test"))
        .await?;
    let message = stalled(&younger, "second", "HostnameTaken").await?;
    ensure!(message.contains("wanted.gryt.test"), "{message}");
    ensure!(condition(&older.get("gs/first").await?, "Stalled").is_none());
    let made = younger.get("deployments").await?;
    assert_eq!(made["items"].as_array().map(Vec::len), Some(0));

    older.kubectl(&["delete", "gs/first"]).await?;
    healed(&younger, "second").await
}

#[tokio::test]
async fn a_missing_secret_is_named_and_heals_when_it_is_there() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "secret", PodSecurity::Restricted).await?;
    let spec = "hostname: secret.gryt.test, template: {imagePullSecrets: [{name: registry}]}";
    space.apply(&with_spec("chat", spec)).await?;
    let message = stalled(&space, "chat", "SecretNotFound").await?;
    ensure!(message.contains("registry"), "{message}");
    let registry = [
        "create",
        "secret",
        "docker-registry",
        "registry",
        "--docker-server=registry.example.org",
        "--docker-username=reader",
        "--docker-password=secret",
    ];
    space.kubectl(&registry).await?;
    healed(&space, "chat").await
}

#[tokio::test]
async fn a_missing_class_is_named_and_heals_when_it_is_there() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "class", PodSecurity::Restricted).await?;
    let class = space.name().to_owned();
    let spec = format!("hostname: class.gryt.test, className: {class}");
    space.apply(&with_spec("chat", &spec)).await?;
    let message = stalled(&space, "chat", "ClassNotFound").await?;
    ensure!(message.contains(&class), "{message}");
    let object = format!(
        "apiVersion: gryt.chat/v1alpha1
kind: GrytServerClass
metadata: {{name: {class}}}
spec: {{images: {{registry: localhost, tag: test}}, exposure: {{web: {{type: NodePort}}}}}}
"
    );
    space.apply(&object).await?;
    let outcome = healed(&space, "chat").await;
    space.kubectl(&["delete", "gs/chat"]).await?;
    cluster
        .kubectl(&["delete", "grytserverclass", &class])
        .await?;
    outcome
}

/// Waits for the condition and gives back its message.
pub(crate) async fn stalled(space: &Namespace, name: &str, reason: &str) -> Result<String> {
    let begun = Instant::now();
    let (_, seen, message) = space
        .until(&format!("gs/{name}"), "is Stalled", |server| {
            condition(server, "Stalled").filter(|(status, ..)| status == "True")
        })
        .await?;
    let took = begun.elapsed();
    assert_eq!(seen, reason, "{message}");
    assert!(took < SHOWN, "{reason} took {took:?}");
    Ok(message)
}

pub(crate) async fn healed(space: &Namespace, name: &str) -> Result<()> {
    space
        .until(&format!("gs/{name}"), "is not Stalled", |server| {
            condition(server, "Stalled").is_none().then_some(())
        })
        .await?;
    space.wait(&format!("gs/{name}"), "condition=Ready").await
}
