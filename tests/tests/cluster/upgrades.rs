//! What people have, they keep: over a new image of their server, and over a new chart of the
//! operator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gryt_tests::cluster::{Cluster, Namespace, PodSecurity, Visit};
use serde_json::{Deserializer, Value, json};
use tempfile::TempDir;

use crate::rollouts::{Class, Rollout, servers};
use crate::server::{OPERATOR_NAMESPACE, condition, ready, uid};
use crate::{alone, among_others, cluster};

/// How long pods are watched while the server takes another image twice.
const WATCHED_FOR: Duration = Duration::from_secs(60);
/// A pause of one that is heard over a change of the chart; packets come every 20 ms.
const SILENCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_image_costs_no_message_and_two_pods_never_run_on_one_file() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "upgrade", PodSecurity::Restricted).await?;
    let class = Class::make(&space, json!({})).await?;
    servers(&space, &class, &["chat"]).await?;
    let mut visit = Visit::begin(&space, "chat").await?;
    visit.write("before the upgrade").await?;

    let upgrade = async {
        for tag in ["next", "test"] {
            class.roll_to(tag).await?;
            Rollout::watch(&space, tag, &["chat"]).await?;
        }
        space.wait("gs/chat", "condition=Ready").await
    };
    let (lives, upgraded) = tokio::join!(lives_of_signaling(&space), upgrade);
    upgraded?;
    let lives = lives?;
    println!("{lives:#?}");
    ensure!(lives.len() == 3, "not each upgrade made a pod: {lives:#?}");
    for two in lives.windows(2) {
        let (before, after) = (&two[0], &two[1]);
        let ended = before.ended.as_ref();
        let ended = ended.with_context(|| format!("nobody saw the end of {before:?}"))?;
        ensure!(*ended <= after.began, "both ran: {before:?}, {after:?}");
    }

    visit.come_back().await?;
    visit.write("after the upgrade").await?;
    let history = visit.history().await?;
    assert_eq!(history, ["before the upgrade", "after the upgrade"]);
    Ok(())
}

/// When a container of signaling ran, by the kubelet's clock; all are on one volume, so on one node.
/// Times of this form are in the order of their letters.
#[derive(Debug)]
struct Life {
    began: String,
    ended: Option<String>,
}

/// Watches for a while, and tells in their order when the containers ran.
async fn lives_of_signaling(space: &Namespace) -> Result<Vec<Life>> {
    let timeout = format!("--request-timeout={}s", WATCHED_FOR.as_secs());
    let watch = [
        "--namespace",
        space.name(),
        "get",
        "pods",
        "--selector=app.kubernetes.io/component=signaling",
        "--watch",
        "--output=json",
        &timeout,
    ];
    let said = space.cluster().kubectl_said(&watch, None).await?;
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    for pod in Deserializer::from_str(&said.output).into_iter::<Value>() {
        let pod = pod.context("read the watch")?;
        let status = &pod["status"]["containerStatuses"][0];
        for state in ["state", "lastState"].map(|field| &status[field]) {
            let (running, ended) = (&state["running"], &state["terminated"]);
            let began = [running, ended]
                .into_iter()
                .find_map(|state| state["startedAt"].as_str());
            let Some(began) = began else { continue };
            let life = lives
                .entry(format!("{} {began}", uid(&pod)?))
                .or_insert_with(|| Life {
                    began: began.to_owned(),
                    ended: None,
                });
            if let Some(at) = ended["finishedAt"].as_str() {
                life.ended = Some(at.to_owned());
            }
        }
    }
    let mut lives: Vec<Life> = lives.into_values().collect();
    lives.sort_by(|one, other| one.began.cmp(&other.began));
    Ok(lives)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_charts_upgrade_leaves_a_server_its_call_and_its_words() -> Result<()> {
    let _turn = alone().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "chart", PodSecurity::Restricted).await?;
    ready(&space, "chat", "chart.gryt.test").await?;
    let release = Release::of(&cluster).await?;
    let previous = Previous::chart()?;
    println!("upgrade from {}", previous.origin);

    let outcome = async {
        let visit = Visit::begin(&space, "chat").await?;
        visit.write("before the upgrade").await?;
        let call = visit.call(1..3).await?;
        let before = standing(&space).await?;
        for chart in [&previous.folder, &Cluster::chart("gryt-operator")] {
            release.upgrade_to(chart).await?;
            still_ready(&space).await?;
            call.goes_on().await?;
        }
        // The operator that has taken over looks at this server once more.
        let patch = json!({"metadata": {"annotations": {"example.org/look": "again"}}});
        let patch = patch.to_string();
        let args = ["patch", "gs/chat", "--type=merge", "--patch", &patch];
        space.kubectl(&args).await?;
        still_ready(&space).await?;
        assert_eq!(standing(&space).await?, before, "something was made anew");
        let (packets, silence) = call.lost_nothing().await?;
        println!("{packets} packets, none lost, longest silence {silence:?}");
        ensure!(silence < SILENCE, "{silence:?}");
        assert_eq!(visit.history().await?, ["before the upgrade"]);
        visit.write("after the upgrade").await?;
        anyhow::Ok(())
    };
    let outcome = outcome.await;
    // The other tests want today's, however this one ended.
    let restored = release.upgrade_to(&Cluster::chart("gryt-operator")).await;
    outcome.and(restored)
}

