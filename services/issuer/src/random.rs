//! Secrets, ids and salts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SystemRandom, generate};
use sha2::{Digest as _, Sha256};

/// Fresh random bytes of the operating system.
pub(crate) fn random<const N: usize>() -> [u8; N]
where
    [u8; N]: ring::rand::RandomlyConstructable,
{
    generate(&SystemRandom::new())
        .expect("invariant: the operating system has randomness")
        .expose()
}

/// 256 random bits as 43 characters that are safe in URLs.
pub(crate) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// What the database keeps of a secret: a copy of the file signs nobody in.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
