//! Whose an object is: what stands there already is never taken over, and what somebody added to a
//! child goes without leaving a trace.

use anyhow::{Result, ensure};
use gryt_tests::cluster::{Namespace, PodSecurity};
use serde_json::Value;

use crate::refusals::{healed, stalled};
use crate::server::{ready, smallest, uid, with_spec};
use crate::{among_others, cluster};

/// A tenant's own volume and page, which only happen to have the names of children.
const FOREIGN: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: chat-data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: chat-signaling}
spec: {selector: {app: other}, ports: [{port: 80}]}
";

#[tokio::test]
async fn what_stands_there_already_is_neither_taken_nor_deleted() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "foreign", PodSecurity::Restricted).await?;
    space.apply(FOREIGN).await?;
    let claim = space.get("persistentvolumeclaim/chat-data").await?;

    space.apply(&smallest("chat", "foreign.gryt.test")).await?;
    let message = stalled(&space, "chat", "ApplyRefused").await?;
    ensure!(message.contains("exists already"), "{message}");
    let service = space.get("service/chat-signaling").await?;
    assert_eq!(
        service["spec"]["selector"],
        serde_json::json!({"app": "other"})
    );
    for object in [
        &service,
        &space.get("persistentvolumeclaim/chat-data").await?,
    ] {
        ensure!(
            object["metadata"]["ownerReferences"].is_null(),
            "{object:#}"
        );
    }
    let made = space.get("deployments").await?;
    assert_eq!(made["items"].as_array().map(Vec::len), Some(0));

    // With the Service gone, the claim alone is in the way.
    space.kubectl(&["delete", "service/chat-signaling"]).await?;
    space
        .until("gs/chat", "names the claim", |server| {
            let conditions = server["status"]["conditions"].as_array()?;
            let names = |c: &Value| {
                c["message"]
                    .as_str()
                    .is_some_and(|m| m.contains("chat-data"))
            };
            conditions.iter().any(names).then_some(())
        })
        .await?;
    let now = space.get("persistentvolumeclaim/chat-data").await?;
    assert_eq!(uid(&now)?, uid(&claim)?);
    space
        .kubectl(&["delete", "persistentvolumeclaim/chat-data"])
        .await?;
    healed(&space, "chat").await
}

#[tokio::test]
async fn a_setting_can_be_removed_after_an_edit_was_taken_back() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "edited", PodSecurity::Restricted).await?;
    let spec = "hostname: edited.gryt.test, template: {annotations: {example.org/team: river}}";
    space.apply(&with_spec("chat", spec)).await?;
    space.wait("gs/chat", "condition=Ready").await?;
    let sfu = "deployment/chat-sfu-0";
    let annotation = |deployment: &Value| {
        let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
        annotations["example.org/team"].as_str().map(str::to_owned)
    };
    assert_eq!(annotation(&space.get(sfu).await?).as_deref(), Some("river"));

    space.kubectl(&["set", "env", sfu, "ADDED=1"]).await?;
    space
        .until(sfu, "has lost what was added", |deployment| {
            let container = &deployment["spec"]["template"]["spec"]["containers"][0];
            let names = container["env"].as_array()?;
            names.iter().all(|one| one["name"] != "ADDED").then_some(())
        })
        .await?;
    ready(&space, "chat", "edited.gryt.test").await?;
    space
        .until(sfu, "has lost the annotation", |deployment| {
            annotation(deployment).is_none().then_some(())
        })
        .await
}
