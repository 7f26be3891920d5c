//! Opens what one browser sends, and lets nothing through twice.

use ring::aead::{Aad, LessSafeKey};

use super::{
    E_FLAG, INDEX_LEN, MasterKey, RTCP_HEADER_LEN, RtpHeader, SALT_LEN, SrtpError, TAG_LEN, kdf,
    nearest_index, rtcp_nonce, rtcp_ssrc, rtp_nonce,
};

/// SSRCs remembered for each of RTP and RTCP: three layers with RTX, screen, two audio lines, and
/// as many again after a restart of its encoder. Forgetting one would let its packets be replayed,
/// so a further one is refused.
const MAX_SSRCS: usize = 32;

/// The receiving context of one peer.
#[derive(Debug)]
pub struct Inbound {
    rtp: LessSafeKey,
    rtcp: LessSafeKey,
    rtp_salt: [u8; SALT_LEN],
    rtcp_salt: [u8; SALT_LEN],
    rtp_sources: Vec<Source>,
    rtcp_sources: Vec<Source>,
}

/// Replay state of one SSRC.
#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    highest: u64,
    /// Bit n: index `highest - n` was accepted.
    window: u128,
}

impl Inbound {
    /// Derives the session keys.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let rtp = master.session(kdf::RTP);
        let rtcp = master.session(kdf::RTCP);
        Self {
            rtp: rtp.expand(),
            rtcp: rtcp.expand(),
            rtp_salt: rtp.salt,
            rtcp_salt: rtcp.salt,
            rtp_sources: Vec::new(),
            rtcp_sources: Vec::new(),
        }
    }

    /// Opens an SRTP packet in place; the RTP packet is the first `n` bytes of it.
    ///
    /// # Errors
    /// For what is malformed, forged, replayed, or of one SSRC too many.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let header = RtpHeader::parse(packet)?;
        let known = find(&self.rtp_sources, header.ssrc);
        let index = match known {
            Some(at) => nearest_index(self.rtp_sources[at].highest, header.sequence)
                .ok_or(SrtpError::Replayed)?,
            None => u64::from(header.sequence),
        };
        admit(&self.rtp_sources, known, index)?;
        let nonce = rtp_nonce(&self.rtp_salt, header.ssrc, index);
        let (aad, payload) = packet.split_at_mut(header.len);
        let plain = self
            .rtp
            .open_in_place(nonce, Aad::from(&*aad), payload)
            .map_err(|_| SrtpError::NotAuthentic)?
            .len();
        accept(&mut self.rtp_sources, known, header.ssrc, index);
        Ok(header.len + plain)
    }

    /// Opens an SRTCP packet in place; the RTCP packet is the first `n` bytes of it.
    ///
    /// # Errors
    /// As [`Self::unprotect`]; also for one that is authenticated only, which browsers never send.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet)?;
        if packet.len() < RTCP_HEADER_LEN + TAG_LEN + INDEX_LEN {
            return Err(SrtpError::Malformed);
        }
        let (body, trailer) = packet.split_at_mut(packet.len() - INDEX_LEN);
        let trailer = u32::from_be_bytes([trailer[0], trailer[1], trailer[2], trailer[3]]);
        if trailer & E_FLAG == 0 {
            return Err(SrtpError::Malformed);
        }
        let index = trailer & !E_FLAG;
        let known = find(&self.rtcp_sources, ssrc);
        admit(&self.rtcp_sources, known, u64::from(index))?;
        let mut aad = [0; RTCP_HEADER_LEN + INDEX_LEN];
        aad[..RTCP_HEADER_LEN].copy_from_slice(&body[..RTCP_HEADER_LEN]);
        aad[RTCP_HEADER_LEN..].copy_from_slice(&trailer.to_be_bytes());
        let plain = self
            .rtcp
            .open_in_place(
                rtcp_nonce(&self.rtcp_salt, ssrc, index),
                Aad::from(aad),
                &mut body[RTCP_HEADER_LEN..],
            )
            .map_err(|_| SrtpError::NotAuthentic)?
            .len();
        accept(&mut self.rtcp_sources, known, ssrc, u64::from(index));
        Ok(RTCP_HEADER_LEN + plain)
    }
}

fn find(sources: &[Source], ssrc: u32) -> Option<usize> {
    sources.iter().position(|source| source.ssrc == ssrc)
}

/// Refuses what can be refused before the key is used.
fn admit(sources: &[Source], known: Option<usize>, index: u64) -> Result<(), SrtpError> {
    let Some(at) = known else {
        let room = sources.len() < MAX_SSRCS;
        return room.then_some(()).ok_or(SrtpError::TooManySsrcs);
    };
    let Source {
        highest, window, ..
    } = sources[at];
    let fresh = match highest.checked_sub(index) {
        None => true,
        Some(age) if age < 128 => window & (1 << age) == 0,
        Some(_) => false,
    };
    fresh.then_some(()).ok_or(SrtpError::Replayed)
}

/// Marks an authentic packet as seen.
fn accept(sources: &mut Vec<Source>, known: Option<usize>, ssrc: u32, index: u64) {
    let Some(at) = known else {
        sources.push(Source {
            ssrc,
            highest: index,
            window: 1,
        });
        return;
    };
    let source = &mut sources[at];
    if let Some(age) = source.highest.checked_sub(index) {
        source.window |= 1 << age.min(127);
    } else {
        let ahead = index - source.highest;
        source.window = if ahead < 128 {
            source.window << ahead
        } else {
            0
        };
        source.window |= 1;
        source.highest = index;
    }
}
