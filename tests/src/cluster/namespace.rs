//! A namespace for one test: removed at its end; what was in it is printed first, which the test
//! runner shows when the test failed.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use crate::cluster::{Cluster, PATIENCE, Probe, Said};

/// What the namespace enforces on its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodSecurity {
    /// Pod Security "restricted": no root, no host, no privileges.
    Restricted,
    /// Everything is allowed.
    Privileged,
}

/// A namespace of the cluster.
#[derive(Debug)]
pub struct Namespace {
    cluster: Cluster,
    name: String,
}

impl Namespace {
    /// Makes a namespace whose name begins with `test`.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn create(cluster: &Cluster, test: &str, security: PodSecurity) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{test}-{}-{number}", std::process::id());
        let level = match security {
            PodSecurity::Restricted => "restricted",
            PodSecurity::Privileged => "privileged",
        };
        let label = format!("pod-security.kubernetes.io/enforce={level}");
        cluster.kubectl(&["create", "namespace", &name]).await?;
        let namespace = Self {
            cluster: cluster.clone(),
            name,
        };
        let object = format!("namespace/{}", namespace.name);
        cluster.kubectl(&["label", &object, &label]).await?;
        Ok(namespace)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster that it is in.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Runs kubectl in the namespace.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(&self.inside(args)).await
    }

    /// Applies YAML, of one or many objects.
    ///
    /// # Errors
    /// When one is refused; with the API server's sentence.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        let said = self.apply_said(yaml).await?;
        ensure!(said.success, "apply: {}\n{yaml}", said.complaint);
        Ok(())
    }

    /// Applies YAML that must be refused, and gives back the API server's sentence.
    ///
    /// # Errors
    /// When it is accepted.
    pub async fn apply_refused(&self, yaml: &str) -> Result<String> {
        let said = self.apply_said(yaml).await?;
        if said.success {
            bail!("this was accepted and should have been refused:\n{yaml}");
        }
        Ok(said.complaint)
    }

    async fn apply_said(&self, yaml: &str) -> Result<Said> {
        let args = self.inside(&["apply", "--filename=-"]);
        self.cluster.kubectl_said(&args, Some(yaml)).await
    }

    /// Reads an object (`deployment/x`) or a list (`pods`) as JSON.
    ///
    /// # Errors
    /// When there is none.
    pub async fn get(&self, what: &str) -> Result<Value> {
        self.cluster.get(&self.name, what).await
    }

    /// Reads the object again and again until `look` finds in it what it looks for.
    ///
    /// # Errors
    /// When it did not in time: names `wish`, and what the object was at the end.
    pub async fn until<T>(
        &self,
        what: &str,
        wish: &str,
        look: impl FnMut(&Value) -> Option<T>,
    ) -> Result<T> {
        self.cluster.until(&self.name, what, wish, look).await
    }

    /// Waits as `kubectl wait --for` does: `condition=Ready`, `jsonpath={.status.phase}=Bound`.
    ///
    /// # Errors
    /// When that does not come true in time; with the object's description.
    pub async fn wait(&self, what: &str, condition: &str) -> Result<()> {
        let condition = format!("--for={condition}");
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        let Err(error) = self.kubectl(&["wait", what, &condition, &timeout]).await else {
            return Ok(());
        };
        let described = self.kubectl(&["describe", what]).await;
        let described = described.unwrap_or_else(|error| format!("{error:#}"));
        Err(error.context(format!("{what} {condition}:\n{described}")))
    }

    /// Runs a pod of the probe's image under this name, with this label, and waits until it is Ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn probe(&self, name: &str) -> Result<Probe<'_>> {
        Probe::start(self, name, None).await
    }

    /// The same on this node.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn probe_on(&self, name: &str, node: &str) -> Result<Probe<'_>> {
        Probe::start(self, name, Some(node)).await
    }

    /// Deletes the namespace and waits until nothing of it is left.
    ///
    /// # Errors
    /// When something stays.
    pub async fn delete(self) -> Result<()> {
        let timeout = format!("--timeout={}s", PATIENCE.as_secs());
        let args = ["delete", "namespace", &self.name, &timeout];
        self.cluster.kubectl(&args).await?;
        Ok(())
    }

    fn inside<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let mut inside = vec!["--namespace", &self.name];
        inside.extend(args);
        inside
    }

    fn kubectl_at_the_end(&self, args: &[&str]) -> String {
        self.cluster.kubectl_at_the_end(&self.inside(args))
    }
}

impl Drop for Namespace {
    #[expect(
        clippy::print_stderr,
        reason = "the test runner shows it with the failure"
    )]
    fn drop(&mut self) {
        // A test that fails by `?` looks like one that passed; the runner hides what the latter print.
        let kinds = "all,gryt,persistentvolumeclaims,events";
        let objects = self.kubectl_at_the_end(&["get", kinds, "--output=wide"]);
        let logs = [
            "logs",
            "--selector=app.kubernetes.io/name=gryt",
            "--prefix",
            "--tail=50",
        ];
        eprintln!("== {} ==\n{objects}", self.name);
        eprintln!("{}", self.kubectl_at_the_end(&logs));
        let delete = [
            "delete",
            "namespace",
            &self.name,
            "--wait=false",
            "--ignore-not-found",
        ];
        self.kubectl_at_the_end(&delete);
    }
}
