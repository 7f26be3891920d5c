//! A cluster of two nodes on this machine, by the scripts of tests/cluster.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::cluster::programs;
use crate::cluster::progress::step;
use crate::command::{command, output, run};
use crate::images::{self, Images};
use crate::packages;

/// One of the clusters that this machine can have, running or not.
pub(crate) struct Nodes {
    index: u8,
    programs: PathBuf,
}

impl Nodes {
    /// The cluster of `cargo xtask cluster up`.
    ///
    /// # Errors
    /// When its programs can be neither unpacked nor built.
    pub(crate) fn developers() -> Result<Self> {
        Self::new(0)
    }

    /// The cluster of the test command, which lives beside a developer's.
    ///
    /// # Errors
    /// When its programs can be neither unpacked nor built.
    pub(crate) fn tests() -> Result<Self> {
        Self::new(1)
    }

    /// The API server of `cargo xtask bench operator`, which has no nodes.
    ///
    /// # Errors
    /// When its programs can be neither unpacked nor built.
    pub(crate) fn bench() -> Result<Self> {
        Self::new(2)
    }

    fn new(index: u8) -> Result<Self> {
        packages::ensure(&packages::CLUSTER)?;
        let programs = programs::ensure().context("get the programs of the cluster")?;
        Ok(Self { index, programs })
    }

    /// Builds the images.
    ///
    /// # Errors
    /// When a build fails.
    pub(crate) fn prepare(&self) -> Result<Images> {
        step("build the images", || {
            images::build(&self.program("coredns"))
        })
    }

    /// Starts the cluster anew and loads the images.
    ///
    /// # Errors
    /// When a part of it does not come up; the text has the end of that part's log.
    pub(crate) fn up(&self, images: &Images) -> Result<()> {
        let mut up = self.script("up.sh");
        up.env("GRYT_CLUSTER_IMAGES", &images.base)
            .env("GRYT_CLUSTER_CONTROLLERS", &images.controllers);
        run(up)?;
        self.load(&images.product)
    }

    /// Ends the cluster and removes every trace of it.
    ///
    /// # Errors
    /// When the script can't be run.
    pub(crate) fn down(&self) -> Result<()> {
        run(self.script("down.sh"))
    }

    /// Whether the API server answers.
    pub(crate) fn serve(&self) -> bool {
        self.folder().join("admin.kubeconfig").is_file()
            && output(self.kubectl(&["get", "--raw", "/readyz", "--request-timeout=3s"])).is_ok()
    }

    /// Puts image archives into both nodes.
    ///
    /// # Errors
    /// When containerd refuses one.
    pub(crate) fn load(&self, archives: &[PathBuf]) -> Result<()> {
        let mut load = self.script("load-image.sh");
        load.args(archives);
        run(load)
    }

    /// Where the cluster keeps what it knows: certificates, logs, volumes.
    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/var/lib/gryt-cluster-{}", self.index))
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder().join("admin.kubeconfig")
    }

    /// The first node's address, where the gateway listens.
    pub(crate) fn gateway_address(&self) -> String {
        format!("10.199.{}.11", self.index)
    }

    /// The range of the pods' addresses.
    pub(crate) fn pods(&self) -> String {
        format!("10.{}.0.0/16", 240 + u16::from(self.index))
    }

    pub(crate) fn kubectl(&self, args: &[&str]) -> Command {
        self.command("kubectl", args)
    }

    pub(crate) fn helm(&self, args: &[&str]) -> Command {
        self.command("helm", args)
    }

    /// Where one of the cluster's programs is.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = command(&self.program(name).to_string_lossy(), args);
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// One of the scripts of tests/cluster, told which cluster is meant.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut script = command("bash", &[]);
        script.arg(scripts().join(name));
        for (name, value) in self.environment() {
            script.env(name, value);
        }
        script
    }

    /// What a script and a test need to know about the cluster.
    pub(crate) fn environment(&self) -> [(&'static str, PathBuf); 5] {
        [
            ("GRYT_CLUSTER_INDEX", self.index.to_string().into()),
            ("GRYT_CLUSTER_BIN", self.programs.clone()),
            ("GRYT_CLUSTER_DIR", self.folder()),
            ("GRYT_CLUSTER_OPERATOR", images::program("gryt-operator")),
            ("KUBECONFIG", self.kubeconfig()),
        ]
    }
}

/// A cluster that ends when this is dropped, whatever happened meanwhile.
pub(crate) struct Running<'a>(pub(crate) &'a Nodes);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.down() {
            eprintln!("the cluster is left behind: {error:#}");
        }
    }
}

fn scripts() -> PathBuf {
    cache::root().join(Path::new("tests/cluster"))
}
