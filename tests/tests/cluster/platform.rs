//! The cluster itself, before any product is on it: what the other tests take for granted.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Cluster, Namespace, PodSecurity, Probe};
use tokio::net::UdpSocket;

use crate::cluster;

#[tokio::test]
async fn two_nodes_are_ready() -> Result<()> {
    let nodes = cluster()?.get("default", "nodes").await?;
    let ready = |node: &serde_json::Value| {
        let conditions = node["status"]["conditions"].as_array().cloned();
        let is_ready = |c: &serde_json::Value| c["type"] == "Ready" && c["status"] == "True";
        conditions.unwrap_or_default().iter().any(is_ready)
    };
    let nodes = nodes["items"].as_array().context("no list of nodes")?;
    let ready = nodes.iter().filter(|node| ready(node)).count();
    assert_eq!(ready, Cluster::NODES.len());
    Ok(())
}

/// Static programs carry their own resolver: this is the way in which all our images are linked.
#[tokio::test]
async fn names_of_services_resolve_in_a_static_image() -> Result<()> {
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "dns", PodSecurity::Restricted).await?;
    let probe = space.probe("asker").await?;
    let said = probe.run(&["resolve", "kube-dns.kube-system.svc"]).await?;
    let service = cluster.get("kube-system", "service/kube-dns").await?;
    assert_eq!(
        service["spec"]["clusterIP"],
        said.output.as_str(),
        "{said:?}"
    );
    let said = probe.run(&["resolve", "nobody.kube-system.svc"]).await?;
    assert!(!said.success, "{said:?}");
    Ok(())
}

#[tokio::test]
async fn a_network_policy_refuses_and_admits_fresh_connections() -> Result<()> {
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "policy", PodSecurity::Restricted).await?;
    let foreign = Namespace::create(&cluster, "foreign", PodSecurity::Restricted).await?;
    let (listener, friend, stranger) = tokio::try_join!(
        space.probe_on("listener", "node1"),
        space.probe_on("friend", "node2"),
        foreign.probe_on("stranger", "node2"),
    )?;
    let to = SocketAddr::new(listener.address().await?, Probe::PORT).to_string();
    assert!(stranger.connects(&to).await?);

    space.apply(POLICY).await?;
    until_connects(&stranger, &to, false).await?;
    assert!(friend.connects(&to).await?);

    space.kubectl(&["delete", "networkpolicy", "--all"]).await?;
    until_connects(&stranger, &to, true).await
}

const POLICY: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: listener}
spec:
  podSelector: {matchLabels: {app: listener}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: friend}}}]
      ports: [{port: echo}]
";

/// A policy takes a moment to reach the node.
async fn until_connects(probe: &Probe<'_>, to: &str, wanted: bool) -> Result<()> {
    gryt_tests::wait::until_answered("the policy's effect", || async {
        (probe.connects(to).await.ok()? == wanted).then_some(())
    })
    .await
}

/// From the host, which is outside both nodes, to a pod of the second node.
#[tokio::test]
async fn a_load_balancer_leads_udp_to_the_node_of_the_pod() -> Result<()> {
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "balancer", PodSecurity::Restricted).await?;
    space.probe_on("media", "node2").await?;
    space.apply(BALANCER).await?;
    let address = space
        .until("service/media", "has an address", |service| {
            let ip = service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str()?;
            ip.parse::<IpAddr>().ok()
        })
        .await?;
    let said = gryt_tests::wait::until_answered("an answer from the address", || async {
        ask(SocketAddr::new(address, 5000), "hello").await.ok()
    })
    .await?;
    // The client's own address arrives: nothing on the way translated it.
    let host = cluster
        .node_address("node1")?
        .to_string()
        .replace(".11", ".1");
    assert_eq!(said, format!("hello | media | {host}"));
    Ok(())
}

const BALANCER: &str = "
apiVersion: v1
kind: Service
metadata: {name: media}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  publishNotReadyAddresses: true
  selector: {app: media}
  ports: [{name: media, protocol: UDP, port: 5000, targetPort: 7000}]
";

async fn ask(to: SocketAddr, text: &str) -> Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(to).await?;
    socket.send(text.as_bytes()).await?;
    let mut answer = [0; 200];
    let received = tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut answer));
    let length = received.await??;
    Ok(String::from_utf8_lossy(&answer[..length]).trim().to_owned())
}

