//! A class gets another image: its servers take it a few at a time, those with calls last, and none
//! any more once one does not come up.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::clock;
use gryt_tests::cluster::{Cluster, Namespace, PATIENCE, PodSecurity, Visit};
use serde_json::{Value, json};

use crate::server::{condition, ready, with_spec};
use crate::{among_others, cluster};

/// The names are in the order in which servers go that are alike; the first is the busy one.
const SERVERS: [&str; 4] = ["a", "b", "c", "d"];
/// Between two looks at who is in flight. A server is for some seconds.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a rollout that has stopped is watched for one that goes on.
const WATCHED_FOR: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_image_reaches_few_servers_at_a_time_and_those_with_calls_last() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "rollout", PodSecurity::Restricted).await?;
    let class = Class::make(&space, json!({"maxConcurrent": 1})).await?;
    servers(&space, &class, &SERVERS).await?;
    let visit = Visit::begin(&space, "a").await?;
    let call = visit.call(1..3).await?;

    class.roll_to("next").await?;
    let rollout = Rollout::watch(&space, "next", &SERVERS).await?;
    println!("{rollout:?}");
    assert_eq!(rollout.most_in_flight, 1);
    assert_eq!(rollout.order, ["b", "c", "d", "a"]);
    for name in ["b", "c", "d"] {
        let told = event(&space, "GrytServer", name, "RollingOut").await?;
        ensure!(told.contains("nobody is in a call"), "{name}: {told}");
    }
    let told = event(&space, "GrytServer", "a", "RollingOut").await?;
    ensure!(told.contains("calls: 1 with 2 in them"), "{told}");

    // The replaced SFU keeps its call for now.
    call.goes_on().await?;
    let (packets, silence) = call.lost_nothing().await?;
    println!("{packets} packets, none lost, longest silence {silence:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_end_with_their_sfu_are_told() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "cut", PodSecurity::Restricted).await?;
    ready(&space, "chat", "cut.gryt.test").await?;
    let visit = Visit::begin(&space, "chat").await?;
    let _call = visit.call(1..3).await?;

    let selector = "--selector=app.kubernetes.io/component=sfu";
    let pod = space
        .kubectl(&["get", "pods", selector, "--output=name"])
        .await?;
    // It is told to drain for longer than it is given.
    space.kubectl(&["delete", &pod, "--grace-period=3"]).await?;
    let told = event(&space, "GrytServer", "chat", "CallsCut").await?;
    assert_eq!(told, "SFU 0 ended with 1 call of 2 participants.");
    Ok(())
}

#[tokio::test]
async fn as_many_servers_as_the_class_says_are_in_flight_together() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "together", PodSecurity::Restricted).await?;
    let class = Class::make(&space, json!({"maxConcurrent": 2})).await?;
    servers(&space, &class, &SERVERS).await?;
    class.roll_to("next").await?;
    let rollout = Rollout::watch(&space, "next", &SERVERS).await?;
    println!("{rollout:?}");
    assert_eq!(rollout.most_in_flight, 2);
    Ok(())
}

#[tokio::test]
async fn an_image_that_does_not_come_up_costs_one_server_until_the_class_is_corrected() -> Result<()>
{
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "stopped", PodSecurity::Restricted).await?;
    let rollout = json!({"maxConcurrent": 1, "readyDeadlineSeconds": 10});
    let class = Class::make(&space, rollout).await?;
    let (first, others) = SERVERS[..3].split_first().context("no servers")?;
    servers(&space, &class, &SERVERS[..3]).await?;

    class.roll_to("no-such-tag").await?;
    let told = event(&space, "GrytServerClass", &class.name, "RolloutStopped").await?;
    ensure!(
        told.contains("2 servers to go: 1 not ready in time."),
        "{told}"
    );
    let until = clock::now() + WATCHED_FOR;
    while clock::now() < until {
        let seen = Seen::look(&space).await?;
        for name in others {
            ensure!(seen.has(name, "test"), "{name} is not as it was: {seen:?}");
            let server = space.get(&format!("gs/{name}")).await?;
            let ready = condition(&server, "Ready").context("no Ready")?;
            ensure!(ready.0 == "True", "{name}: {ready:?}");
        }
        ensure!(!seen.has(first, "test"), "{first} went back by itself");
        tokio::time::sleep(LOOK_EVERY).await;
    }

    class.roll_to("test").await?;
    Rollout::watch(&space, "test", &SERVERS[..3]).await?;
    class.roll_to("next").await?;
    Rollout::watch(&space, "next", &SERVERS[..3]).await?;
    Ok(())
}

/// A class like the cluster's default. It goes with the namespace of the test.
pub(crate) struct Class<'a> {
    space: &'a Namespace,
    pub(crate) name: String,
}

impl<'a> Class<'a> {
    /// Makes a class with the images of `test`.
    pub(crate) async fn make(space: &'a Namespace, rollout: Value) -> Result<Self> {
        let class = Self {
            space,
            name: space.name().to_owned(),
        };
        let default = space.cluster().get("default", "grytserverclass/default");
        let mut spec = default.await?["spec"].clone();
        spec["default"] = json!(false);
        spec["images"] = json!({"registry": "localhost", "tag": "test"});
        spec["rollout"] = rollout;
        let namespace = space.get(&format!("namespace/{}", class.name)).await?;
        let uid = &namespace["metadata"]["uid"];
        let owner =
            json!({"apiVersion": "v1", "kind": "Namespace", "name": class.name, "uid": uid});
        let object = json!({
            "apiVersion": "gryt.chat/v1alpha1",
            "kind": "GrytServerClass",
            "metadata": {"name": class.name, "ownerReferences": [owner]},
            "spec": spec,
        });
        space.apply(&object.to_string()).await?;
        Ok(class)
    }

