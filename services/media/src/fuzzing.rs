//! Doors for the fuzz targets: the parsers that read what a stranger sent. Not part of the API.

use crate::{rtcp, rtp};

/// Parses a decrypted RTP packet and looks for every header extension. Whether it was well formed.
#[must_use]
pub fn rtp(packet: &[u8]) -> bool {
    let Some(parsed) = rtp::parse(packet) else {
        return false;
    };
    for id in 0..=u8::MAX {
        let _ = parsed.extensions.find(id);
        let _ = parsed.extensions.audio_level(id);
    }
    assert!(parsed.payload.len() <= packet.len());
    true
}

/// Parses a decrypted RTCP compound. Whether it was well formed.
#[must_use]
pub fn rtcp(compound: &[u8]) -> bool {
    let mut reports = 0;
    let parsed = rtcp::parse(compound, |_| reports += 1);
    assert!(reports <= compound.len(), "a report takes at least a byte");
    parsed.is_ok()
}
