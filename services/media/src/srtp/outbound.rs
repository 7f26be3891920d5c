//! Seals what goes to one browser. A nonce is used once or not at all: numbers that do not rise
//! are refused, in every build.

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

/// The last packet sealed for an SSRC. Eight bytes; 65,536 roll-overs last two years of audio.
#[derive(Debug, Clone, Copy)]
struct Sent {
    ssrc: u32,
    roll_over: u16,
    sequence: u16,
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
    /// [`TAG_LEN`] more. Sequence numbers of an SSRC rise; gaps are welcome.
    ///
    /// # Errors
    /// When the number does not rise (by less than half the number space), and when the packet or
    /// the buffer is too short. Nothing was sealed then, and nothing changed.
    pub fn protect(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let sealed = len + TAG_LEN;
        let buffer = buffer.get_mut(..sealed).ok_or(SrtpError::NoRoom)?;
        let header = RtpHeader::parse(&buffer[..len])?;
        let at = self
            .sources
            .iter()
            .position(|sent| sent.ssrc == header.ssrc);
        let sent = match at {
            Some(at) => self.sources[at].next(header.sequence)?,
            None if self.sources.len() >= MAX_SSRCS => return Err(SrtpError::TooManySsrcs),
            None => Sent {
                ssrc: header.ssrc,
                roll_over: 0,
                sequence: header.sequence,
            },
        };
        let nonce = rtp_nonce(&self.rtp_salt, sent.ssrc, sent.index());
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

    fn next(self, sequence: u16) -> Result<Self, SrtpError> {
        let step = sequence.wrapping_sub(self.sequence);
        if step == 0 || step >= 0x8000 {
            return Err(SrtpError::Sealed);
        }
        let wrapped = sequence < self.sequence;
        let roll_over = self
            .roll_over
            .checked_add(u16::from(wrapped))
            .ok_or(SrtpError::Exhausted)?;
        Ok(Self {
            ssrc: self.ssrc,
            roll_over,
            sequence,
        })
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

    pub(super) fn last_index(&self, ssrc: u32) -> Option<u64> {
        let sent = self.sources.iter().find(|sent| sent.ssrc == ssrc)?;
        Some(sent.index())
    }
}
