//! Seals what goes to one browser. A nonce is used once or not at all: numbers that were sealed
//! before, or are too old to know, are refused, in every build.

use ring::aead::{Aad, LessSafeKey};

use super::{
    E_FLAG, INDEX_LEN, MasterKey, RTCP_HEADER_LEN, RtpHeader, SALT_LEN, SessionKey, SrtpError,
    TAG_LEN, kdf, rtcp_nonce, rtcp_ssrc, rtp_nonce,
};

/// SSRCs we send to one peer: 32 audio slots, and what video and its RTX will need.
const MAX_SSRCS: usize = 64;

/// RFC 3711 section 9.2 allows 2^31 SRTCP packets per key.
const MAX_RTCP_INDEX: u32 = (1 << 31) - 1;

/// The sending context of one peer.
#[derive(Debug)]
pub struct Outbound {
    rtp: LessSafeKey,
    rtp_salt: [u8; SALT_LEN],
    sources: Vec<Sent>,
    /// Expanded anew for each packet: RTCP is rare, an expanded key is half a kilobyte.
    rtcp: SessionKey,
    next_rtcp_index: u32,
}

/// What was sealed for an SSRC. 65,536 roll-overs last two years of audio.
#[derive(Debug, Clone, Copy)]
struct Sent {
    ssrc: u32,
    roll_over: u16,
    sequence: u16,
    /// Bit n: the packet n before the highest was sealed.
    window: u64,
}

impl Outbound {
    /// Derives the session keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let rtp = master.session(kdf::RTP);
        Self {
            rtp: rtp.expand(),
            rtp_salt: rtp.salt,
            sources: Vec::new(),
            rtcp: master.session(kdf::RTCP),
            next_rtcp_index: 0,
        }
    }

    /// Seals the RTP packet in the first `len` bytes of `buffer` and returns the sealed length,
    /// [`TAG_LEN`] more. Gaps in the numbers of an SSRC are welcome, and so is each of the
    /// 63 before the highest, once.
    ///
    /// # Errors
    /// When the number was sealed before or is older than those, and when the packet or the buffer
    /// is too short. Nothing was sealed then, and nothing changed.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let sealed = len + TAG_LEN;
        let buffer = buffer.get_mut(..sealed).ok_or(SrtpError::NoRoom)?;
        let header = RtpHeader::parse(&buffer[..len])?;
        let at = self
            .sources
            .iter()
            .position(|sent| sent.ssrc == header.ssrc);
        let (sent, index) = match at {
            Some(at) => self.sources[at].mark(header.sequence)?,
            None if self.sources.len() >= MAX_SSRCS => return Err(SrtpError::TooManySsrcs),
            None => {
                let sent = Sent {
                    ssrc: header.ssrc,
                    roll_over: 0,
                    sequence: header.sequence,
                    window: 1,
                };
                (sent, sent.index())
            }
        };
        let nonce = rtp_nonce(&self.rtp_salt, sent.ssrc, index);
        let (aad, rest) = buffer.split_at_mut(header.len);
        let (payload, tag) = rest.split_at_mut(len - header.len);
        let sealed_tag = self
            .rtp
            .seal_in_place_separate_tag(nonce, Aad::from(&*aad), payload)
            .map_err(|_| SrtpError::Exhausted)?;
        tag.copy_from_slice(sealed_tag.as_ref());
        match at {
            Some(at) => self.sources[at] = sent,
            None => self.sources.push(sent),
        }
        Ok(sealed)
    }

    /// Seals the RTCP packet in the first `len` bytes of `buffer` and returns the sealed length,
    /// [`super::RTCP_OVERHEAD`] more.
    ///
    /// # Errors
    /// When the packet or the buffer is too short, or the key has sealed 2^31 of them.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let sealed = len + TAG_LEN + INDEX_LEN;
        let buffer = buffer.get_mut(..sealed).ok_or(SrtpError::NoRoom)?;
        let ssrc = rtcp_ssrc(&buffer[..len])?;
        let index = self.next_rtcp_index;
        if index > MAX_RTCP_INDEX {
            return Err(SrtpError::Exhausted);
        }
        let trailer = (index | E_FLAG).to_be_bytes();
        let mut aad = [0; RTCP_HEADER_LEN + INDEX_LEN];
        aad[..RTCP_HEADER_LEN].copy_from_slice(&buffer[..RTCP_HEADER_LEN]);
        aad[RTCP_HEADER_LEN..].copy_from_slice(&trailer);
        let tag = self
            .rtcp
            .expand()
            .seal_in_place_separate_tag(
                rtcp_nonce(&self.rtcp.salt, ssrc, index),
                Aad::from(aad),
                &mut buffer[RTCP_HEADER_LEN..len],
            )
            .map_err(|_| SrtpError::Exhausted)?;
        // One counter for all SSRCs: each one's numbers rise, which is all a receiver asks for.
        self.next_rtcp_index = index + 1;
        buffer[len..len + TAG_LEN].copy_from_slice(tag.as_ref());
        buffer[len + TAG_LEN..].copy_from_slice(&trailer);
        Ok(sealed)
    }
}

impl Sent {
    fn index(self) -> u64 {
        u64::from(self.roll_over) << 16 | u64::from(self.sequence)
    }

    /// The state with this number sealed, and its index.
    fn mark(self, sequence: u16) -> Result<(Self, u64), SrtpError> {
        let ahead = sequence.wrapping_sub(self.sequence);
        if ahead == 0 || ahead >= 0x8000 {
            return self.mark_late(self.sequence.wrapping_sub(sequence));
        }
        let wrapped = sequence < self.sequence;
        let roll_over = self
            .roll_over
            .checked_add(u16::from(wrapped))
            .ok_or(SrtpError::Exhausted)?;
        let window = self.window.checked_shl(u32::from(ahead)).unwrap_or(0);
        let sent = Self {
            roll_over,
            sequence,
            window: window | 1,
            ..self
        };
        Ok((sent, sent.index()))
    }

    /// As `mark`, of the number `age` before the highest.
    fn mark_late(self, age: u16) -> Result<(Self, u64), SrtpError> {
        let bit = 1_u64.checked_shl(u32::from(age)).unwrap_or(0);
        if bit == 0 || self.window & bit != 0 {
            return Err(SrtpError::Sealed);
        }
        let index = self.index().checked_sub(u64::from(age));
        let index = index.ok_or(SrtpError::Sealed)?;
        let sent = Self {
            window: self.window | bit,
            ..self
        };
        Ok((sent, index))
    }
}

#[cfg(test)]
pub(super) const SENT_BYTES: usize = size_of::<Sent>();

#[cfg(test)]
impl Outbound {
    pub(super) fn set_rtcp(&mut self, key: SessionKey, index: u32) {
        self.rtcp = key;
        self.next_rtcp_index = index;
    }
}
