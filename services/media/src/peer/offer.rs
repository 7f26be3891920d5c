//! Writes the SDP offer of a layout. Hand-written text: browsers are particular about order and
//! the whole of it is pinned by a golden file.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::layout::{AudioSlot, Layout, Line, Upstream};
use super::{IceCredentials, PeerConfig};

/// An offer to hand to the browser, which echoes the revision with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Counts up from 1 with each offer of a peer.
    pub revision: u32,
    /// The SDP.
    pub sdp: String,
}

/// Payload type of Opus, Chromium's own.
pub(super) const OPUS_PT: u8 = 111;
const AUDIO_LEVEL_ID: u8 = 1;
const MID_ID: u8 = 4;
/// RFC 6464: the level of each packet, in clear for the forwarder.
pub(super) const AUDIO_LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// RFC 9143: which line a packet belongs to.
pub(super) const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(super) const TRANSPORT_CC_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

pub(super) fn write(
    config: &PeerConfig,
    credentials: &IceCredentials,
    revision: u32,
    layout: &Layout,
) -> String {
    let mut sdp = String::with_capacity(1024 + 256 * layout.lines.len());
    write_session(&mut sdp, config, credentials, revision, layout);
    for (index, line) in layout.lines.iter().enumerate() {
        write_line_start(&mut sdp, line);
        match line {
            Line::Upstream(Upstream::Microphone) => write_microphone(&mut sdp),
            Line::AudioSlot(slot) => write_slot(&mut sdp, slot),
        }
        // All lines are bundled on the first, so only its candidates are ever used.
        if index == 0 {
            write_candidates(&mut sdp, &config.candidates);
        }
    }
    sdp
}

/// Appends one line; writing to a `String` cannot fail.
macro_rules! line {
    ($sdp:expr, $($text:tt)*) => {{
        let _ = write!($sdp, $($text)*);
        $sdp.push_str("\r\n");
    }};
}

fn write_session(
    sdp: &mut String,
    config: &PeerConfig,
    credentials: &IceCredentials,
    revision: u32,
    layout: &Layout,
) {
    line!(sdp, "v=0");
    line!(
        sdp,
        "o=gryt {} {revision} IN IP4 0.0.0.0",
        session_id(&credentials.ufrag)
    );
    line!(sdp, "s=-");
    line!(sdp, "t=0 0");
    sdp.push_str("a=group:BUNDLE");
    for line in &layout.lines {
        let _ = write!(sdp, " {}", line.mid());
    }
    sdp.push_str("\r\n");
    line!(sdp, "a=msid-semantic: WMS *");
    line!(sdp, "a=extmap-allow-mixed");
    line!(sdp, "a=ice-lite");
    line!(sdp, "a=ice-ufrag:{}", credentials.ufrag);
    line!(sdp, "a=ice-pwd:{}", credentials.pwd);
    line!(sdp, "a=fingerprint:{}", config.certificate.fingerprint());
    line!(sdp, "a=setup:actpass");
}

fn write_line_start(sdp: &mut String, line: &Line) {
    line!(sdp, "m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_PT}");
    line!(sdp, "c=IN IP4 0.0.0.0");
    line!(sdp, "a=mid:{}", line.mid());
    line!(sdp, "a=rtcp-mux");
    line!(sdp, "a=rtpmap:{OPUS_PT} opus/48000/2");
}

fn write_microphone(sdp: &mut String) {
    // What a receiver writes here is a wish to the sender: forward error correction, and no
    // packets in silence.
    line!(sdp, "a=fmtp:{OPUS_PT} minptime=10;useinbandfec=1;usedtx=1");
    line!(sdp, "a=extmap:{AUDIO_LEVEL_ID} {AUDIO_LEVEL_URI}");
    line!(sdp, "a=extmap:{MID_ID} {MID_URI}");
    line!(sdp, "a=recvonly");
}

fn write_slot(sdp: &mut String, slot: &AudioSlot) {
    let AudioSlot {
        number,
        ssrc,
        cname,
    } = slot;
    line!(sdp, "a=fmtp:{OPUS_PT} minptime=10;useinbandfec=1");
    line!(sdp, "a=sendonly");
    line!(sdp, "a=msid:slot-{number} slot-{number}");
    line!(sdp, "a=ssrc:{ssrc} cname:{cname}");
}

fn write_candidates(sdp: &mut String, candidates: &[SocketAddr]) {
    for (index, address) in (0u32..).zip(candidates) {
        // RFC 8445 section 5.1.2.1: host candidates of component 1, the earlier the better.
        let local_preference = 65535_u32.saturating_sub(index).min(65535);
        let priority = (126 << 24) | (local_preference << 8) | 255;
        line!(
            sdp,
            "a=candidate:{} 1 udp {priority} {} {} typ host",
            index + 1,
            address.ip(),
            address.port()
        );
    }
    line!(sdp, "a=end-of-candidates");
}

/// RFC 8866 asks for a number that is unique per session: the ufrag is, so its FNV-1a hash will do.
fn session_id(ufrag: &str) -> u64 {
    let hash = ufrag.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // RFC 8829 section 5.2.1 keeps the top bit clear.
    hash >> 1
}
