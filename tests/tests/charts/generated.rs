//! Files that a check can write itself: compared as a rule, written when asked.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::chart::read;

const UPDATE: &str = "GRYT_UPDATE_GOLDEN";

/// Holds `path` against `text`, or writes it when `GRYT_UPDATE_GOLDEN` is set.
pub(crate) fn check(path: &Path, text: &str) -> Result<()> {
    if updates() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        return std::fs::write(path, text).with_context(|| format!("write {}", path.display()));
    }
    let found = read(path).unwrap_or_default();
    if found == text {
        return Ok(());
    }
    bail!(
        "{} is not what would be generated ({}); \
         {UPDATE}=1 cargo test -p gryt-tests --test charts writes it anew",
        path.display(),
        first_difference(&found, text)
    )
}

/// Whether this run writes files instead of comparing them.
pub(crate) fn updates() -> bool {
    std::env::var_os(UPDATE).is_some()
}

fn first_difference(found: &str, wanted: &str) -> String {
    let (mut found, mut wanted) = (found.lines(), wanted.lines());
    for number in 1.. {
        match (found.next(), wanted.next()) {
            (None, None) => break,
            (there, here) if there == here => {}
            (there, here) => {
                let line = |line: Option<&str>| line.unwrap_or("<end>").to_owned();
                return format!(
                    "line {number}: \"{}\", expected \"{}\"",
                    line(there),
                    line(here)
                );
            }
        }
    }
    "they differ in line ends".to_owned()
}
