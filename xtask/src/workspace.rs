//! The workspace's tests, compiled in one way for all stages: if each asked for its packages alone,
//! these would have features of their own, and most of what they stand on would be compiled once more.

use std::path::PathBuf;
use std::process::Command;

use crate::cache;
use crate::command::cargo;

/// `cargo test` of the whole workspace. `more`: which of its tests, and what they are told.
pub(crate) fn test(more: &[&str]) -> Command {
    let mut test = cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    test.args(more);
    test
}

/// A program of the workspace as its tests have it. It is there once any of them was compiled without
/// a name, as by `test(&["--no-run"])`.
pub(crate) fn program(name: &str) -> PathBuf {
    cache::target().join("debug").join(name)
}
