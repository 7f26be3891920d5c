//! Names what is kept by what it was made from.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn of(file: &Path) -> Result<String> {
    let text = fs::read(file).with_context(|| format!("read \"{}\"", file.display()))?;
    let mut hash = String::new();
    for byte in Sha256::digest(text) {
        hash.push_str(&format!("{byte:02x}"));
    }
    Ok(hash)
}
