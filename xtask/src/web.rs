//! Builds the web client, when something in it changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::cache::root;
use crate::command::{self, output, run};
use crate::packages::is_installed;

/// Major and minor; what Vite asks for.
const OLDEST_NODE: (u32, u32) = (20, 19);
const WHERE_NODE_IS: &str = "Debian 12 and Ubuntu 24.04 carry an older one: take it from \
    https://github.com/nodesource/distributions, or by `nvm install 24` of \
    https://github.com/nvm-sh/nvm";

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
    npm.args(["ci", "--no-audit", "--no-fund", "--no-update-notifier"])
        .arg("--loglevel=error")
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
    // The list of every file that it made says nothing to who waits for a server.
    run(npm(&["run", "build", "--silent", "--", "--logLevel=warn"]))
}

/// Makes an npm command in web/.
pub(crate) fn npm(args: &[&str]) -> Command {
    let mut npm = command::command("npm", args);
    npm.current_dir(root().join("web"));
    npm
}

fn check_node() -> Result<()> {
    let (major, minor) = OLDEST_NODE;
    if !is_installed("node") || !is_installed("npm") {
        bail!("Node {major}.{minor} or newer with npm is missing. {WHERE_NODE_IS}");
    }
    let version = output(command::command("node", &["--version"]))?;
    let version = version.trim();
    if node_version(version) < Some(OLDEST_NODE) {
        bail!("Node {version} is too old: {major}.{minor} or newer is needed. {WHERE_NODE_IS}");
    }
    Ok(())
}

/// Major and minor of what `node --version` prints.
fn node_version(printed: &str) -> Option<(u32, u32)> {
    let mut numbers = printed.trim_start_matches('v').split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_of_an_older_system_is_too_old() {
        for (printed, is_new_enough) in [
            ("v12.22.9", false),
            ("v18.20.4", false),
            ("v20.9.0", false),
            ("v20.19.2", true),
            ("v24.1.0", true),
            ("", false),
        ] {
            let version = node_version(printed);
            assert_eq!(version >= Some(OLDEST_NODE), is_new_enough, "{printed}");
        }
    }
}
