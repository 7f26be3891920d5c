//! Apache Cassandra for the tests that need a CQL database: its jars by Maven, a Java 17 by Debian.
//! Kept in the cache under the hash of the file that names its version.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{hash, java};
use crate::cache;
use crate::command::{command, run};

const COPY_JARS: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

/// Makes sure that its jars are there; gives their folder. 66 MB and half a minute the first time.
///
/// # Errors
/// When a package is missing and can't be installed by us, or Maven can't fetch the jars.
pub(crate) fn ensure() -> Result<PathBuf> {
    java::ensure()?;
    let pom = cache::root().join("tests/backends/src/cassandra/pom.xml");
    let folder = cache::dir().join(format!("cassandra-{}", &hash::of(&pom)?[..16]));
    if folder.is_dir() {
        return Ok(folder);
    }
    let partial = folder.with_extension("part");
    let mut maven = command("mvn", &["--batch-mode", "--quiet", "--file"]);
    maven
        .arg(&pom)
        .args([COPY_JARS, "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", partial.display()));
    run(maven)?;
    fs::rename(&partial, &folder).context("put the jars in their place")?;
    Ok(folder)
}
