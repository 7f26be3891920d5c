//! A pod that looks at the cluster from inside: it listens, connects, resolves names and reads files
//! on command. It passes Pod Security "restricted", and is labelled `app: <name>`.

use std::net::IpAddr;

use anyhow::{Context as _, Result};

use crate::cluster::{Namespace, Said};

/// A running probe. It answers TCP, HTTP and UDP on its port.
#[derive(Debug)]
pub struct Probe<'a> {
    namespace: &'a Namespace,
    name: String,
}

impl<'a> Probe<'a> {
    /// The port it answers on.
    pub const PORT: u16 = 7000;

    pub(super) async fn start(
        namespace: &'a Namespace,
        name: &str,
        node: Option<&str>,
    ) -> Result<Self> {
        namespace.apply(&Self::manifest(name, node)).await?;
        namespace
            .wait(&format!("pod/{name}"), "condition=Ready")
            .await?;
        Ok(Self {
            namespace,
            name: name.to_owned(),
        })
    }

    /// The pod's YAML; tests add volumes or a Service of their own.
    #[must_use]
    pub fn manifest(name: &str, node: Option<&str>) -> String {
        let node = node.map_or_else(String::new, |node| {
            format!("\n  nodeSelector: {{kubernetes.io/hostname: {node}}}")
        });
        let port = Self::PORT;
        format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {name}}}}}
spec:
  terminationGracePeriodSeconds: 1
  automountServiceAccountToken: false{node}
  securityContext: {{runAsNonRoot: true, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
    - name: probe
      image: localhost/gryt-cluster-probe:test
      imagePullPolicy: Never
      args: [serve, \"{port}\"]
      ports: [{{name: echo, containerPort: {port}}}]
      readinessProbe: {{tcpSocket: {{port: {port}}}, periodSeconds: 1}}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {{drop: [ALL]}}
"
        )
    }

    /// Runs one of the probe's commands (`resolve`, `connect`, `ask`, `fetch`, `write`, `read`).
    ///
    /// # Errors
    /// When the command can't be run at all.
    pub async fn run(&self, args: &[&str]) -> Result<Said> {
        let mut exec = vec![
            "--namespace",
            self.namespace.name(),
            "exec",
            &self.name,
            "--",
        ];
        exec.push("/gryt-cluster-probe");
        exec.extend(args);
        self.namespace.cluster().kubectl_said(&exec, None).await
    }

    /// Whether a fresh TCP connection opens.
    ///
    /// # Errors
    /// When the command can't be run at all.
    pub async fn connects(&self, to: &str) -> Result<bool> {
        Ok(self.run(&["connect", to]).await?.success)
    }

    /// Its address in the cluster, at which the host reaches it too.
    ///
    /// # Errors
    /// When it has none.
    pub async fn address(&self) -> Result<IpAddr> {
        let pod = self.namespace.get(&format!("pod/{}", self.name)).await?;
        let address = pod["status"]["podIP"].as_str();
        Ok(address.context("the pod has no address")?.parse()?)
    }
}
