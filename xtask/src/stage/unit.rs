//! Every crate's own tests; the black-box crate belongs to the browser stage.

use anyhow::Result;

use crate::command::cargo;
use crate::stage::Steps;

pub(crate) fn run(steps: &mut Steps) -> Result<()> {
    let args = [
        "test",
        "--workspace",
        "--exclude",
        "gryt-tests",
        "--locked",
        "--no-fail-fast",
    ];
    steps.tests("cargo test", cargo(&args));
    Ok(())
}
