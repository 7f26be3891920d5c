//! Maven, and a Java 17 to run what it fetches: Cassandra runs on no newer one.

use std::path::PathBuf;

use anyhow::Result;

use super::{Package, ensure as ensure_packages};

/// Makes sure that both are there; gives the path of `java`.
///
/// # Errors
/// When they are missing and can't be installed by us.
pub(crate) fn ensure() -> Result<PathBuf> {
    ensure_packages(&[
        Package {
            program: "mvn",
            debian: "maven",
        },
        Package {
            program: path(),
            debian: "openjdk-17-jre-headless",
        },
    ])?;
    Ok(PathBuf::from(path()))
}

/// Where Debian puts it.
pub(crate) fn path() -> &'static str {
    if std::env::consts::ARCH == "aarch64" {
        "/usr/lib/jvm/java-17-openjdk-arm64/bin/java"
    } else {
        "/usr/lib/jvm/java-17-openjdk-amd64/bin/java"
    }
}
