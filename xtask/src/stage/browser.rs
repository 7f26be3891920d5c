//! The product as a person starts it, with real browsers and with scripted clients, in a network
//! namespace of its own.

use anyhow::Result;

use crate::cache;
use crate::command::cargo;
use crate::netns::Namespace;
use crate::packages::{self, keycloak};
use crate::stage::Steps;
use crate::{up, web};

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    packages::ensure(&packages::BROWSER)?;
    // Inside the namespace nothing can be downloaded: all is built before.
    steps.check("build the product", up::build);
    steps.check("install the browser drivers", || {
        web::install_in("tests/browser")
    });
    let keycloak = keycloak::ensure()?;
    let build = ["test", "-p", "gryt-tests", "--locked", "--no-run"];
    steps.program("build the scripted clients", cargo(&build));
    let namespace = Namespace::open()?;
    let target = cache::target();
    let mut scripted = namespace.command(
        "cargo",
        &["test", "-p", "gryt-tests", "--locked", "--offline"],
    );
    scripted.env("CARGO_TARGET_DIR", &target);
    steps.tests("scripted clients", scripted);
    let mut browsers = namespace.command("npm", &["test", "--silent", "--prefix", "tests/browser"]);
    browsers
        .env("CARGO_TARGET_DIR", &target)
        .env("GRYT_TEST_KEYCLOAK", keycloak.home)
        .env("GRYT_TEST_JAVA_17", keycloak.java);
    steps.tests("browsers", browsers);
    Ok(())
}
