//! The product on a real Kubernetes of two nodes, which is made for the run and removed after it.

use anyhow::Result;

use crate::cluster::gateway;
use crate::cluster::nodes::{Nodes, Running};
use crate::cluster::product;
use crate::command::command;
use crate::packages;
use crate::stage::Steps;
use crate::{web, workspace};

const CHARTS: [&str; 4] = ["--test", "charts", "--", "--ignored"];
const SUITE: [&str; 2] = ["--test", "cluster"];
const BUILD: [&str; 5] = ["--test", "cluster", "--test", "charts", "--no-run"];

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    packages::ensure(&packages::BROWSER)?;
    let nodes = Nodes::tests()?;
    steps.check("install the browser drivers", || {
        web::install_in("tests/browser")
    });
    let mut images = None;
    steps.check("build the images", || {
        images = Some(nodes.prepare()?);
        Ok(())
    });
    let Some(images) = images else { return Ok(()) };
    if !steps.program("build the suite", workspace::test(&BUILD)) {
        return Ok(());
    }
    let running = Running(&nodes);
    let up = steps.check("start the cluster", || nodes.up(&images))
        && steps.check("gateway", || gateway::install(&nodes))
        && steps.check("operator", || product::install_operator(&nodes));
    if up {
        let mut charts = workspace::test(&CHARTS);
        charts
            .env("GRYT_KUBECONFIG", nodes.kubeconfig())
            .env("GRYT_KUBECTL", nodes.program("kubectl"))
            .env("GRYT_HELM", nodes.program("helm"));
        steps.tests("charts on the cluster", charts);
        let mut suite = workspace::test(&SUITE);
        for (name, value) in nodes.environment() {
            suite.env(name, value);
        }
        steps.tests("cluster suite", suite);
        let mut browsers = command("npm", &["run", "--silent", "cluster"]);
        browsers.args(["--prefix", "tests/browser"]);
        for (name, value) in nodes.environment() {
            browsers.env(name, value);
        }
        steps.tests("browsers on the cluster", browsers);
    }
    drop(running);
    Ok(())
}
