//! RTCP: reads what browsers report, writes the node's own reports (RFC 3550 section 6).

use std::time::Duration;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const HEADER_BYTES: usize = 4;
const SENDER_INFO_BYTES: usize = 24;
const BLOCK_BYTES: usize = 24;

/// One thing that a compound packet says. What this node does not use is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// A publisher's clock: the SSRC and the middle 32 bits of its NTP time.
    Sender { ssrc: u32, ntp_middle: u32 },
    /// How a listener receives one slot.
    Reception { ssrc: u32, lost_total: u32 },
}

/// The compound packet has a length that does not fit, or another version than 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Calls `each` for every report of a compound packet.
pub(crate) fn parse(mut compound: &[u8], mut each: impl FnMut(Report)) -> Result<(), Malformed> {
    while !compound.is_empty() {
        let header = compound.first_chunk::<HEADER_BYTES>().ok_or(Malformed)?;
        let bytes = HEADER_BYTES + usize::from(u16::from_be_bytes([header[2], header[3]])) * 4;
        let packet = compound.get(..bytes).ok_or(Malformed)?;
        if header[0] >> 6 != 2 {
            return Err(Malformed);
        }
        let count = usize::from(header[0] & 0x1f);
        match header[1] {
            SENDER_REPORT => {
                let sender = (word(packet, 4), word(packet, 10));
                let (Some(ssrc), Some(ntp_middle)) = sender else {
                    return Err(Malformed);
                };
                each(Report::Sender { ssrc, ntp_middle });
                parse_blocks(packet, 8 + SENDER_INFO_BYTES - 4, count, &mut each)?;
            }
            RECEIVER_REPORT => parse_blocks(packet, 8, count, &mut each)?,
            _ => {}
        }
        compound = &compound[bytes..];
    }
    Ok(())
}

fn parse_blocks(
    packet: &[u8],
    start: usize,
    count: usize,
    each: &mut impl FnMut(Report),
) -> Result<(), Malformed> {
    let blocks = packet
        .get(start..start + count * BLOCK_BYTES)
        .ok_or(Malformed)?;
    for block in blocks.chunks_exact(BLOCK_BYTES) {
        let (Some(ssrc), Some(lost)) = (word(block, 0), word(block, 4)) else {
            return Err(Malformed);
        };
        // The cumulative number is signed: duplicates may make it negative.
        let lost = lost & 0x00ff_ffff;
        let lost_total = if lost & 0x0080_0000 == 0 { lost } else { 0 };
        each(Report::Reception { ssrc, lost_total });
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

/// NTP time in 32.32 bits, from an origin of our own: the node has no wall clock, and receivers
/// use differences only (RFC 3550 section 6.4.1 allows it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NtpTime(u64);

impl NtpTime {
    pub(crate) fn since_origin(elapsed: Duration) -> Self {
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        // One day on, so that no report ever says 0, which stands for "no clock".
        Self((elapsed.as_secs() + 86_400) << 32 | fraction)
    }
}

/// A slot's sender report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SenderReport {
    pub(crate) ssrc: u32,
    pub(crate) rtp_timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// How the node receives an upstream track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReceptionBlock {
    pub(crate) ssrc: u32,
    /// In 1/256.
    pub(crate) fraction_lost: u8,
    pub(crate) lost_total: u32,
    pub(crate) highest_sequence: u32,
    pub(crate) jitter: u32,
    pub(crate) last_sender_report: u32,
    /// In 1/65536 s.
    pub(crate) delay_since: u32,
}

/// Builds one compound packet in a buffer it is lent.
#[derive(Debug)]
pub(crate) struct Compound<'a> {
    buffer: &'a mut [u8],
    used: usize,
}

