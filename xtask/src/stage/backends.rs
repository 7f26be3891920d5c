//! The adapters against real back ends, which the tests start and end themselves, with faults
//! between them by toxiproxy.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::cache;
use crate::command::{self, cargo, command};
use crate::packages::{self, is_installed};
use crate::stage::Steps;

const TOXIPROXY: &str = "github.com/Shopify/toxiproxy/v2/cmd/server";
const TOXIPROXY_VERSION: &str = "v2.12.0";

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    packages::ensure(&packages::BACKENDS)?;
    let toxiproxy = toxiproxy()?;
    let args = [
        "test",
        "--package",
        "gryt-bus",
        "--features",
        "redis",
        "--locked",
        "--no-fail-fast",
        "--",
        "--include-ignored",
        // Each test starts servers of its own: on two cores more would be in each other's way, and
        // timeouts are part of what is tested.
        "--test-threads=2",
    ];
    let mut bus = cargo(&args);
    bus.env("GRYT_TOXIPROXY", toxiproxy);
    steps.tests("bus", bus);
    Ok(())
}

/// toxiproxy, built once into the cache: half a minute.
fn toxiproxy() -> Result<PathBuf> {
    let folder = cache::dir().join(format!("toxiproxy-{TOXIPROXY_VERSION}"));
    let binary = folder.join("server");
    if !binary.is_file() {
        if !is_installed("go") {
            bail!(
                "Go is missing, which builds toxiproxy for the tests: install it from go.dev/dl \
                 or your system's packages"
            );
        }
        let mut install = command("go", &["install", "-trimpath"]);
        install
            .arg(format!("{TOXIPROXY}@{TOXIPROXY_VERSION}"))
            .env("GOBIN", &folder)
            .env("CGO_ENABLED", "0");
        command::run(install)?;
    }
    Ok(binary)
}