async fn still_ready(space: &Namespace) -> Result<()> {
    let server = space.get("gs/chat").await?;
    let (ready, reason, message) = condition(&server, "Ready").context("no Ready")?;
    ensure!(ready == "True", "{reason}: {message}");
    Ok(())
}

/// The pods and the volume, by their UIDs.
async fn standing(space: &Namespace) -> Result<Vec<String>> {
    let objects = space.get("pods,persistentvolumeclaims").await?;
    let objects = objects["items"].as_array().context("no list")?;
    objects.iter().map(uid).collect()
}

/// The operator's release, with the values that it was installed with.
struct Release {
    cluster: Cluster,
    values: TempDir,
}

impl Release {
    async fn of(cluster: &Cluster) -> Result<Self> {
        let args = [
            "get",
            "values",
            "gryt-operator",
            "--namespace",
            OPERATOR_NAMESPACE,
        ];
        let text = cluster
            .helm(&[&args[..], &["--output=yaml"]].concat())
            .await?;
        let values = tempfile::tempdir()?;
        std::fs::write(values.path().join("values.yaml"), text)?;
        Ok(Self {
            cluster: cluster.clone(),
            values,
        })
    }

    async fn upgrade_to(&self, chart: &Path) -> Result<()> {
        let values = self.values.path().join("values.yaml");
        let [chart, values] = [chart, &values].map(|path| path.to_string_lossy().into_owned());
        let args = [
            "upgrade",
            "gryt-operator",
            &chart,
            "--namespace",
            OPERATOR_NAMESPACE,
        ];
        let how = ["--values", &values, "--wait", "--timeout=180s"];
        self.cluster.helm(&[&args[..], &how].concat()).await?;
        Ok(())
    }
}

/// The chart as it was before.
struct Previous {
    /// For people.
    origin: String,
    folder: PathBuf,
    _kept: TempDir,
}

impl Previous {
    /// The chart of the last commit in which it was another. Without that much history, today's
    /// with another version and one more annotation at the operator's pods.
    fn chart() -> Result<Self> {
        let kept = tempfile::tempdir()?;
        let today = Cluster::chart("gryt-operator");
        let root = today.join("../..");
        let history = git(&root, &["log", "--format=%H", "--", "charts/gryt-operator"]);
        let commits = String::from_utf8(history.unwrap_or_default())?;
        let differs = |commit: &&str| {
            let unchanged = ["diff", "--quiet", commit, "--", "charts/gryt-operator"];
            git(&root, &unchanged).is_none()
        };
        if let Some(commit) = commits.lines().find(differs) {
            let archive = git(&root, &["archive", commit, "charts/gryt-operator"]);
            let archive = archive.with_context(|| format!("git archive {commit}"))?;
            let path = kept.path().join("chart.tar");
            std::fs::write(&path, archive)?;
            let mut unpack = Command::new("tar");
            unpack.arg("-xf").arg(&path).arg("-C").arg(kept.path());
            ensure!(unpack.status()?.success(), "unpack {}", path.display());
            return Ok(Self {
                origin: format!("the chart of commit {commit}"),
                folder: kept.path().join("charts/gryt-operator"),
                _kept: kept,
            });
        }
        let folder = kept.path().join("gryt-operator");
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(&today).arg(&folder);
        ensure!(copy.status()?.success(), "copy {}", today.display());
        let edit = |file: &str, from: &str, to: &str| -> Result<()> {
            let path = folder.join(file);
            let text = std::fs::read_to_string(&path)?;
            ensure!(text.contains(from), "{file} has no \"{from}\"");
            Ok(std::fs::write(path, text.replacen(from, to, 1))?)
        };
        edit("Chart.yaml", "\nversion: ", "\nversion: 0.0.1 # ")?;
        edit(
            "values.yaml",
            "podAnnotations: {}",
            "podAnnotations: {previous: \"true\"}",
        )?;
        Ok(Self {
            origin: "today's chart under another version: there is no history of another"
                .to_owned(),
            folder,
            _kept: kept,
        })
    }
}

/// What git prints, if it succeeds.
fn git(root: &Path, args: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(args)
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}
