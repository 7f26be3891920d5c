//! The ways to a server: whatever exposes media and web, the address in the offer is the one that the
//! cluster assigned, and people outside of both nodes hear each other through it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gryt_tests::clock;
use gryt_tests::cluster::{Call, Cluster, Namespace, PodSecurity, Visit};
use gryt_tests::voice::Offered;
use gryt_tests::way::Way;
use serde_json::{Value, json};

use crate::server::{condition, with_spec};
use crate::{among_others, cluster};

/// How many packets each hears of the other at least, at 50 per second.
const PACKETS: u64 = 150;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_by_node_port_goes_to_the_port_that_the_service_was_given() -> Result<()> {
    let web = json!({"type": "Gateway", "gateway": {"name": "gateway", "namespace": "gateway"}});
    let scene = Scene::ready("by-node-port", &web, &json!({"type": "NodePort"})).await?;
    let visit = Visit::begin(&scene.space, "chat").await?;
    println!("{}", talk(&scene, &visit, scene.node_port().await?).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_and_web_by_load_balancer_go_to_the_addresses_that_were_given() -> Result<()> {
    let kind = json!({"type": "LoadBalancer"});
    let scene = Scene::ready("by-balancer", &kind, &kind).await?;
    let page = SocketAddr::new(scene.balancer("chat-signaling").await?, 443);
    let visit = Visit::by(&scene.space, "chat", scene.self_signed(page).await?).await?;
    let media = scene.balancer("chat-sfu-0-media").await?;
    ensure!(media != page.ip(), "one address for both: {media}");
    let service = scene.space.get("service/chat-sfu-0-media").await?;
    let media = SocketAddr::new(media, one_port(&service, "port")?);
    println!("{}", talk(&scene, &visit, media).await?);
    Ok(())
}

/// The page is asked for at the node without its pod.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_by_host_port_goes_to_a_port_of_the_pods_node_and_web_to_any_nodes() -> Result<()> {
    let ports = json!({"first": 21_000, "last": 21_009});
    let media = json!({"type": "HostPort", "ports": ports});
    let scene = Scene::ready("by-host-port", &json!({"type": "NodePort"}), &media).await?;
    let service = scene.space.get("service/chat-signaling").await?;
    let signaling = scene.pod("signaling").await?;
    let elsewhere = Cluster::NODES
        .into_iter()
        .find(|node| signaling["spec"]["nodeName"] != *node)
        .context("only one node")?;
    let page = scene.space.cluster().node_address(elsewhere)?;
    let page = SocketAddr::new(page, one_port(&service, "nodePort")?);
    let visit = Visit::by(&scene.space, "chat", scene.self_signed(page).await?).await?;
    let server = scene.space.get("gs/chat").await?;
    let address = format!("https://{}.gryt.test:{}", scene.name, page.port());
    assert_eq!(server["status"]["address"], address);

    let pod = scene.pod("sfu").await?;
    let port = media_port(&pod, "hostPort")?;
    ensure!(
        (21_000..=21_009).contains(&port),
        "{port} is not the class's"
    );
    ensure!(pod["spec"]["hostNetwork"] != true);
    let address = scene.node_of(&pod)?;
    let media = SocketAddr::new(address, port);
    println!("{}", talk(&scene, &visit, media).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_by_host_network_goes_to_a_block_of_ports_of_the_pods_node() -> Result<()> {
    let web = json!({"type": "Gateway", "gateway": {"name": "gateway", "namespace": "gateway"}});
    let ports = json!({"first": 21_100, "last": 21_129});
    let media = json!({"type": "HostNetwork", "ports": ports});
    let scene = Scene::ready("by-host-network", &web, &media).await?;
    let visit = Visit::begin(&scene.space, "chat").await?;
    let pod = scene.pod("sfu").await?;
    assert_eq!(pod["spec"]["hostNetwork"], true);
    let port = media_port(&pod, "containerPort")?;
    ensure!(
        (21_100..=21_127).contains(&port),
        "{port} is not the class's"
    );
    let address = scene.node_of(&pod)?;
    assert_eq!(pod["status"]["podIP"], address.to_string());
    let media = SocketAddr::new(address, port);
    println!("{}", talk(&scene, &visit, media).await?);
    Ok(())
}

/// A quota keeps the operator from bringing the Service back, as a platform's might.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_without_its_node_port_is_unreachable_until_there_is_another() -> Result<()> {
    let web = json!({"type": "Gateway", "gateway": {"name": "gateway", "namespace": "gateway"}});
    let scene = Scene::ready("lost-port", &web, &json!({"type": "NodePort"})).await?;
    let visit = Visit::begin(&scene.space, "chat").await?;
    let before = scene.node_port().await?;
    let lost = scene.lose("services.nodeports").await?;
    let regained = scene.regain().await?;
    let after = scene.node_port().await?;
    println!(
        "{before} was told lost after {lost:?}; with the quota gone {after} was reachable after {regained:?}"
    );
    println!("{}", talk(&scene, &visit, after).await?);
    Ok(())
}

/// Meanwhile somebody else gets the address, so that the old one would lead nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_without_its_load_balancer_is_unreachable_until_there_is_another() -> Result<()> {
    let web = json!({"type": "Gateway", "gateway": {"name": "gateway", "namespace": "gateway"}});
    let scene = Scene::ready("lost-balancer", &web, &json!({"type": "LoadBalancer"})).await?;
    let visit = Visit::begin(&scene.space, "chat").await?;
    let before = scene.balancer("chat-sfu-0-media").await?;
    let lost = scene.lose("services.loadbalancers").await?;
    let elsewhere =
        Namespace::create(scene.space.cluster(), "squatter", PodSecurity::Restricted).await?;
    elsewhere.apply(&squatters(before)).await?;
    elsewhere
        .until("services", "have addresses", |services| {
            let mut services = services["items"].as_array()?.iter();
            services.all(|one| balancer_of(one).is_some()).then_some(())
        })
        .await?;
    let regained = scene.regain().await?;
    let after = scene.balancer("chat-sfu-0-media").await?;
    ensure!(after != before, "two Services have {before}");
    println!(
        "{before} was told lost after {lost:?}; with the quota gone {after} was reachable after {regained:?}"
    );
    let service = scene.space.get("service/chat-sfu-0-media").await?;
    let media = SocketAddr::new(after, one_port(&service, "port")?);
    println!("{}", talk(&scene, &visit, media).await?);
    Ok(())
}

/// The lowest free address is given first, and others may be free below: takes them all.
fn squatters(until: IpAddr) -> String {
    let last = until.to_string();
    let last: u8 = last
        .rsplit('.')
        .next()
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let one = |number| {
        format!(
            "apiVersion: v1
kind: Service
metadata: {{name: squatter-{number}}}
spec: {{type: LoadBalancer, ports: [{{port: 9}}]}}
"
        )
    };
    let all: Vec<String> = (100..=last).map(one).collect();
    all.join("---\n")
}

/// A Ready server `chat` of a class of its own.
struct Scene {
    space: Namespace,
    name: String,
    _turn: tokio::sync::RwLockReadGuard<'static, ()>,
}

impl Scene {
    async fn ready(name: &str, web: &Value, media: &Value) -> Result<Self> {
        let turn = among_others().await;
        let cluster = cluster()?;
        let on_host = media["type"] == "HostPort" || media["type"] == "HostNetwork";
        let security = if on_host {
            PodSecurity::Privileged
        } else {
            PodSecurity::Restricted
        };
        let space = Namespace::create(&cluster, name, security).await?;
        space.apply(&class(&space, web, media).await?).await?;
        let spec = format!("hostname: {name}.gryt.test, className: {}", space.name());
        space.apply(&with_spec("chat", &spec)).await?;
        space.wait("gs/chat", "condition=Ready").await?;
        Ok(Self {
            space,
            name: name.to_owned(),
            _turn: turn,
        })
    }

    /// Deletes the media Service, and waits until the condition tells. Returns after what time.
    async fn lose(&self, quota: &str) -> Result<Duration> {
        self.reachable().await?;
        let quota = format!("--hard={quota}=0");
        let create = ["create", "quota", "no-services", &quota];
        self.space.kubectl(&create).await?;
        // A quota counts from when its controller has seen it.
        self.space
            .until("quota/no-services", "counts", |quota| {
                quota["status"]["hard"].is_object().then_some(())
            })
            .await?;
        let service = "service/chat-sfu-0-media";
        self.space.kubectl(&["delete", service]).await?;
        let begun = clock::now();
        let (_, reason, message) = self.media("is not reachable", "False").await?;
        let took = begun.elapsed();
        assert_eq!(reason, "NoAddress", "{message}");
        let server = self.space.get("gs/chat").await?;
        let (_, _, message) = condition(&server, "Stalled").context("not Stalled")?;
        ensure!(message.contains("exceeded quota"), "{message}");
        Ok(took)
    }

    /// Lets the operator bring the Service back. Returns after what time media was reachable.
    async fn regain(&self) -> Result<Duration> {
        self.space.kubectl(&["delete", "quota/no-services"]).await?;
        let begun = clock::now();
        self.reachable().await?;
        let took = begun.elapsed();
        self.space.wait("gs/chat", "condition=Ready").await?;
        // The pod that announces the new address has taken the place of the old one.
        let rollout = [
            "rollout",
            "status",
            "deployment/chat-sfu-0",
            "--timeout=90s",
        ];
        self.space.kubectl(&rollout).await?;
        self.reachable().await?;
        Ok(took)
    }

    async fn reachable(&self) -> Result<()> {
        let (_, reason, message) = self.media("is reachable", "True").await?;
        assert_eq!(reason, "ProbedFromInside", "{message}");
        Ok(())
    }

    async fn media(&self, wish: &str, truth: &str) -> Result<(String, String, String)> {
        self.space
            .until("gs/chat", wish, |server| {
                condition(server, "MediaReachable").filter(|(status, ..)| status == truth)
            })
            .await
    }

    /// The only pod of a component.
    async fn pod(&self, component: &str) -> Result<Value> {
        let pods = self.space.get("pods").await?;
        let mut pods = pods["items"]
            .as_array()
            .context("no list")?
            .iter()
            .filter(|pod| pod["metadata"]["labels"]["app.kubernetes.io/component"] == component)
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
        pods.next()
            .cloned()
            .with_context(|| format!("no {component} pod"))
    }

    /// The address of the pod's node.
    fn node_of(&self, pod: &Value) -> Result<IpAddr> {
        let node = pod["spec"]["nodeName"].as_str().context("no node")?;
        self.space.cluster().node_address(node)
    }

    /// Where media goes by NodePort: the pod's node, and the port that UDP and TCP share.
    async fn node_port(&self) -> Result<SocketAddr> {
        let service = self.space.get("service/chat-sfu-0-media").await?;
        let port = one_port(&service, "nodePort")?;
        Ok(SocketAddr::new(
            self.node_of(&self.pod("sfu").await?)?,
            port,
        ))
    }

    /// The address of a Service that has one from outside.
    async fn balancer(&self, service: &str) -> Result<IpAddr> {
        self.space
            .until(&format!("service/{service}"), "has an address", balancer_of)
            .await
    }

    /// To a page whose certificate has signed itself.
    async fn self_signed(&self, page: SocketAddr) -> Result<Way> {
        let secret = self.space.get("secret/chat-web-tls").await?;
        let certificate = secret["data"]["tls.crt"].as_str().context("no tls.crt")?;
        Ok(Way::secure(page, &STANDARD.decode(certificate)?))
    }
}

/// The cluster's default class with another exposure. It goes with the namespace.
async fn class(space: &Namespace, web: &Value, media: &Value) -> Result<String> {
    let classes = space.get("grytserverclasses").await?;
    let mut classes = classes["items"].as_array().context("no list")?.iter();
    let default = classes.find(|class| class["spec"]["default"] == true);
    let mut spec = default.context("no default class")?["spec"].clone();
    spec["default"] = json!(false);
    spec["exposure"] = json!({"web": web, "media": media});
    let name = space.name();
    let namespace = space.get(&format!("namespace/{name}")).await?;
    let uid = &namespace["metadata"]["uid"];
    let owner = json!({"apiVersion": "v1", "kind": "Namespace", "name": name, "uid": uid});
    let class = json!({
        "apiVersion": "gryt.chat/v1alpha1",
        "kind": "GrytServerClass",
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": spec,
    });
    Ok(class.to_string())
}

/// Two people join and hear each other, both through `media` and nothing else. Returns the figures.
async fn talk(scene: &Scene, visit: &Visit, media: SocketAddr) -> Result<String> {
    let server = scene.space.get("gs/chat").await?;
    let announced = &server["status"]["media"];
    let expected = json!([{"slot": 0, "address": media.ip(), "port": media.port()}]);
    assert_eq!(*announced, expected, "the status tells another address");
    scene.reachable().await?;

    let call = visit.call(1..3).await?;
    for person in &call.people {
        let offered = Offered::read(&person.offer).candidates;
        assert_eq!(offered, [media], "the offer tells another address");
    }
    let told = spoken(&call).await?;
    for (person, number) in call.people.iter().zip(told) {
        person.voice.spoken_to(number + PACKETS).await?;
    }
    let (packets, silence) = call.lost_nothing().await?;
    for person in &call.people {
        let from = person.voice.reception().sources();
        assert_eq!(
            from,
            BTreeSet::from([media]),
            "heard through another address"
        );
    }
    for person in call.people {
        person.leave().await?;
    }
    Ok(format!(
        "{}: {packets} packets through {media}, none lost, longest silence {silence:?}",
        scene.name
    ))
}

async fn spoken(call: &Call) -> Result<Vec<u64>> {
    let spoken = call.people.iter().map(|person| person.voice.spoken());
    futures_util::future::try_join_all(spoken).await
}

/// The number that all ports of a Service have in `field`.
fn one_port(service: &Value, field: &str) -> Result<u16> {
    let ports = service["spec"]["ports"].as_array().context("no ports")?;
    let numbers: BTreeSet<u64> = ports
        .iter()
        .filter_map(|port| port[field].as_u64())
        .collect();
    ensure!(numbers.len() == 1, "{field} of {ports:?}");
    let number = numbers.first().context("no number")?;
    Ok(u16::try_from(*number)?)
}

/// The number that UDP and TCP of media have in `field` of the pod's only container.
fn media_port(pod: &Value, field: &str) -> Result<u16> {
    let ports = pod["spec"]["containers"][0]["ports"].as_array();
    let media = |port: &&Value| matches!(port["name"].as_str(), Some("media-udp" | "media-tcp"));
    let ports: Vec<Value> = ports
        .context("no ports")?
        .iter()
        .filter(media)
        .cloned()
        .collect();
    one_port(&json!({"spec": {"ports": ports}}), field)
}

fn balancer_of(service: &Value) -> Option<IpAddr> {
    let ip = service["status"]["loadBalancer"]["ingress"][0]["ip"].as_str()?;
    ip.parse().ok()
}
