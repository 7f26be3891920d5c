//! The charts before a real API server, in which the operator's chart is installed: every rendered object passes
//! a dry run there and a strict reading by its OpenAPI; a planted field passes neither.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};

use crate::chart::{CHARTS, Chart, OPERATOR, documents, title};
use crate::helm;
use crate::openapi::{Schemas, group_version};

/// Names the kubeconfig of the cluster.
const KUBECONFIG: &str = "GRYT_KUBECONFIG";
/// Names the kubectl binary; without it, the one in PATH.
const KUBECTL: &str = "GRYT_KUBECTL";
/// Kinds of others that a test cluster may lack.
const FOREIGN: &str = "monitoring.coreos.com";

struct Cluster {
    kubeconfig: PathBuf,
}

impl Cluster {
    fn open() -> Result<Self> {
        let kubeconfig = std::env::var_os(KUBECONFIG)
            .with_context(|| format!("{KUBECONFIG} names no cluster"))?
            .into();
        Ok(Self { kubeconfig })
    }

    fn kubectl(&self, args: &[&str], input: &str) -> Result<Result<String, String>> {
        let kubectl = std::env::var_os(KUBECTL).unwrap_or_else(|| "kubectl".into());
        let mut child = Command::new(kubectl)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start kubectl")?;
        let mut stdin = child.stdin.take().context("kubectl takes no input")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        let output = child.wait_with_output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        })
    }

    fn raw(&self, path: &str) -> Result<String> {
        let answer = self.kubectl(&["get", "--raw", path], "")?;
        answer.map_err(|said| anyhow!("{path}: {said}"))
    }

    /// Whether the server would take an object; its own sentence where not.
    fn dry_run(&self, object: &Value) -> Result<Result<String, String>> {
        let args = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "--field-manager=chart-check",
            "-f",
            "-",
        ];
        self.kubectl(&args, &object.to_string())
    }
}

/// The server's schemas, each group and version read when first asked for.
struct OpenApi<'a> {
    cluster: &'a Cluster,
    index: Value,
    read: BTreeMap<String, Schemas>,
}

impl<'a> OpenApi<'a> {
    fn of(cluster: &'a Cluster) -> Result<Self> {
        let index = serde_json::from_str(&cluster.raw("/openapi/v3")?)?;
        Ok(Self {
            cluster,
            index,
            read: BTreeMap::new(),
        })
    }

    /// What is wrong with an object; none where the server does not know its kind.
    fn faults(&mut self, object: &Value) -> Result<Option<Vec<String>>> {
        let path = match group_version(object) {
            ("", version) => format!("api/{version}"),
            (group, version) => format!("apis/{group}/{version}"),
        };
        if !self.read.contains_key(&path) {
            let Some(url) = self.index["paths"][&path]["serverRelativeURL"].as_str() else {
                return Ok(None);
            };
            let schemas = Schemas::read(&self.cluster.raw(url)?)?;
            self.read.insert(path.clone(), schemas);
        }
        Ok(self.read[&path].faults(object))
    }
}

/// Every object of every chart and value set, in a namespace that every cluster has, under names that none has.
fn objects() -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for chart in CHARTS {
        let chart = Chart {
            release: "chart-check",
            namespace: "default",
            ..chart
        };
        for set in chart.sets()? {
            let text = helm::template(&chart, &[&set.path])?.map_err(|said| anyhow!(said))?;
            objects.extend(documents(&text)?);
        }
    }
    for object in &mut objects {
        if object["kind"] == "GrytServer" {
            object["metadata"]["name"] = json!("chart-check");
        }
    }
    Ok(objects)
}

fn is_foreign(object: &Value) -> bool {
    group_version(object).0 == FOREIGN
}

#[test]
#[ignore = "needs a cluster with the operator's chart in it: GRYT_KUBECONFIG"]
fn every_rendered_object_passes_a_strict_dry_run() -> Result<()> {
    let cluster = Cluster::open()?;
    let mut refused = Vec::new();
    for object in objects()?.iter().filter(|object| !is_foreign(object)) {
        if let Err(said) = cluster.dry_run(object)? {
            refused.push(format!("{}: {said}", title(object)));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
    Ok(())
}

#[test]
#[ignore = "needs a cluster with the operator's chart in it: GRYT_KUBECONFIG"]
fn every_rendered_object_fits_the_servers_openapi() -> Result<()> {
    let cluster = Cluster::open()?;
    let mut openapi = OpenApi::of(&cluster)?;
    for object in objects()? {
        match openapi.faults(&object)? {
            Some(faults) => assert!(faults.is_empty(), "{}: {faults:#?}", title(&object)),
            None if is_foreign(&object) => {}
            None => bail!("the server does not know {}", title(&object)),
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a cluster with the operator's chart in it: GRYT_KUBECONFIG"]
fn a_planted_field_is_refused_by_dry_run_and_schema() -> Result<()> {
    let cluster = Cluster::open()?;
    let mut openapi = OpenApi::of(&cluster)?;
    let plants = [
        (
            "Deployment",
            "/spec/template/spec/containers/0",
            "imagePullPolcy",
        ),
        ("NetworkPolicy", "/spec", "policyType"),
        ("GrytServer", "/spec", "hostnam"),
        ("GrytServerClass", "/spec", "exposures"),
    ];
    let objects = objects()?;
    for (kind, place, field) in plants {
        let mut object = objects
            .iter()
            .find(|object| object["kind"] == kind)
            .with_context(|| format!("no {kind} for {}", OPERATOR.name))?
            .clone();
        *object
            .pointer_mut(place)
            .and_then(|place| place.as_object_mut())
            .context("no such place")?
            .entry(field)
            .or_insert(Value::Null) = json!("planted");
        let Err(said) = cluster.dry_run(&object)? else {
            bail!("the server took {field} in {kind}");
        };
        assert!(said.contains(field), "{said}");
        let faults = openapi.faults(&object)?.unwrap_or_default();
        assert!(
            faults.iter().any(|fault| fault.contains(field)),
            "{kind}: {faults:?}"
        );
    }
    Ok(())
}
