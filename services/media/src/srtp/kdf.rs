//! Key derivation with AES in counter mode (RFC 3711 section 4.3, RFC 6188 for 256 bits), once per
//! key. `ring` has no bare AES, so the block cipher is RustCrypto's, as in the DTLS crate.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256, Block};

/// Which key is derived (RFC 3711 section 4.3.1).
#[derive(Debug, Clone, Copy)]
pub(super) struct Labels {
    pub(super) key: u8,
    pub(super) salt: u8,
}

pub(super) const RTP: Labels = Labels { key: 0, salt: 2 };
pub(super) const RTCP: Labels = Labels { key: 3, salt: 5 };

/// Fills `out`, at most 32 bytes. `salt` has at most 14; a shorter one is padded on the right
/// (RFC 7714 section 11).
pub(super) fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) {
    let mut input = [0; 16];
    input[..salt.len()].copy_from_slice(salt);
    input[7] ^= label;
    for (counter, chunk) in (0u8..).zip(out.chunks_mut(16)) {
        input[15] = counter;
        let mut block = Block::from(input);
        encrypt(key, &mut block);
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

fn encrypt(key: &[u8], block: &mut Block) {
    if let Ok(cipher) = Aes128::new_from_slice(key) {
        cipher.encrypt_block(block);
    } else if let Ok(cipher) = Aes256::new_from_slice(key) {
        cipher.encrypt_block(block);
    }
}
