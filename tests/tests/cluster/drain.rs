//! An SFU pod that is told to go keeps the call that it has, and goes when the call is over.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::clock;
use gryt_tests::cluster::{Call, Namespace, PodSecurity, Visit};
use serde_json::Value;

use crate::server::{ready, uid};
use crate::{among_others, cluster};

/// How long the call goes on in a pod that ends.
const CALL: Duration = Duration::from_secs(120);
/// Between two looks at the pod, and between two changes of the cluster around it.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_that_ends_keeps_its_call_without_a_lost_packet_until_it_is_over() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "drain", PodSecurity::Restricted).await?;
    ready(&space, "chat", "drain.gryt.test").await?;
    let visit = Visit::begin(&space, "chat").await?;
    let call = visit.call(1..3).await?;
    let pods = space.get("pods").await?;
    let old = sfus(&pods).next().context("no SFU")?.clone();
    let name = format!(
        "pod/{}",
        old["metadata"]["name"].as_str().context("no name")?
    );

    space.kubectl(&["delete", &name, "--wait=false"]).await?;
    space
        .until(&name, "is Terminating", |pod| ends(pod).then_some(()))
        .await?;
    let begun = clock::now();
    let before = spoken(&call).await?;
    let successor = space
        .until("pods", "have a successor", |pods| {
            let mut sfus = sfus(pods).filter(|pod| uid(pod).ok() != uid(&old).ok());
            sfus.find(|pod| is_ready(pod)).cloned()
        })
        .await?;
    let (from, to) = (&old["spec"]["nodeName"], &successor["spec"]["nodeName"]);
    println!(
        "{name} ends on {from}; its successor was ready on {to} after {:?}",
        begun.elapsed()
    );
    while begun.elapsed() < CALL {
        disturb(&space).await?;
        tokio::time::sleep(LOOK_EVERY).await;
        let now = space.get(&name).await?;
        ensure!(ends(&now) && uid(&now)? == uid(&old)?, "{now:#}");
    }

    call.goes_on().await?;
    let (packets, silence) = call.lost_nothing().await?;
    let spoken = spoken(&call).await?;
    let meanwhile: u64 = spoken
        .iter()
        .zip(&before)
        .map(|(now, then)| now - then)
        .sum();
    println!(
        "{:?} in a pod that ends: {meanwhile} packets since, {packets} in all, none lost, longest silence {silence:?}",
        begun.elapsed()
    );
    ensure!(
        meanwhile >= 2 * 50 * CALL.as_secs() * 9 / 10,
        "{meanwhile} packets"
    );
    for person in &call.people {
        assert_eq!(person.later_offers(), 0, "somebody was given another place");
    }

    let leaving = clock::now();
    for person in call.people {
        person.leave().await?;
    }
    space.wait(&name, "delete").await?;
    println!(
        "the pod was gone {:?} after the last had left",
        leaving.elapsed()
    );
    space.wait("gs/chat", "condition=Ready").await?;
    let call = visit.call(3..5).await?;
    call.lost_nothing().await?;
    Ok(())
}

async fn spoken(call: &Call) -> Result<Vec<u64>> {
    let spoken = call.people.iter().map(|person| person.voice.spoken());
    futures_util::future::try_join_all(spoken).await
}

fn sfus(pods: &Value) -> impl Iterator<Item = &Value> {
    let pods = pods["items"].as_array().into_iter().flatten();
    pods.filter(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "sfu")
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn ends(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

/// Each change of a UDP Service lets kube-proxy look for flows that lead to nobody who serves.
async fn disturb(space: &Namespace) -> Result<()> {
    space.apply(NEIGHBOR).await?;
    let endpoints = "endpointslices";
    let known = |slices: &Value| {
        let mut slices = slices["items"].as_array().into_iter().flatten();
        slices.any(|slice| {
            let service = &slice["metadata"]["labels"]["kubernetes.io/service-name"];
            service == "neighbor" && slice["endpoints"].is_array()
        })
    };
    let wish = "know the neighbor";
    space
        .until(endpoints, wish, |slices| known(slices).then_some(()))
        .await?;
    space.kubectl(&["delete", "service/neighbor"]).await?;
    Ok(())
}

const NEIGHBOR: &str = "
apiVersion: v1
kind: Service
metadata: {name: neighbor}
spec:
  type: NodePort
  selector: {app.kubernetes.io/component: sfu}
  ports: [{name: media, protocol: UDP, port: 5000, targetPort: media-udp}]
";