#[tokio::test]
async fn a_claim_gets_a_volume_that_outlives_the_pod_and_grows() -> Result<()> {
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "volume", PodSecurity::Restricted).await?;
    space.apply(CLAIM).await?;
    let bound = "jsonpath={.status.phase}=Bound";
    space.wait("persistentvolumeclaim/data", bound).await?;

    let pod = with_volume(&Probe::manifest("writer", Some("node1")));
    space.apply(&pod).await?;
    space.wait("pod/writer", "condition=Ready").await?;
    let run = |pod: &'static str, args: &'static [&'static str]| {
        let mut exec = vec!["exec", pod, "--", "/gryt-cluster-probe"];
        exec.extend(args);
        let space = &space;
        async move { space.kubectl(&exec).await }
    };
    run("writer", &["write", "/data/note", "kept"]).await?;
    space.kubectl(&["delete", "pod/writer"]).await?;
    space
        .apply(&with_volume(&Probe::manifest("reader", Some("node1"))))
        .await?;
    space.wait("pod/reader", "condition=Ready").await?;
    assert_eq!(run("reader", &["read", "/data/note"]).await?, "kept");

    space.apply(&CLAIM.replace("8Mi", "16Mi")).await?;
    let grown = "jsonpath={.status.capacity.storage}=16Mi";
    space.wait("persistentvolumeclaim/data", grown).await?;

    let claim = space.get("persistentvolumeclaim/data").await?;
    let volume = claim["spec"]["volumeName"].as_str().context("no volume")?;
    space
        .kubectl(&["delete", "pod/reader", "persistentvolumeclaim/data"])
        .await?;
    let gone = cluster
        .kubectl(&[
            "wait",
            "persistentvolume",
            volume,
            "--for=delete",
            "--timeout=60s",
        ])
        .await;
    ensure!(gone.is_ok(), "the volume stayed: {gone:?}");
    Ok(())
}

const CLAIM: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 8Mi}}
";

fn with_volume(pod: &str) -> String {
    format!(
        "{pod}      volumeMounts: [{{name: data, mountPath: /data}}]
  volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]
"
    )
}

#[tokio::test]
async fn a_privileged_pod_is_refused_where_restricted_is_enforced() -> Result<()> {
    let space = Namespace::create(&cluster()?, "secure", PodSecurity::Restricted).await?;
    let refusal = space.apply_refused(PRIVILEGED).await?;
    assert!(refusal.contains("violates PodSecurity"), "{refusal}");
    Ok(())
}

const PRIVILEGED: &str = "
apiVersion: v1
kind: Pod
metadata: {name: root}
spec:
  hostNetwork: true
  containers: [{name: root, image: 'localhost/gryt-cluster-probe:test'}]
";

#[tokio::test]
async fn the_audit_log_names_who_wrote() -> Result<()> {
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "audit", PodSecurity::Restricted).await?;
    space.kubectl(&["create", "configmap", "written"]).await?;
    space.kubectl(&["get", "configmap", "written"]).await?;
    let writes = cluster.writes()?;
    let ours: Vec<_> = writes
        .iter()
        .filter(|write| write.namespace == space.name() && write.name == "written")
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert_eq!(
        (ours[0].user.as_str(), ours[0].verb.as_str()),
        ("admin", "create")
    );
    Ok(())
}

/// A browser comes by one of the two: the name alone decides, over TLS that the test authority signed.
#[tokio::test]
async fn gateway_and_ingress_lead_https_to_a_pod() -> Result<()> {
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "way-in", PodSecurity::Restricted).await?;
    space.probe("page").await?;
    space.apply(ROUTES).await?;
    let authority = std::fs::read(cluster.gateway_authority())?;
    let gateway = SocketAddr::new(cluster.node_address("node1")?, 443);
    for host in ["by-gateway.gryt.test", "by-ingress.gryt.test"] {
        let client = reqwest::Client::builder()
            .add_root_certificate(reqwest::Certificate::from_pem(&authority)?)
            .resolve(host, gateway)
            .build()?;
        let url = format!("https://{host}/hello");
        let said = gryt_tests::wait::until_answered(&url, || async {
            let response = client.get(&url).send().await.ok()?;
            response.error_for_status().ok()?.text().await.ok()
        })
        .await?;
        assert!(said.starts_with("GET /hello HTTP/1.1 | page"), "{said}");
    }
    Ok(())
}

const ROUTES: &str = "
apiVersion: v1
kind: Service
metadata: {name: page}
spec: {selector: {app: page}, ports: [{port: 80, targetPort: 7000}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: page}
spec:
  parentRefs: [{name: gateway, namespace: gateway}]
  hostnames: [by-gateway.gryt.test]
  rules: [{backendRefs: [{name: page, port: 80}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: page}
spec:
  ingressClassName: traefik
  rules:
    - host: by-ingress.gryt.test
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: page, port: {number: 80}}}}]}
";
