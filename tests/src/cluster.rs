//! The real Kubernetes of two nodes that the cluster suite runs on: made by `cargo xtask test
//! cluster` (or kept by `cargo xtask cluster up`), found by the environment. Everything goes through
//! kubectl and helm, as a person's hands would.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

mod audit;
mod control_plane;
mod namespace;
mod operator;
mod probe;
mod visit;

pub use audit::Write;
pub use control_plane::StoppedControlPlane;
pub use namespace::{Namespace, PodSecurity};
pub use operator::{OPERATOR_NAMESPACE, OPERATOR_USER, OperatorProcess, StoppedOperator};
pub use probe::Probe;
pub use visit::{Call, Visit};

use crate::clock;

/// How long a change may take to show in a cluster on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The running cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    index: u8,
    programs: PathBuf,
    folder: PathBuf,
    kubeconfig: PathBuf,
}

/// What a program said, and whether it succeeded.
#[derive(Debug, Clone)]
pub struct Said {
    /// Whether it ended with 0.
    pub success: bool,
    /// Standard output, trimmed.
    pub output: String,
    /// Standard error, trimmed.
    pub complaint: String,
}

impl Cluster {
    /// Finds the cluster that the environment names.
    ///
    /// # Errors
    /// When the environment names none.
    pub fn from_environment() -> Result<Self> {
        let named = |name: &str| {
            std::env::var_os(name).with_context(|| {
                format!(
                    "{name} is not set: run `sudo -E cargo xtask test cluster`, or set what \
                     `cargo xtask cluster up` prints"
                )
            })
        };
        Ok(Self {
            index: named("GRYT_CLUSTER_INDEX")?.to_string_lossy().parse()?,
            programs: named("GRYT_CLUSTER_BIN")?.into(),
            folder: named("GRYT_CLUSTER_DIR")?.into(),
            kubeconfig: named("KUBECONFIG")?.into(),
        })
    }

    /// The nodes' names.
    pub const NODES: [&'static str; 2] = ["node1", "node2"];

    /// A node's address: NodePorts, hostPorts and the gateway (on node1) are there.
    ///
    /// # Errors
    /// When there is no such node.
    pub fn node_address(&self, node: &str) -> Result<IpAddr> {
        let number = node
            .strip_prefix("node")
            .context("nodes are node1, node2")?;
        Ok(format!("10.199.{}.1{number}", self.index).parse()?)
    }

    /// The certificate of the authority that signed the gateway's `*.gryt.test`.
    #[must_use]
    pub fn gateway_authority(&self) -> PathBuf {
        self.folder.join("pki/gateway-ca.crt")
    }

    /// A copy of the chart's folder name under `charts/`.
    #[must_use]
    pub fn chart(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../charts")
            .join(name)
    }

    /// One of the cluster's programs: kubectl, helm.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Runs kubectl.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.succeeded("kubectl", args, None).await
    }

    /// Runs helm.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub async fn helm(&self, args: &[&str]) -> Result<String> {
        self.succeeded("helm", args, None).await
    }

    /// Runs kubectl with this on its standard input, and gives back also a failure.
    ///
    /// # Errors
    /// When it can't be run at all.
    pub async fn kubectl_said(&self, args: &[&str], input: Option<&str>) -> Result<Said> {
        let mut command = Command::new(self.program("kubectl"));
        self.run(command.args(args), input).await
    }

    /// Reads an object (`deployment/x`) or, without a name, a list, as JSON.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, namespace: &str, what: &str) -> Result<Value> {
        let args = ["get", what, "--namespace", namespace, "--output=json"];
        Ok(serde_json::from_str(&self.kubectl(&args).await?)?)
    }

    /// Reads the object again and again until `look` finds in it what it looks for.
    ///
    /// # Errors
    /// When it did not within [`PATIENCE`]: names `wish`, and what the object was at the end.
    pub async fn until<T>(
        &self,
        namespace: &str,
        what: &str,
        wish: &str,
        mut look: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        let deadline = clock::now() + PATIENCE;
        loop {
            let seen = self.get(namespace, what).await;
            if let Some(found) = seen.as_ref().ok().and_then(&mut look) {
                return Ok(found);
            }
            if clock::now() > deadline {
                let seen = match seen {
                    Ok(object) => serde_json::to_string_pretty(&object["status"])?,
                    Err(error) => format!("{error:#}"),
                };
                bail!(
                    "waited {PATIENCE:?} in vain: {what} of {namespace} {wish}; last seen:\n{seen}"
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Runs a command of the host in a node's network.
    ///
    /// # Errors
    /// When it can't be run at all.
    pub async fn on_node(&self, node: &str, args: &[&str]) -> Result<Said> {
        let mut script = self.script("node.sh");
        script.args(["exec", node]).args(args);
        self.run(&mut script, None).await
    }

    /// Cuts a node's power.
    ///
    /// # Errors
    /// When that fails.
    pub async fn stop_node(&self, node: &str) -> Result<()> {
        self.node_script(&["stop", node]).await
    }

    /// Gives a stopped node its power back; it comes back empty.
    ///
    /// # Errors
    /// When that fails.
    pub async fn start_node(&self, node: &str) -> Result<()> {
        self.node_script(&["start", node]).await
    }

    /// The audit log's writes so far, oldest first.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn writes(&self) -> Result<Vec<Write>> {
        audit::read(&self.folder.join("log/audit.log"))
    }

    async fn node_script(&self, args: &[&str]) -> Result<()> {
        let said = self.run(self.script("node.sh").args(args), None).await?;
        ensure!(said.success, "node.sh {args:?}: {}", said.complaint);
        Ok(())
    }

    fn script(&self, name: &str) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster");
        let mut script = Command::new("bash");
        script
            .arg(scripts.join(name))
            .env("GRYT_CLUSTER_INDEX", self.index.to_string())
            .env("GRYT_CLUSTER_BIN", &self.programs)
            .env("GRYT_CLUSTER_DIR", &self.folder);
        script
    }

    /// Runs kubectl without a runtime, since a test may end in a panic.
    fn kubectl_at_the_end(&self, args: &[&str]) -> String {
        let mut command = std::process::Command::new(self.program("kubectl"));
        command.env("KUBECONFIG", &self.kubeconfig).args(args);
        match command.output() {
            Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
            Err(error) => error.to_string(),
        }
    }

    async fn succeeded(&self, program: &str, args: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = Command::new(self.program(program));
        let said = self.run(command.args(args), input).await?;
        if said.success {
            return Ok(said.output);
        }
        Err(anyhow!("{program} {}: {}", args.join(" "), said.complaint))
    }

    async fn run(&self, command: &mut Command, input: Option<&str>) -> Result<Said> {
        use std::process::Stdio;

        use tokio::io::AsyncWriteExt as _;

        let mut child = command
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", self.search_path()?)
            .stdin(if input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("start a program of the cluster")?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(Said {
            success: output.status.success(),
            output: text(&output.stdout),
            complaint: text(&output.stderr),
        })
    }

    /// The cluster's programs first, so that helm finds the right kubectl.
    fn search_path(&self) -> Result<OsString> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let paths = std::iter::once(self.programs.clone()).chain(std::env::split_paths(&path));
        Ok(std::env::join_paths(paths)?)
    }
}
