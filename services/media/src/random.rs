//! Random values out of the seed that the shell gave: the same seed, the same values.

use ring::hmac;

/// HMAC-SHA256 over a counter. Unguessable as long as the seed is.
pub(crate) struct Random {
    key: hmac::Key,
    drawn: u64,
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(..)")
    }
}

impl Random {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, seed),
            drawn: 0,
        }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            self.drawn += 1;
            let block = hmac::sign(&self.key, &self.drawn.to_be_bytes());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
        bytes
    }

    pub(crate) fn number(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes())
    }

    /// `N` characters that ICE and SDP let pass (RFC 8839 `ice-char`), five bits each.
    pub(crate) fn text<const N: usize>(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        self.bytes::<N>()
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
            .collect()
    }
}
