//! Keycloak for the tests of sign-in: its distribution by Maven, a Java 17 by Debian. Built once for
//! how tests run it, and kept in the cache under the hash of the file that names its version.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{hash, java};
use crate::cache;
use crate::command::{command, run};

const UNPACK: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack-dependencies";

/// Makes sure that its distribution is there, built; gives its folder. 190 MB and a minute the first
/// time.
///
/// # Errors
/// When a package is missing and can't be installed by us, Maven can't fetch the distribution, or it
/// can't be built.
pub(crate) fn ensure() -> Result<PathBuf> {
    java::ensure()?;
    let pom = cache::root().join("tests/backends/src/keycloak/pom.xml");
    let folder = cache::dir().join(format!("keycloak-{}", &hash::of(&pom)?[..16]));
    if folder.is_dir() {
        return Ok(folder);
    }
    let unpacked = folder.with_extension("part");
    if unpacked.is_dir() {
        fs::remove_dir_all(&unpacked).context("remove what an earlier attempt left")?;
    }
    let mut maven = command("mvn", &["--batch-mode", "--quiet", "--file"]);
    maven
        .arg(&pom)
        .args([UNPACK, "-DincludeTypes=zip"])
        .arg(format!("-DoutputDirectory={}/archive", unpacked.display()))
        // Where it notes what it has unpacked already: next to that, not in the clone.
        .arg(format!("-DmarkersDirectory={}/markers", unpacked.display()));
    run(maven)?;
    // The archive holds one folder, whose name has the version.
    let inner = fs::read_dir(unpacked.join("archive"))
        .context("look at what Maven unpacked")?
        .next()
        .context("Maven unpacked nothing")??
        .path();
    let script = inner.join("bin/kc.sh");
    let mut build = command("sh", &[]);
    build
        .arg(script)
        .args(["build", "--db=dev-file"])
        .env("JAVA", java::path())
        .env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1");
    run(build)?;
    fs::rename(&inner, &folder).context("put Keycloak in its place")?;
    fs::remove_dir_all(&unpacked).context("remove what Maven unpacked")?;
    Ok(folder)
}
