//! RTP as browsers send it and as slots carry it (RFC 3550 section 5.1). Knows no keys.

use std::ops::Range;

/// The header that every forwarded packet has: no extensions, one CSRC.
pub(crate) const FORWARDED_HEADER_BYTES: usize = 16;

const FIXED_HEADER_BYTES: usize = 12;
const ONE_BYTE_PROFILE: u16 = 0xbede;
const TWO_BYTE_PROFILE: u16 = 0x1000;

/// What a received packet says, with the places of its variable parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) extensions: Extensions<'a>,
    /// Without padding.
    pub(crate) payload: &'a [u8],
}

/// The header of a packet that leaves in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) csrc: u32,
}

/// RFC 5761 section 4: whether a media datagram is SRTCP, by its second byte.
pub(crate) fn is_control(second: u8) -> bool {
    (192..224).contains(&second)
}

/// Parses a decrypted packet. `None`: it is malformed.
pub(crate) fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    let fixed = packet.first_chunk::<FIXED_HEADER_BYTES>()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut start = FIXED_HEADER_BYTES + usize::from(fixed[0] & 0x0f) * 4;
    let mut extensions = Extensions::default();
    if fixed[0] & 0x10 != 0 {
        let header = packet.get(start..)?.first_chunk::<4>()?;
        let bytes = usize::from(u16::from_be_bytes([header[2], header[3]])) * 4;
        extensions = Extensions {
            profile: u16::from_be_bytes([header[0], header[1]]),
            elements: packet.get(start + 4..start + 4 + bytes)?,
        };
        start += 4 + bytes;
    }
    let padding = match fixed[0] & 0x20 {
        0 => 0,
        _ => usize::from(*packet.last()?).max(1),
    };
    let end = packet.len().checked_sub(padding)?;
    Some(Packet {
        marker: fixed[1] & 0x80 != 0,
        payload_type: fixed[1] & 0x7f,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        extensions,
        payload: packet.get(start..end)?,
    })
}

impl Forwarded {
    /// Writes the header to the front of `buffer`.
    pub(crate) fn write(self, buffer: &mut [u8; FORWARDED_HEADER_BYTES]) {
        buffer[0] = 0x81;
        buffer[1] = u8::from(self.marker) << 7 | self.payload_type;
        buffer[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        buffer[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        buffer[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        buffer[12..16].copy_from_slice(&self.csrc.to_be_bytes());
    }
}

/// The header extension block of a packet (RFC 8285).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Extensions<'a> {
    profile: u16,
    elements: &'a [u8],
}

impl<'a> Extensions<'a> {
    /// The audio level in -dBov, 0..=127, 127 for silence (RFC 6464).
    pub(crate) fn audio_level(self, id: u8) -> Option<u8> {
        self.find(id)?.first().map(|byte| byte & 0x7f)
    }

    /// The first element of that id. A malformed block ends the search.
    pub(crate) fn find(self, id: u8) -> Option<&'a [u8]> {
        let two_byte = match self.profile {
            ONE_BYTE_PROFILE => false,
            profile if profile & 0xfff0 == TWO_BYTE_PROFILE => true,
            _ => return None,
        };
        let mut at = 0;
        while let Some(&first) = self.elements.get(at) {
            if first == 0 {
                at += 1;
                continue;
            }
            let (found, value) = if two_byte {
                let length = usize::from(*self.elements.get(at + 1)?);
                (first, value_at(at + 2, length))
            } else {
                (first >> 4, value_at(at + 1, usize::from(first & 0x0f) + 1))
            };
            // RFC 8285 section 4.2: id 15 ends a block of one-byte elements.
            if !two_byte && found == 15 {
                return None;
            }
            if found == id {
                return self.elements.get(value);
            }
            at = value.end;
        }
        None
    }
}

fn value_at(start: usize, length: usize) -> Range<usize> {
    start..start + length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet_with(extension: &[u8], profile: u16) -> Vec<u8> {
        let mut packet = vec![0x90, 0xef, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5];
        packet.extend_from_slice(&profile.to_be_bytes());
        packet.extend_from_slice(&u16::try_from(extension.len() / 4).unwrap().to_be_bytes());
        packet.extend_from_slice(extension);
        packet.extend_from_slice(b"opus");
        packet
    }

    #[test]
    fn extensions_of_both_forms_are_found_behind_others() {
        for (profile, extension) in [
            (0xbede, &[0x00, 0x31, 1, 2, 0x10, 0x85, 0, 0][..]),
            (0x1003, &[0x00, 3, 2, 1, 2, 1, 1, 0x85][..]),
        ] {
            let bytes = packet_with(extension, profile);
            let packet = parse(&bytes).unwrap();
            assert_eq!(packet.extensions.audio_level(1), Some(5));
            assert_eq!(packet.extensions.find(2), None);
            assert_eq!(packet.payload, b"opus");
            assert!(packet.marker);
            assert_eq!((packet.payload_type, packet.sequence), (111, 7));
        }
    }

    #[test]
    fn padding_is_no_payload() {
        let mut bytes = vec![0xa0, 111, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, b'o', 0, 0, 3];
        assert_eq!(parse(&bytes).unwrap().payload, b"o");
        *bytes.last_mut().unwrap() = 5;
        assert_eq!(parse(&bytes), None);
    }

    #[test]
    fn a_forwarded_header_reads_back() {
        let header = Forwarded {
            marker: true,
            payload_type: 111,
            sequence: 65_535,
            timestamp: 0xdead_beef,
            ssrc: 3,
            csrc: 77,
        };
        let mut buffer = [0; FORWARDED_HEADER_BYTES];
        header.write(&mut buffer);
        let packet = parse(&buffer).unwrap();
        assert_eq!(packet.sequence, 65_535);
        assert_eq!(packet.timestamp, 0xdead_beef);
        assert!(packet.payload.is_empty());
        assert_eq!(buffer[12..16], 77_u32.to_be_bytes());
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_parser(bytes: Vec<u8>, id: u8) {
            if let Some(packet) = parse(&bytes) {
                let _ = packet.extensions.find(id);
                prop_assert!(packet.payload.len() + FIXED_HEADER_BYTES <= bytes.len());
            }
        }
    }
}
