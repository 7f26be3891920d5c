//! toxiproxy, which stands between a test and its back end and brings faults: built once into the
//! cache by Go, half a minute.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::is_installed;
use crate::cache;
use crate::command::{command, run};

const PACKAGE: &str = "github.com/Shopify/toxiproxy/v2/cmd/server";
const VERSION: &str = "v2.12.0";

/// Makes sure that it is there; gives its program.
///
/// # Errors
/// When Go is missing, or can't fetch or build it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let folder = cache::dir().join(format!("toxiproxy-{VERSION}"));
    let binary = folder.join("server");
    if binary.is_file() {
        return Ok(binary);
    }
    if !is_installed("go") {
        bail!(
            "Go is missing, which builds toxiproxy for the tests: install it from go.dev/dl or \
             your system's packages"
        );
    }
    let mut install = command("go", &["install", "-trimpath"]);
    install
        .arg(format!("{PACKAGE}@{VERSION}"))
        .env("GOBIN", &folder)
        .env("CGO_ENABLED", "0");
    run(install)?;
    Ok(binary)
}
