//! An operator that is killed after any single write leaves nothing that the next one does not
//! finish: the same objects, each written once, certificates and ports that fit together.

mod cut;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Cluster, Namespace, OPERATOR_USER, OperatorProcess, PodSecurity};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::inventory::{CHILD_KINDS, OURS};
use crate::server::{OPERATOR_NAMESPACE, condition, with_spec};
use crate::{alone, cluster};

use cut::{Cut, PREFIX};

/// One server for each write after which the operator is killed; more than a server needs, so that
/// the last one is whole and shows what the others have to become.
const SERVERS: usize = 26;
/// All servers at once, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// The same name for both, so that the second need not wait until the lease of the first runs out.
/// Every server is reconciled at once, since most never come to an end.
const FLAGS: [&str; 4] = ["--identity", "interrupted", "--concurrency", "64"];

#[tokio::test]
async fn an_operator_killed_after_any_write_is_finished_by_the_next() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "interrupted", PodSecurity::Restricted).await?;
    let stopped = cluster.stop_operator().await?;
    let folder = TempDir::new()?;
    let kubeconfig = cluster.operators_kubeconfig(folder.path()).await?;

    let begun = Instant::now();
    let cut = Cut::open(&space, &kubeconfig, folder.path()).await?;
    let first = OperatorProcess::start(&cluster, cut.kubeconfig(), &FLAGS).await?;
    // Suspended: everything but pods, which would only take their time.
    let servers: Vec<String> = (1..=SERVERS)
        .map(|number| {
            let spec = format!("hostname: {PREFIX}{number}.gryt.test, suspend: true");
            with_spec(&format!("{PREFIX}{number}"), &spec)
        })
        .collect();
    space.apply(&servers.join("---\n")).await?;
    let writes = interrupted(&space, &cut).await?;
    first.kill().await?;
    println!("cut after {:?}", begun.elapsed());
    // How often the status is written depends on how fast the route is taken up.
    let cuts = writes
        .iter()
        .filter(|(number, done)| **number == done.len());
    let cuts = cuts.count();
    ensure!((15..SERVERS).contains(&cuts), "{writes:#?}");
    let untouched = children(&space).await?;
    ensure!(!untouched.contains_key(&name(1)), "{untouched:#?}");

    let second = OperatorProcess::start(&cluster, &kubeconfig, &FLAGS).await?;
    all_finished(&space).await?;
    same(&space, &writes).await?;
    fit(&cluster, &space).await?;
    once(&cluster, &space)?;
    println!("killed after each of {cuts} writes, {:?}", begun.elapsed());
    second.kill().await?;
    stopped.start().await
}

fn name(number: usize) -> String {
    format!("{PREFIX}{number}")
}

/// Waits until every server is either cut or finished.
async fn interrupted(space: &Namespace, cut: &Cut) -> Result<BTreeMap<usize, Vec<String>>> {
    /// Longer than the operator takes between two writes.
    const QUIET: Duration = Duration::from_secs(2);
    let reached = timeout(PATIENCE, async {
        loop {
            let before = cut.written();
            let finished = finished(space).await?;
            let reached = (1..=SERVERS).all(|number| {
                let is_cut = before.get(&number).is_some_and(|done| done.len() == number);
                is_cut || finished.contains_key(&name(number))
            });
            tokio::time::sleep(QUIET).await;
            if reached && before == cut.written() {
                return Ok(before);
            }
        }
    });
    let reached = reached.await;
    reached.with_context(|| format!("not every server is cut: {:#?}", cut.written()))?
}

