//! The helm binary. A failure of helm is a result here, since half the checks want one.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::NamedTempFile;

use crate::chart::Chart;

/// Names the helm binary; without it, `helm` is looked for in PATH.
const VARIABLE: &str = "GRYT_HELM";

/// What helm printed, or the sentence it refused with.
pub(crate) type Answer = Result<String, String>;

/// Renders a chart with these files of values, the last one deciding.
pub(crate) fn template(chart: &Chart, values: &[&Path]) -> Result<Answer> {
    let mut helm = rendering(chart);
    for path in values {
        helm.arg("--values").arg(path);
    }
    run(helm.arg(chart.folder()))
}

/// Renders a chart with one value changed on top of a set.
pub(crate) fn template_with(chart: &Chart, set: &Path, change: &Value) -> Result<Answer> {
    let file = values_file(change)?;
    template(chart, &[set, file.path()])
}

/// Renders a chart for a cluster that has one more kind, `group/version/Kind`.
pub(crate) fn template_knowing(chart: &Chart, set: &Path, kind: &str) -> Result<Answer> {
    let mut helm = rendering(chart);
    helm.args(["--api-versions", kind, "--values"]).arg(set);
    run(helm.arg(chart.folder()))
}

/// The text that an installation prints for its reader.
pub(crate) fn notes(chart: &Chart, set: &Path) -> Result<Answer> {
    let mut helm = helm();
    helm.args(["install", chart.release, "--namespace", chart.namespace]);
    helm.args(["--dry-run=client", "--values"]).arg(set);
    let answer = run(helm.arg(chart.folder()))?;
    Ok(answer.map(|text| {
        let notes = text.split_once("NOTES:\n").map(|(_, notes)| notes);
        notes.unwrap_or_default().to_owned()
    }))
}

/// Helm's own opinion of a chart, warnings counted as errors.
pub(crate) fn lint(chart: &Chart, set: &Path) -> Result<Answer> {
    let mut helm = helm();
    helm.args(["lint", "--strict", "--values"]).arg(set);
    run(helm.arg(chart.folder()))
}

/// A file with these values; JSON is YAML.
pub(crate) fn values_file(values: &Value) -> Result<NamedTempFile> {
    let file = NamedTempFile::with_suffix(".json")?;
    serde_json::to_writer(&file, values)?;
    Ok(file)
}

fn rendering(chart: &Chart) -> Command {
    let mut helm = helm();
    helm.args(["template", chart.release, "--namespace", chart.namespace]);
    helm.args(["--kube-version", "1.33.0"]);
    helm
}

fn helm() -> Command {
    Command::new(std::env::var_os(VARIABLE).unwrap_or_else(|| "helm".into()))
}

fn run(command: &mut Command) -> Result<Answer> {
    let output = command.output().with_context(|| {
        format!("start helm 4; {VARIABLE} names the binary where it is not in PATH")
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stdout) + &text(&output.stderr))
    })
}
