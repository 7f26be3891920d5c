//! Random bits for ids.

use anyhow::Context as _;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

/// 128 random bits of the operating system.
pub(crate) fn bits() -> anyhow::Result<[u8; 16]> {
    let mut bits = [0; 16];
    OsRng
        .try_fill_bytes(&mut bits)
        .context("draw random bytes")?;
    Ok(bits)
}