/// Waits until the operator says of every server that it is done.
async fn all_finished(space: &Namespace) -> Result<()> {
    let done = timeout(PATIENCE, async {
        while finished(space).await?.len() < SERVERS {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        Ok(())
    });
    done.await.context("not every server is finished")?
}

/// The ids of the servers of which the operator says that they are done.
async fn finished(space: &Namespace) -> Result<BTreeMap<String, String>> {
    let servers = space.get("gs").await?;
    let done = servers["items"].as_array().context("no list")?.iter();
    let done = done.filter(|server| {
        let (_, reason, _) = condition(server, "Ready").unwrap_or_default();
        let seen = server["status"]["observedGeneration"] == server["metadata"]["generation"];
        reason == "Suspended" && seen
    });
    done.map(|server| {
        let id = server["spec"]["serverId"].as_str().context("no id")?;
        Ok((named(server), id.to_owned()))
    })
    .collect()
}

fn named(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str();
    name.unwrap_or_default().to_owned()
}

/// What the operator made, by server.
async fn children(space: &Namespace) -> Result<BTreeMap<String, Vec<Value>>> {
    let listed = space.kubectl(&["get", CHILD_KINDS, OURS, "--output=json"]);
    let listed: Value = serde_json::from_str(&listed.await?)?;
    let mut children: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for object in listed["items"].as_array().context("no list")? {
        let server = object["metadata"]["labels"]["app.kubernetes.io/instance"].as_str();
        let server = server.context("a child of no server")?.to_owned();
        children.entry(server).or_default().push(object.clone());
    }
    Ok(children)
}

/// Checks that every server has what the whole one has.
async fn same(space: &Namespace, writes: &BTreeMap<usize, Vec<String>>) -> Result<()> {
    let ids = finished(space).await?;
    let children = children(space).await?;
    let shapes = |server: &String| -> Result<BTreeMap<String, Value>> {
        let made = children.get(server).context("no children")?.iter();
        Ok(made
            .map(|child| shape(child, server, &ids[server]))
            .collect())
    };
    let expected = shapes(&name(SERVERS))?;
    ensure!(expected.len() > 12, "{expected:#?}");
    for (number, writes) in writes {
        let found = shapes(&name(*number))?;
        let last = writes.last().map_or("nothing", String::as_str);
        for (object, wanted) in &expected {
            let made = found.get(object);
            ensure!(
                made == Some(wanted),
                "killed after write {number}, {last}: {object} is {made:?} instead of {wanted}"
            );
        }
        ensure!(found.len() == expected.len(), "{found:#?}");
    }
    Ok(())
}

/// What must be the same each time: no ids, no ports, no keys.
fn shape(object: &Value, server: &str, id: &str) -> (String, Value) {
    let metadata = &object["metadata"];
    let keys = |value: &Value| -> Vec<String> {
        let fields = value.as_object().into_iter().flatten();
        fields.map(|(key, _)| key.clone()).collect()
    };
    // Controllers add their own.
    let mut annotations = keys(&metadata["annotations"]);
    annotations.retain(|name| name.starts_with("gryt.chat/"));
    let mut spec = object["spec"].clone();
    assigned(&mut spec);
    let shape = json!({
        "annotations": annotations,
        "labels": metadata["labels"],
        "owners": metadata["ownerReferences"].as_array().map(Vec::len),
        "type": object["type"],
        "keys": keys(&object["data"]),
        "spec": spec,
    });
    let plain = |text: String| text.replace(server, "SERVER").replace(id, "ID");
    let name = plain(format!("{}/{}", object["kind"], metadata["name"]));
    (name, Value::from(plain(shape.to_string())))
}

/// Removes what the cluster assigns, and the port that is made from it.
fn assigned(value: &mut Value) {
    const ASSIGNED: [&str; 4] = ["clusterIP", "clusterIPs", "nodePort", "volumeName"];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !ASSIGNED.contains(&name.as_str()));
            if fields.get("name").is_some_and(|name| name == ANNOUNCED) {
                fields.remove("value");
            }
            fields.values_mut().for_each(assigned);
        }
        Value::Array(items) => items.iter_mut().for_each(assigned),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The port that an SFU tells to browsers.
const ANNOUNCED: &str = "GRYT_SFU_ANNOUNCE_PORT";

/// Checks that each server's certificates are by its one CA, and that its SFU announces the port
/// that its media Service was given.
async fn fit(cluster: &Cluster, space: &Namespace) -> Result<()> {
    let authorities = cluster.get(OPERATOR_NAMESPACE, "secrets").await?;
    let authorities = authorities["items"].as_array().context("no list")?;
    let children = children(space).await?;
    for (server, id) in finished(space).await? {
        let child = |kind: &str, name: String| {
            let mut children = children[&server].iter();
            let found = children.find(|child| child["kind"] == kind && named(child) == name);
            found.with_context(|| format!("no {kind} {name}"))
        };
        let authority = authorities
            .iter()
            .find(|one| named(one) == format!("ca-{id}"));
        let trusted = &authority.context("no CA")?["data"]["ca.crt"];
        for part in ["signaling", "sfu"] {
            let leaf = child("Secret", format!("{server}-{part}-tls"))?;
            ensure!(leaf["data"]["ca.crt"] == *trusted, "{server}: {part}");
        }
        let media = child("Service", format!("{server}-sfu-0-media"))?;
        let port = &media["spec"]["ports"][0]["nodePort"];
        let sfu = child("Deployment", format!("{server}-sfu-0"))?;
        let settings = &sfu["spec"]["template"]["spec"]["containers"][0]["env"];
        let mut settings = settings.as_array().context("no settings")?.iter();
        let announced = settings.find(|setting| setting["name"] == ANNOUNCED);
        let announced = announced.context("announces nothing")?["value"].as_str();
        ensure!(
            announced == Some(&port.to_string()),
            "{server}: {announced:?} is not {port}"
        );
    }
    Ok(())
}

/// Checks in the audit log that both operators together wrote each child once.
fn once(cluster: &Cluster, space: &Namespace) -> Result<()> {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    for write in cluster.writes()? {
        let child = !write.resource.starts_with("grytservers") && write.resource != "events";
        let done = (200..300).contains(&write.code);
        if write.user == OPERATOR_USER && write.namespace == space.name() && child && done {
            let object = format!("{} {} {}", write.verb, write.resource, write.name);
            *counted.entry(object).or_default() += 1;
        }
    }
    ensure!(counted.len() > 12 * SERVERS, "{counted:#?}");
    counted.retain(|_, times| *times > 1);
    ensure!(counted.is_empty(), "written more than once: {counted:#?}");
    Ok(())
}
