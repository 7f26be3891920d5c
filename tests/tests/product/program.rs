//! The programs of pods: those that variables name, or what cargo builds, once and however long it takes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

pub(crate) async fn sfu() -> &'static Path {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let found = || named_or_built("GRYT_TEST_SFU_BINARY", "gryt-sfu");
    PROGRAM.get_or_init(found).await
}

pub(crate) async fn signaling() -> &'static Path {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let found = || named_or_built("GRYT_TEST_SIGNALING_BINARY", "gryt-signaling");
    PROGRAM.get_or_init(found).await
}

async fn named_or_built(variable: &str, package: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(named) => named.into(),
        None => build(package).await,
    }
}

async fn build(package: &str) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", package, "--bin", package])
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut artifacts = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = artifacts.find_map(|artifact| Some(artifact["executable"].as_str()?.into()));
    built.expect("cargo builds it")
}
