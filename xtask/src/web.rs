//! Builds the web client, when something in it changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::cache::root;
use crate::command::{self, output, run};
use crate::packages::is_installed;

const OLDEST_NODE: u32 = 20;

/// Installs what package-lock.json names, if that is not what node_modules holds.
///
/// # Errors
/// When Node is missing or too old, or npm fails.
pub(crate) fn install() -> Result<()> {
    check_node()?;
    install_in("web")
}

/// The same for another folder with a package-lock.json.
pub(crate) fn install_in(folder: &str) -> Result<()> {
    let folder = root().join(folder);
    let lock = folder.join("package-lock.json");
    let installed = folder.join("node_modules/.installed-package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("read \"{}\"", lock.display()))?;
    if fs::read(&installed).is_ok_and(|had| had == wanted) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder);
    run(npm)?;
    fs::write(&installed, wanted).with_context(|| format!("write \"{}\"", installed.display()))
}

/// Builds web/dist, if a source is newer.
///
/// # Errors
/// When the installation or the build fails.
pub(crate) fn build() -> Result<()> {
    install()?;
    let web = root().join("web");
    let built = modified(&web.join("dist/index.html"));
    let sources = [
        "src",
        "public",
        "index.html",
        "package-lock.json",
        "vite.config.ts",
    ];
    let newest = sources
        .iter()
        .filter_map(|source| newest_in(&web.join(source)))
        .max();
    if built.is_some() && built >= newest {
        return Ok(());
    }
    run(npm(&["run", "build"]))
}

/// Makes an npm command in web/.
pub(crate) fn npm(args: &[&str]) -> Command {
    let mut npm = command::command("npm", args);
    npm.current_dir(root().join("web"));
    npm
}

fn check_node() -> Result<()> {
    if !is_installed("node") || !is_installed("npm") {
        bail!(
            "Node {OLDEST_NODE} or newer is missing; install it from your system's packages or nodejs.org"
        );
    }
    let version = output(command::command("node", &["--version"]))?;
    let major = version.trim().trim_start_matches('v').split('.').next();
    let major: u32 = major.and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < OLDEST_NODE {
        bail!(
            "Node {} is too old; {OLDEST_NODE} or newer is needed",
            version.trim()
        );
    }
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn newest_in(path: &Path) -> Option<SystemTime> {
    let own = modified(path)?;
    let Ok(entries) = fs::read_dir(path) else {
        return Some(own);
    };
    entries
        .filter_map(|entry| newest_in(&entry.ok()?.path()))
        .chain([own])
        .max()
}
