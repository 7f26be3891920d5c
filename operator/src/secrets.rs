//! Randomness from the operating system, for the ids and tokens that the operator draws.

use gryt_model::ServerId;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("draw random bytes")]
pub struct DrawError(#[source] rand::rand_core::OsError);

/// Fresh random bytes.
///
/// # Errors
/// The system has none to give.
pub fn draw<const N: usize>() -> Result<[u8; N], DrawError> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(DrawError)?;
    Ok(bytes)
}

/// A server id that nobody can guess or meet twice.
///
/// # Errors
/// The system has no randomness to give.
pub fn draw_server_id() -> Result<ServerId, DrawError> {
    Ok(ServerId::from_random(draw()?))
}
