//! The product on a cluster: the operator by its chart, then one server by the other chart.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::cluster::nodes::Nodes;
use crate::cluster::progress::step;
use crate::command::{command, output, run};
use crate::packages::is_installed;

/// Where the operator lives.
pub(crate) const NAMESPACE: &str = "gryt-system";
/// Where the first server lives, and what it is called.
const SERVER_NAMESPACE: &str = "gryt";
const SERVER: &str = "chat";

/// Installs the operator on our own nodes.
///
/// # Errors
/// When Helm fails or the operator does not get ready.
pub(crate) fn install_operator(nodes: &Nodes) -> Result<()> {
    operator(&on(nodes), &settings(nodes))
}

/// Installs everything of the operator's chart where no node can run its pod: kinds, roles, class.
///
/// # Errors
/// When Helm fails.
pub(crate) fn install_unready(nodes: &Nodes) -> Result<()> {
    let chart = chart("gryt-operator");
    let mut install = nodes.helm(&["upgrade", "--install", "gryt-operator", &chart]);
    install.args(["--namespace", NAMESPACE, "--create-namespace"]);
    output(install).map(drop)
}

/// Installs operator and server on our own nodes.
///
/// # Errors
/// When Helm fails or something does not get ready.
pub(crate) fn install(nodes: &Nodes, hostname: &str) -> Result<()> {
    operator(&on(nodes), &settings(nodes))?;
    server(&on(nodes), hostname)
}

/// Installs operator and server on a cluster that somebody else runs.
///
/// # Errors
/// When helm or kubectl is missing, or an installation fails.
pub(crate) fn install_on(kubeconfig: &Path, registry: Option<&str>, hostname: &str) -> Result<()> {
    for program in ["helm", "kubectl"] {
        anyhow::ensure!(
            is_installed(program),
            "{program} is missing, which installs on the cluster of \"{}\"",
            kubeconfig.display()
        );
    }
    let mut settings = Vec::new();
    match registry {
        Some(registry) => settings.push(format!("image.registry={registry}")),
        None => println!(
            "The cluster pulls the images of the chart's version from its default registry. For images of this\n\
             clone: docker build --target operator --tag REGISTRY/gryt-operator:TAG . (and signaling, sfu), push\n\
             them (or `kind load docker-image`, `k3d image import`), and name the registry with --registry."
        ),
    }
    let programs = |program: Program, args: &[&str]| {
        let name = match program {
            Program::Helm => "helm",
            Program::Kubectl => "kubectl",
        };
        let mut command = command(name, args);
        command.env("KUBECONFIG", kubeconfig);
        command
    };
    operator(&programs, &settings)?;
    server(&programs, hostname)?;
    println!("https://{hostname}  (point the name at your gateway or ingress controller)");
    println!("export KUBECONFIG={}", kubeconfig.display());
    println!("kubectl -n {SERVER_NAMESPACE} get gs,pods");
    Ok(())
}

/// The operator's settings on our own nodes: the loaded images, and the gateway that stands there.
fn settings(nodes: &Nodes) -> Vec<String> {
    let mut settings = [
        "image.registry=localhost",
        "image.tag=test",
        "serverImages.tag=test",
        "class.spec.exposure.web.type=Gateway",
        "class.spec.exposure.web.gateway.name=gateway",
        "class.spec.exposure.web.gateway.namespace=gateway",
    ]
    .map(str::to_owned)
    .to_vec();
    // Traefik's pod tells who really asks.
    settings.push(format!("class.spec.trustedProxies={{{}}}", nodes.pods()));
    settings
}

/// Lets the pods take up images that were loaded anew under the tag that they have.
///
/// # Errors
/// When kubectl fails.
pub(crate) fn restart(nodes: &Nodes) -> Result<()> {
    for namespace in [NAMESPACE, SERVER_NAMESPACE] {
        let args = ["--namespace", namespace, "rollout", "restart", "deployment"];
        step(&format!("restart the pods of {namespace}"), || {
            run(nodes.kubectl(&args))
        })?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Program {
    Helm,
    Kubectl,
}

/// Makes a command for one cluster.
type Programs<'a> = dyn Fn(Program, &[&str]) -> Command + 'a;

fn on(nodes: &Nodes) -> impl Fn(Program, &[&str]) -> Command {
    move |program, args| match program {
        Program::Helm => nodes.helm(args),
        Program::Kubectl => nodes.kubectl(args),
    }
}

fn operator(programs: &Programs<'_>, settings: &[String]) -> Result<()> {
    let chart = chart("gryt-operator");
    let mut install = vec!["upgrade", "--install", "gryt-operator", &chart];
    install.extend(["--namespace", NAMESPACE, "--create-namespace"]);
    install.extend(["--wait", "--timeout=180s"]);
    for setting in settings {
        install.extend(["--set", setting]);
    }
    step("install the operator", || {
        run(programs(Program::Helm, &install))
    })
}

fn server(programs: &Programs<'_>, hostname: &str) -> Result<()> {
    let chart = chart("gryt-server");
    let named = format!("hostname={hostname}");
    let mut install = vec!["upgrade", "--install", SERVER, &chart, "--set", &named];
    install.extend(["--namespace", SERVER_NAMESPACE, "--create-namespace"]);
    step("apply the server", || {
        run(programs(Program::Helm, &install))
    })?;
    let object = format!("grytserver/{SERVER}");
    let mut wait = vec!["--namespace", SERVER_NAMESPACE, "wait", &object];
    wait.extend(["--for=condition=Ready", "--timeout=180s"]);
    step("wait for the server", || {
        run(programs(Program::Kubectl, &wait)).context("the server is not Ready")
    })
}

fn chart(name: &str) -> String {
    let folder = cache::root().join("charts").join(name);
    folder.to_string_lossy().into_owned()
}

/// Prints what a person does next.
pub(crate) fn print_the_way_in(nodes: &Nodes, hostname: &str) {
    let authority = nodes.folder().join("pki/gateway-ca.crt");
    let authority = authority.display();
    let address = nodes.gateway_address();
    println!("\nhttps://{hostname}");
    println!("  the name leads to {address}: echo '{address} {hostname}' >> /etc/hosts");
    println!("  or: chromium --host-resolver-rules='MAP *.gryt.test {address}'");
    println!("  trust its authority, {authority}:");
    println!("    certutil -d sql:$HOME/.pki/nssdb -A -n gryt-test -t C,, -i {authority}");
    println!("  the owner's one-time link:");
    println!(
        "    kubectl -n {SERVER_NAMESPACE} get secret {SERVER}-owner -o jsonpath='{{.data.link}}' | base64 -d"
    );
    for (name, value) in nodes.environment() {
        println!("export {name}={}", value.display());
    }
    println!("export PATH=$GRYT_CLUSTER_BIN:$PATH");
    println!("end it with: cargo xtask cluster down");
}
