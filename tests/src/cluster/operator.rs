//! The operator: the chart's one taken away, and the same program as a process of this host, with
//! the settings and the rights of the one in the cluster.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::cluster::Cluster;

/// Where the chart of the test command puts the operator.
pub const OPERATOR_NAMESPACE: &str = "gryt-system";
/// Its Deployment and its service account.
const OPERATOR: &str = "gryt-operator";
/// The user under which the operator stands in the audit log.
pub const OPERATOR_USER: &str = "system:serviceaccount:gryt-system:gryt-operator";

/// A cluster without its operator. It comes back when this is dropped.
#[derive(Debug)]
pub struct StoppedOperator {
    cluster: Cluster,
    replicas: u64,
    stopped: bool,
}

impl Cluster {
    /// Takes the operator away.
    ///
    /// # Errors
    /// When it does not go.
    pub async fn stop_operator(&self) -> Result<StoppedOperator> {
        let deployment = self.get(OPERATOR_NAMESPACE, "deployment/gryt-operator");
        let replicas = deployment.await?["spec"]["replicas"].as_u64();
        let stopped = StoppedOperator {
            cluster: self.clone(),
            replicas: replicas.context("a Deployment without replicas")?,
            stopped: true,
        };
        self.kubectl(&scale("--replicas=0")).await?;
        let gone = |pods: &Value| pods["items"].as_array()?.is_empty().then_some(());
        self.until(OPERATOR_NAMESPACE, "pods", "are gone", gone)
            .await?;
        Ok(stopped)
    }

    /// Writes a kubeconfig with which a program has exactly the rights of the operator's pod.
    ///
    /// # Errors
    /// When the API server gives no token.
    pub async fn operators_kubeconfig(&self, folder: &Path) -> Result<PathBuf> {
        let create = ["--namespace", OPERATOR_NAMESPACE, "create", "token"];
        let create = [&create[..], &[OPERATOR, "--duration=1h"]].concat();
        let token = self.kubectl(&create).await?;
        let view = ["config", "view", "--raw", "--minify", "--output=json"];
        let mut config: Value = serde_json::from_str(&self.kubectl(&view).await?)?;
        config["users"][0]["user"] = json!({"token": token});
        let path = folder.join("operator.kubeconfig");
        std::fs::write(&path, config.to_string()).context("write a kubeconfig")?;
        Ok(path)
    }
}

impl StoppedOperator {
    /// Brings the operator back.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start(mut self) -> Result<()> {
        self.stopped = false;
        let replicas = format!("--replicas={}", self.replicas);
        self.cluster.kubectl(&scale(&replicas)).await?;
        let status = ["--namespace", OPERATOR_NAMESPACE, "rollout", "status"];
        let status = [&status[..], &["deployment", OPERATOR, "--timeout=120s"]].concat();
        self.cluster.kubectl(&status).await?;
        Ok(())
    }
}

impl Drop for StoppedOperator {
    fn drop(&mut self) {
        if self.stopped {
            let replicas = format!("--replicas={}", self.replicas);
            self.cluster.kubectl_at_the_end(&scale(&replicas));
        }
    }
}

fn scale(replicas: &str) -> [&str; 6] {
    let of = OPERATOR_NAMESPACE;
    ["--namespace", of, "scale", "deployment", OPERATOR, replicas]
}

/// An operator on the host. Killed when dropped.
#[derive(Debug)]
pub struct OperatorProcess(Child);

impl OperatorProcess {
    /// Starts `gryt-operator run` with the settings of the chart's Deployment, then these flags. Its
    /// log is beside the cluster's others.
    ///
    /// # Errors
    /// When the environment names no program, or it does not start.
    pub async fn start(cluster: &Cluster, kubeconfig: &Path, flags: &[&str]) -> Result<Self> {
        let program = std::env::var_os("GRYT_CLUSTER_OPERATOR")
            .context("GRYT_CLUSTER_OPERATOR does not name the operator's program")?;
        let deployment = cluster.get(OPERATOR_NAMESPACE, "deployment/gryt-operator");
        let deployment = deployment.await?;
        let settings = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        let settings = settings.as_array().context("a Deployment without env")?;
        let settings = settings
            .iter()
            .filter_map(|one| Some((one["name"].as_str()?, one["value"].as_str()?)));
        let log = cluster.folder.join("log/operator-process.log");
        let log = File::options().append(true).create(true).open(log)?;
        let child = Command::new(program)
            .args(["run", "--namespace", OPERATOR_NAMESPACE])
            .envs(settings)
            .env("KUBECONFIG", kubeconfig)
            .args(["--probes-listen", "127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("start the operator on the host")?;
        Ok(Self(child))
    }

    /// Kills it, which leaves it no time for anything.
    ///
    /// # Errors
    /// When it can't be waited for.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.0.kill().await?)
    }
}
