//! `cargo xtask screenshots`: docs/images, from the running product.

use anyhow::Result;
use clap::Args;

use crate::cache;
use crate::command;
use crate::netns::Namespace;
use crate::packages;
use crate::{up, web};

/// Needs root, for the network that the browsers run in.
#[derive(Args)]
pub(crate) struct Screenshots {}

pub(crate) fn run(Screenshots {}: &Screenshots) -> Result<()> {
    packages::ensure(&packages::BROWSER)?;
    up::build()?;
    web::install_in("tests/browser")?;
    let namespace = Namespace::open()?;
    let images = cache::root().join("docs/images");
    let mut node = command::command("node", &["tests/browser/screenshots.mjs"]);
    node.arg(images).env("CARGO_TARGET_DIR", cache::target());
    command::run(namespace.inside(&node))
}