    /// Changes the tag of the images.
    pub(crate) async fn roll_to(&self, tag: &str) -> Result<()> {
        let patch = json!({"spec": {"images": {"tag": tag}}}).to_string();
        let class = format!("grytserverclass/{}", self.name);
        let args = ["patch", &class, "--type=merge", "--patch", &patch];
        self.space.kubectl(&args).await?;
        Ok(())
    }
}

/// Makes servers of the class and waits until people can come and the operator knows their media.
pub(crate) async fn servers(space: &Namespace, class: &Class<'_>, names: &[&str]) -> Result<()> {
    let objects: Vec<String> = names
        .iter()
        .map(|name| {
            let hostname = format!("{}-{name}.gryt.test", space.name());
            let spec = format!("hostname: {hostname}, className: {}", class.name);
            with_spec(name, &spec)
        })
        .collect();
    space.apply(&objects.join("---\n")).await?;
    for name in names {
        let server = format!("gs/{name}");
        space.wait(&server, "condition=Ready").await?;
        space.wait(&server, "condition=MediaReachable").await?;
    }
    Ok(())
}

/// How a rollout went.
#[derive(Debug, Default)]
pub(crate) struct Rollout {
    /// In which servers took the new image.
    pub(crate) order: Vec<String>,
    /// How many of them were on their way at the same time.
    pub(crate) most_in_flight: usize,
}

impl Rollout {
    /// Watches until every server runs the images of `tag`.
    pub(crate) async fn watch(space: &Namespace, tag: &str, names: &[&str]) -> Result<Self> {
        let deadline = clock::now() + PATIENCE;
        let mut rollout = Self::default();
        loop {
            let seen = Seen::look(space).await?;
            for name in names {
                if seen.was_told(name, tag) && !rollout.order.iter().any(|known| known == name) {
                    rollout.order.push((*name).to_owned());
                }
            }
            let in_flight = names
                .iter()
                .filter(|name| seen.was_told(name, tag) && !seen.has(name, tag));
            rollout.most_in_flight = rollout.most_in_flight.max(in_flight.count());
            if names.iter().all(|name| seen.has(name, tag)) {
                return Ok(rollout);
            }
            ensure!(clock::now() < deadline, "{rollout:?}, and then {seen:#?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The Deployments of a namespace at one moment.
#[derive(Debug)]
struct Seen(Vec<Deployment>);

#[derive(Debug)]
struct Deployment {
    server: String,
    tag: String,
    /// All its pods are of this image, and available.
    through: bool,
}

impl Seen {
    async fn look(space: &Namespace) -> Result<Self> {
        let listed = space.get("deployments").await?;
        let listed = listed["items"].as_array().context("no list")?.clone();
        Ok(Self(listed.iter().filter_map(deployment).collect()))
    }

    /// Whether one of the server's Deployments names the image.
    fn was_told(&self, server: &str, tag: &str) -> bool {
        self.of(server).any(|one| one.tag == tag)
    }

    /// Whether everything of the server runs the image.
    fn has(&self, server: &str, tag: &str) -> bool {
        self.of(server).all(|one| one.tag == tag && one.through)
    }

    fn of(&self, server: &str) -> impl Iterator<Item = &Deployment> {
        self.0.iter().filter(move |one| one.server == server)
    }
}

fn deployment(object: &Value) -> Option<Deployment> {
    let image = object["spec"]["template"]["spec"]["containers"][0]["image"].as_str()?;
    let status = |field: &str| object["status"][field].as_i64().unwrap_or(0);
    let wanted = object["spec"]["replicas"].as_i64()?;
    let counts = ["replicas", "updatedReplicas", "availableReplicas"];
    let server = object["metadata"]["labels"]["app.kubernetes.io/instance"].as_str()?;
    Some(Deployment {
        server: server.to_owned(),
        tag: image.rsplit(':').next()?.to_owned(),
        through: status("observedGeneration") >= object["metadata"]["generation"].as_i64()?
            && counts.iter().all(|field| status(field) == wanted),
    })
}

/// Waits for an Event about an object of the namespace, or of the whole cluster, and gives back its
/// words.
async fn event(space: &Namespace, kind: &str, name: &str, reason: &str) -> Result<String> {
    let namespace = match kind {
        "GrytServer" => space.name(),
        _ => "default",
    };
    let wish = format!("tell {reason} of {kind} {name}");
    let cluster: &Cluster = space.cluster();
    cluster
        .until(namespace, "events", &wish, |events| {
            let events = events["items"].as_array()?;
            let found = events.iter().find(|event| {
                let about = &event["involvedObject"];
                about["kind"] == kind && about["name"] == name && event["reason"] == reason
            });
            Some(found?["message"].as_str()?.to_owned())
        })
        .await
}
