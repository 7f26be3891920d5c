//! SRTP and SRTCP with AES-GCM (RFC 3711, RFC 7714): one context per direction and peer. No
//! allocation per packet, except once for each new SSRC.

mod inbound;
mod kdf;
mod outbound;

use std::fmt;

use ring::aead::{AES_128_GCM, AES_256_GCM, Algorithm, LessSafeKey, Nonce, UnboundKey};

pub use self::inbound::Inbound;
pub use self::outbound::Outbound;

/// Bytes that sealing appends to an RTP packet.
pub const TAG_LEN: usize = 16;
/// Bytes that sealing appends to an RTCP packet: the tag and the index.
pub const RTCP_OVERHEAD: usize = TAG_LEN + INDEX_LEN;

const SALT_LEN: usize = 12;
const INDEX_LEN: usize = 4;
const RTCP_HEADER_LEN: usize = 8;
/// SRTCP: the packet is encrypted.
const E_FLAG: u32 = 1 << 31;

/// Why a packet was neither opened nor sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SrtpError {
    /// Too short, another version than 2, or a header that runs past the end.
    #[error("malformed packet")]
    Malformed,
    /// The tag does not fit key, header and payload.
    #[error("packet is not authentic")]
    NotAuthentic,
    /// Seen before, or older than the replay window.
    #[error("packet is a replay")]
    Replayed,
    /// One sender uses more SSRCs than a context remembers.
    #[error("too many SSRCs")]
    TooManySsrcs,
    /// Sealing it would use a nonce twice: its number is not above the last one of its SSRC.
    #[error("sequence number was sealed before")]
    Sealed,
    /// The key's packets are used up.
    #[error("key is exhausted")]
    Exhausted,
    /// The buffer has no room for the tag.
    #[error("no room for the tag")]
    NoRoom,
}

/// Both directions' keys, as the DTLS handshake exported them.
#[derive(Debug)]
pub struct SrtpKeys {
    /// Of what the browser sends.
    pub inbound: MasterKey,
    /// Of what we send.
    pub outbound: MasterKey,
}

/// A master key and salt. Says nothing of itself in logs.
#[derive(Clone)]
pub struct MasterKey {
    suite: Suite,
    key: [u8; 32],
    salt: [u8; SALT_LEN],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suite {
    Aes128Gcm,
    Aes256Gcm,
}

impl Suite {
    fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes256Gcm => 32,
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128Gcm => &AES_128_GCM,
            Self::Aes256Gcm => &AES_256_GCM,
        }
    }
}

impl MasterKey {
    /// Takes a key of 16 (AES-128) or 32 (AES-256) bytes and a salt of 12.
    #[must_use]
    pub fn new(key: &[u8], salt: &[u8]) -> Option<Self> {
        let suite = match key.len() {
            16 => Suite::Aes128Gcm,
            32 => Suite::Aes256Gcm,
            _ => return None,
        };
        let mut padded = [0; 32];
        padded[..key.len()].copy_from_slice(key);
        Some(Self {
            suite,
            key: padded,
            salt: salt.try_into().ok()?,
        })
    }

    fn session(&self, labels: kdf::Labels) -> SessionKey {
        let key = &self.key[..self.suite.key_len()];
        let mut session = SessionKey {
            suite: self.suite,
            key: [0; 32],
            salt: [0; SALT_LEN],
        };
        kdf::derive(
            key,
            &self.salt,
            labels.key,
            &mut session.key[..self.suite.key_len()],
        );
        kdf::derive(key, &self.salt, labels.salt, &mut session.salt);
        session
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?})", self.suite)
    }
}

/// A derived key and salt.
struct SessionKey {
    suite: Suite,
    key: [u8; 32],
    salt: [u8; SALT_LEN],
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({:?})", self.suite)
    }
}

impl SessionKey {
    /// Expands the key. Takes about as long as one packet.
    fn expand(&self) -> LessSafeKey {
        let key = &self.key[..self.suite.key_len()];
        let key = UnboundKey::new(self.suite.algorithm(), key)
            .expect("invariant: the suite fixes the key's length");
        LessSafeKey::new(key)
    }
}

/// RFC 7714 section 8.1: SSRC, roll-over counter and sequence number, masked with the salt.
fn rtp_nonce(salt: &[u8; SALT_LEN], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &ssrc.to_be_bytes());
    xor(&mut nonce[6..12], &index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 7714 section 9.1: SSRC and SRTCP index, masked with the salt.
fn rtcp_nonce(salt: &[u8; SALT_LEN], ssrc: u32, index: u32) -> Nonce {
    let mut nonce = *salt;
    xor(&mut nonce[2..6], &ssrc.to_be_bytes());
    xor(&mut nonce[8..12], &index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn xor(out: &mut [u8], mask: &[u8]) {
    for (out, mask) in out.iter_mut().zip(mask) {
        *out ^= mask;
    }
}

/// What the context needs of an RTP header (RFC 3550 section 5.1).
#[derive(Debug, Clone, Copy)]
struct RtpHeader {
    sequence: u16,
    ssrc: u32,
    len: usize,
}

impl RtpHeader {
    fn parse(packet: &[u8]) -> Result<Self, SrtpError> {
        let fixed: &[u8; 12] = packet.first_chunk().ok_or(SrtpError::Malformed)?;
        if fixed[0] >> 6 != 2 {
            return Err(SrtpError::Malformed);
        }
        let mut len = 12 + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let words = packet.get(len + 2..len + 4).ok_or(SrtpError::Malformed)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
        }
        if packet.len() < len {
            return Err(SrtpError::Malformed);
        }
        Ok(Self {
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            len,
        })
    }
}

/// The sender of an RTCP packet.
fn rtcp_ssrc(packet: &[u8]) -> Result<u32, SrtpError> {
    let header: &[u8; RTCP_HEADER_LEN] = packet.first_chunk().ok_or(SrtpError::Malformed)?;
    if header[0] >> 6 != 2 {
        return Err(SrtpError::Malformed);
    }
    Ok(u32::from_be_bytes([
        header[4], header[5], header[6], header[7],
    ]))
}

/// The packet index (roll-over counter, sequence number) nearest to the highest one seen
/// (RFC 3711 section 3.3.1, appendix A).
fn nearest_index(highest: u64, sequence: u16) -> Option<u64> {
    let base = (highest & !0xffff) | u64::from(sequence);
    let index = if base + 0x8000 < highest {
        base + 0x1_0000
    } else if base > highest + 0x8000 {
        base.checked_sub(0x1_0000)?
    } else {
        base
    };
    (index < 1 << 48).then_some(index)
}

#[cfg(test)]
mod tests;
