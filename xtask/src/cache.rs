//! Where things live: the clone, and the cache outside it that holds downloads and build outputs.

use std::path::PathBuf;

/// The clone's top folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// Whether a build machine runs this: what a person may skip is an error there.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "0" && value != "false")
}

/// Downloads and tools, kept between clones: `$GRYT_CACHE_DIR`, else `gryt` in the user's cache.
pub(crate) fn dir() -> PathBuf {
    if let Ok(dir) = std::env::var("GRYT_CACHE_DIR") {
        return PathBuf::from(dir);
    }
    let base = std::env::var("XDG_CACHE_HOME").map_or_else(
        |_| PathBuf::from(std::env::var("HOME").unwrap_or_else(|_| "/tmp".into())).join(".cache"),
        PathBuf::from,
    );
    base.join("gryt")
}

/// Cargo's target directory: as the person set it; on a build machine outside the clone, so that
/// the next clone finds the dependencies built; else the clone's own.
pub(crate) fn target() -> PathBuf {
    if let Ok(dir) = std::env::var("CARGO_TARGET_DIR") {
        return PathBuf::from(dir);
    }
    if in_ci() {
        dir().join("target")
    } else {
        root().join("target")
    }
}
