//! The few lines of an offer that the scripted client reads by itself.

use std::net::SocketAddr;

/// What an offer says of interest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offered {
    /// The node's ICE user fragment.
    pub ufrag: String,
    /// Where the node can be reached.
    pub candidates: Vec<SocketAddr>,
    /// The payload type of Opus.
    pub opus: Option<u8>,
    /// The id of the audio level's header extension (RFC 6464).
    pub audio_level: Option<u8>,
    /// The id of the mid's header extension (RFC 9143 section 15).
    pub mid: Option<u8>,
    /// The mid of the first line that the node receives on.
    pub upstream: Option<String>,
    /// The number of audio lines that the node sends on.
    pub slots: usize,
}

impl Offered {
    /// Reads an offer. What it lacks stays empty.
    #[must_use]
    pub fn read(sdp: &str) -> Self {
        let mut offered = Self::default();
        for section in sections(sdp) {
            offered.read_section(section);
        }
        offered
    }

    fn read_section(&mut self, section: &str) {
        let is_audio = section.starts_with("m=audio");
        let mut mid = None;
        for line in section.lines() {
            if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
                ufrag.clone_into(&mut self.ufrag);
            } else if let Some(candidate) = line.strip_prefix("a=candidate:") {
                let words: Vec<&str> = candidate.split(' ').collect();
                if let (Some(ip), Some(port)) = (words.get(4), words.get(5))
                    && let (Ok(ip), Ok(port)) = (ip.parse(), port.parse())
                    && !self.candidates.contains(&SocketAddr::new(ip, port))
                {
                    self.candidates.push(SocketAddr::new(ip, port));
                }
            } else if let Some(found) = line.strip_prefix("a=mid:") {
                mid = Some(found.to_owned());
            } else if let Some(map) = line.strip_prefix("a=rtpmap:") {
                if let Some((number, codec)) = map.split_once(' ')
                    && codec.to_ascii_lowercase().starts_with("opus/48000")
                {
                    self.opus = self.opus.or_else(|| number.parse().ok());
                }
            } else if let Some(map) = line.strip_prefix("a=extmap:") {
                let (number, uri) = map.split_once(' ').unwrap_or((map, ""));
                let number = number
                    .split('/')
                    .next()
                    .and_then(|number| number.parse().ok());
                if uri.starts_with("urn:ietf:params:rtp-hdrext:ssrc-audio-level") {
                    self.audio_level = self.audio_level.or(number);
                } else if uri.starts_with("urn:ietf:params:rtp-hdrext:sdes:mid") {
                    self.mid = self.mid.or(number);
                }
            } else if is_audio && matches!(line, "a=recvonly" | "a=sendrecv") {
                self.upstream = self.upstream.take().or_else(|| mid.clone());
            } else if is_audio && line == "a=sendonly" {
                self.slots += 1;
            }
        }
    }
}

/// The session part and each media part.
fn sections(sdp: &str) -> impl Iterator<Item = &str> {
    let mut rest = sdp;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest[1..].find("\nm=").map_or(rest.len(), |at| at + 2);
        let (section, after) = rest.split_at(end);
        rest = after;
        Some(section)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_read_by_its_lines() {
        let sdp = "v=0\r\ns=-\r\na=ice-ufrag:abcd\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:mic\r\na=rtpmap:111 opus/48000/2\r\n\
            a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
            a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=recvonly\r\n\
            a=candidate:1 1 udp 2130706431 127.0.0.1 8081 typ host\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a0\r\na=sendonly\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:a1\r\na=sendonly\r\n";
        let expected = Offered {
            ufrag: "abcd".to_owned(),
            candidates: vec!["127.0.0.1:8081".parse().unwrap()],
            opus: Some(111),
            audio_level: Some(1),
            mid: Some(4),
            upstream: Some("mic".to_owned()),
            slots: 2,
        };
        assert_eq!(Offered::read(sdp), expected);
    }
}