impl<'a> Compound<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, used: 0 }
    }

    /// Bytes written. Empty: nothing to send.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Appends a sender report. `false`: it does not fit and nothing was written.
    pub(crate) fn sender_report(&mut self, report: &SenderReport, now: NtpTime) -> bool {
        let mut packet = [0; 4 + SENDER_INFO_BYTES];
        packet[..4].copy_from_slice(&header(0, SENDER_REPORT, 6));
        packet[4..8].copy_from_slice(&report.ssrc.to_be_bytes());
        packet[8..16].copy_from_slice(&now.0.to_be_bytes());
        packet[16..20].copy_from_slice(&report.rtp_timestamp.to_be_bytes());
        packet[20..24].copy_from_slice(&report.packets.to_be_bytes());
        packet[24..28].copy_from_slice(&report.octets.to_be_bytes());
        self.append(&packet)
    }

    /// Appends a receiver report with one block, sent by `from`.
    pub(crate) fn receiver_report(&mut self, from: u32, block: &ReceptionBlock) -> bool {
        let mut packet = [0; 8 + BLOCK_BYTES];
        packet[..4].copy_from_slice(&header(1, RECEIVER_REPORT, 7));
        packet[4..8].copy_from_slice(&from.to_be_bytes());
        packet[8..12].copy_from_slice(&block.ssrc.to_be_bytes());
        packet[12..16].copy_from_slice(&block.lost_total.min(0x007f_ffff).to_be_bytes());
        packet[12] = block.fraction_lost;
        packet[16..20].copy_from_slice(&block.highest_sequence.to_be_bytes());
        packet[20..24].copy_from_slice(&block.jitter.to_be_bytes());
        packet[24..28].copy_from_slice(&block.last_sender_report.to_be_bytes());
        packet[28..32].copy_from_slice(&block.delay_since.to_be_bytes());
        self.append(&packet)
    }

    /// Appends the CNAME of one SSRC, as every compound packet must (RFC 3550 section 6.1).
    pub(crate) fn source_description(&mut self, ssrc: u32, cname: &str) -> bool {
        let name = &cname.as_bytes()[..cname.len().min(64)];
        // SSRC, type, length, text, then 1 to 4 zero bytes up to the next word.
        let chunk_words = (4 + 2 + name.len()) / 4 + 1;
        let mut packet = [0; HEADER_BYTES + 76];
        let Ok(words) = u16::try_from(chunk_words) else {
            return false;
        };
        packet[..4].copy_from_slice(&header(1, SOURCE_DESCRIPTION, words));
        packet[4..8].copy_from_slice(&ssrc.to_be_bytes());
        packet[8] = 1;
        packet[9] = u8::try_from(name.len()).unwrap_or(0);
        packet[10..10 + name.len()].copy_from_slice(name);
        self.append(&packet[..HEADER_BYTES + chunk_words * 4])
    }

    fn append(&mut self, packet: &[u8]) -> bool {
        let Some(place) = self.buffer.get_mut(self.used..self.used + packet.len()) else {
            return false;
        };
        place.copy_from_slice(packet);
        self.used += packet.len();
        true
    }
}

fn header(count: u8, kind: u8, words: u16) -> [u8; HEADER_BYTES] {
    let [high, low] = words.to_be_bytes();
    [0x80 | count, kind, high, low]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::output::MAX_DATAGRAM_BYTES;
    use crate::srtp::RTCP_OVERHEAD;

    #[test]
    fn what_is_written_parses_and_has_whole_words() {
        let mut buffer = [0xff; 200];
        let mut compound = Compound::new(&mut buffer);
        let block = ReceptionBlock {
            ssrc: 9,
            fraction_lost: 255,
            lost_total: 3,
            highest_sequence: 70_000,
            jitter: 5,
            last_sender_report: 6,
            delay_since: 7,
        };
        let report = SenderReport {
            ssrc: 5,
            rtp_timestamp: 960,
            packets: 1,
            octets: 80,
        };
        let now = NtpTime::since_origin(Duration::from_millis(1_500));
        assert!(compound.receiver_report(4, &block));
        assert!(compound.sender_report(&report, now));
        for cname in ["", "a", "ab", "abc", "abcd"] {
            assert!(compound.source_description(5, cname));
        }
        let used = compound.len();
        let mut reports = Vec::new();
        parse(&buffer[..used], |report| reports.push(report)).unwrap();
        let lost_total = 3;
        let ntp_middle = (86_401 & 0xffff) << 16 | 0x8000;
        assert_eq!(
            reports,
            [
                Report::Reception {
                    ssrc: 9,
                    lost_total
                },
                Report::Sender {
                    ssrc: 5,
                    ntp_middle
                }
            ]
        );
    }

    #[test]
    fn a_full_buffer_takes_no_half_packet() {
        let mut buffer = [0; 30];
        let mut compound = Compound::new(&mut buffer);
        assert!(compound.source_description(1, "a0"));
        let used = compound.len();
        assert!(!compound.source_description(1, "a quite long name"));
        assert_eq!(compound.len(), used);
    }

    #[test]
    fn the_reports_of_32_slots_fit_one_datagram() {
        let mut buffer = [0; MAX_DATAGRAM_BYTES - RTCP_OVERHEAD];
        let mut compound = Compound::new(&mut buffer);
        let block = ReceptionBlock {
            ssrc: 9,
            fraction_lost: 0,
            lost_total: 0,
            highest_sequence: 0,
            jitter: 0,
            last_sender_report: 0,
            delay_since: 0,
        };
        assert!(compound.receiver_report(4, &block));
        for number in 0..32 {
            let report = SenderReport {
                ssrc: number,
                rtp_timestamp: 0,
                packets: 0,
                octets: 0,
            };
            assert!(compound.sender_report(&report, NtpTime(1)));
            assert!(compound.source_description(number, &format!("s{number}")));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_parser(bytes: Vec<u8>) {
            let _ = parse(&bytes, |_| ());
        }

        #[test]
        fn no_report_breaks_the_parser(count in 0u8..32, kind in 200u8..208, words in 0u16..40, rest: Vec<u8>) {
            let mut bytes = header(count, kind, words).to_vec();
            bytes.extend(rest);
            let _ = parse(&bytes, |_| ());
        }
    }
}
