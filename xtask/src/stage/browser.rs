//! The product as a person starts it, with real browsers and with scripted clients, in a network
//! namespace of its own.

use anyhow::Result;

use crate::cache;
use crate::command::command;
use crate::netns::Namespace;
use crate::packages;
use crate::packages::back_ends::BackEnds;
use crate::stage::Steps;
use crate::{up, web, workspace};

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    packages::ensure(&packages::BROWSER)?;
    // Inside the namespace nothing can be downloaded: all is built before.
    steps.check("build the product", up::build);
    steps.check("install the browser drivers", || {
        web::install_in("tests/browser")
    });
    let back_ends = BackEnds::ensure()?;
    let product = ["--test", "product", "--no-run"];
    steps.program("build what pods run", workspace::test(&["--no-run"]));
    steps.program("build the scripted clients", workspace::test(&product));
    let namespace = Namespace::open()?;
    let mut scripted = workspace::test(&["--test", "product", "--offline"]);
    scripted
        .env("GRYT_TEST_SFU_BINARY", workspace::program("gryt-sfu"))
        .env(
            "GRYT_TEST_SIGNALING_BINARY",
            workspace::program("gryt-signaling"),
        );
    steps.tests("scripted clients", namespace.inside(&scripted));
    let mut browsers = command("npm", &["test", "--silent", "--prefix", "tests/browser"]);
    browsers.env("CARGO_TARGET_DIR", cache::target());
    let browsers = back_ends.told_to(browsers);
    steps.tests("browsers", namespace.inside(&browsers));
    Ok(())
}
