//! The one place of this crate that draws random numbers.

use std::num::{NonZeroU16, NonZeroU32};

use gryt_model::ParticipantId;
use rand::Rng as _;

/// Random bits for an id that nobody may guess.
#[expect(clippy::disallowed_methods, reason = "the shell's randomness")]
pub(crate) fn bits() -> [u8; 16] {
    rand::rng().random()
}

/// The seed of a part that draws for itself.
#[cfg(feature = "back-ends")]
#[expect(clippy::disallowed_methods, reason = "the shell's randomness")]
pub(crate) fn seed() -> [u8; 32] {
    rand::rng().random()
}

/// Random bytes for a secret.
#[expect(clippy::disallowed_methods, reason = "the shell's randomness")]
pub(crate) fn secret() -> [u8; 32] {
    rand::rng().random()
}

/// A number from 0 to 1, to spread what would otherwise happen everywhere at once.
#[expect(clippy::disallowed_methods, reason = "the shell's randomness")]
pub(crate) fn fraction() -> f64 {
    rand::rng().random()
}

/// Where a process begins to count participants: low, so that ids stay short.
#[expect(clippy::disallowed_methods, reason = "the shell's randomness")]
pub(crate) fn participant() -> ParticipantId {
    let low: NonZeroU16 = rand::rng().random();
    NonZeroU32::from(low).into()
}
