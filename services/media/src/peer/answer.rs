//! Reads a browser's SDP answer against the layout it answers. Everything that does not fit is
//! named here, so that nothing behind it has to doubt.

use std::io::Cursor;

use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;

use super::certificate::Fingerprint;
use super::layout::{Layout, Line, Mid, Upstream};
use super::offer::{AUDIO_LEVEL_URI, MID_URI, TRANSPORT_CC_URI};

/// More than 50 lines of the most talkative browser.
const MAX_ANSWER_BYTES: usize = 128 * 1024;

/// What the browser agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// One per line of the layout, in its order.
    pub lines: Vec<NegotiatedLine>,
    /// The header extensions of what the browser sends.
    pub extensions: HeaderExtensions,
}

/// What the browser agreed to on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegotiatedLine {
    /// Which line.
    pub mid: Mid,
    /// As the browser sees it: on an upstream line `SendOnly` means that it may send.
    pub direction: Direction,
    /// Payload type of Opus; `None` where the browser rejected the line.
    pub opus_pt: Option<u8>,
}

/// Direction of a line, as the browser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// It sends.
    SendOnly,
    /// It receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether the browser may send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the browser will take what we send.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Ids of RTP header extensions (RFC 8285), 1 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderExtensions {
    /// RFC 6464, the level of each packet.
    pub audio_level: Option<u8>,
    /// RFC 9143, the line a packet belongs to.
    pub mid: Option<u8>,
    /// Transport-wide sequence numbers.
    pub transport_cc: Option<u8>,
}

/// Why an answer was refused. Lines count from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It answers another offer than the last.
    #[error("the answer is to offer {answered}, the last one is {offered}")]
    StaleRevision {
        /// What it answers.
        answered: u32,
        /// What is open.
        offered: u32,
    },
    /// Longer than any browser's.
    #[error("the answer has {0} bytes")]
    TooLong(usize),
    /// Not SDP.
    #[error("the answer is not SDP: {0}")]
    ParseSdp(String),
    /// Lines are missing or too many.
    #[error("the answer has {answered} m-lines, the offer {offered}")]
    LineCount {
        /// In the answer.
        answered: usize,
        /// In the offer.
        offered: usize,
    },
    /// A line is not the one offered in its place.
    #[error("m-line {line} is \"{answered}\" and not \"{offered}\"")]
    LineMid {
        /// Which line.
        line: usize,
        /// Its mid in the answer.
        answered: String,
        /// Its mid in the offer.
        offered: Mid,
    },
    /// All lines have to share one transport.
    #[error("m-line {0} is not in the bundle")]
    NotBundled(usize),
    /// The transport's line lacks `a=rtcp-mux`.
    #[error("the answer has no rtcp-mux")]
    NoRtcpMux,
    /// We are the DTLS server.
    #[error("the answer's setup is \"{0}\" and not \"active\"")]
    SetupRole(String),
    /// No `a=fingerprint`.
    #[error("the answer has no fingerprint")]
    NoFingerprint,
    /// A fingerprint that is not SHA-256 or not well-formed.
    #[error("the answer's fingerprint is not a sha-256 one")]
    FingerprintAlgorithm,
    /// No user fragment or password, or not of RFC 8445's form.
    #[error("the answer has no valid ICE credentials")]
    NoIceCredentials,
    /// The transport of an earlier answer was another one.
    #[error("the answer changes the fingerprint or the ICE credentials of an earlier one")]
    ChangedTransport,
    /// An audio line without Opus.
    #[error("m-line {0} has no opus")]
    NoOpus(usize),
    /// Not one line was accepted.
    #[error("the answer rejects every m-line")]
    AllRejected,
}

/// Who answers: what its checks and its certificate must match.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) ufrag: Box<str>,
    pub(super) fingerprint: Fingerprint,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

pub(super) fn parse(sdp: &str, layout: &Layout) -> Result<(Remote, Negotiated), AnswerError> {
    if sdp.len() > MAX_ANSWER_BYTES {
        return Err(AnswerError::TooLong(sdp.len()));
    }
    let session = SessionDescription::unmarshal(&mut Cursor::new(sdp.as_bytes()))
        .map_err(|error| AnswerError::ParseSdp(error.to_string()))?;
    let media = &session.media_descriptions;
    if media.len() != layout.lines.len() {
        return Err(AnswerError::LineCount {
            answered: media.len(),
            offered: layout.lines.len(),
        });
    }
    let mut lines = Vec::with_capacity(media.len());
    for (index, (line, media)) in layout.lines.iter().zip(media).enumerate() {
        lines.push(parse_line(index, line, media, &session)?);
    }
    // The first accepted line carries the transport (RFC 9143 section 7.3).
    let transport = media
        .iter()
        .zip(&lines)
        .find_map(|(media, line)| line.opus_pt.map(|_| media))
        .ok_or(AnswerError::AllRejected)?;
    let remote = parse_transport(&session, transport)?;
    let extensions = layout
        .lines
        .iter()
        .zip(media)
        .find(|(line, _)| matches!(line, Line::Upstream(Upstream::Microphone)))
        .map(|(_, media)| parse_extensions(media))
        .unwrap_or_default();
    Ok((remote, Negotiated { lines, extensions }))
}

fn parse_line(
    index: usize,
    line: &Line,
    media: &MediaDescription,
    session: &SessionDescription,
) -> Result<NegotiatedLine, AnswerError> {
    let mid = line.mid();
    let answered = attribute(media, "mid").unwrap_or_default();
    if answered != mid.to_string() {
        return Err(AnswerError::LineMid {
            line: index,
            answered: answered.chars().take(32).collect(),
            offered: mid,
        });
    }
    if media.media_name.port.value == 0 {
        return Ok(NegotiatedLine {
            mid,
            direction: Direction::Inactive,
            opus_pt: None,
        });
    }
    let bundled = session.attributes.iter().any(|attribute| {
        attribute.key == "group"
            && attribute.value.as_deref().is_some_and(|value| {
                let mut words = value.split_ascii_whitespace();
                words.next() == Some("BUNDLE") && words.any(|word| word == answered)
            })
    });
    if !bundled {
        return Err(AnswerError::NotBundled(index));
    }
    let opus_pt = opus_pt(media).ok_or(AnswerError::NoOpus(index))?;
    Ok(NegotiatedLine {
        mid,
        direction: direction(media),
        opus_pt: Some(opus_pt),
    })
}

fn parse_transport(
    session: &SessionDescription,
    media: &MediaDescription,
) -> Result<Remote, AnswerError> {
    // Either level may carry these; the line's own word counts first.
    let find =
        |key: &str| attribute(media, key).or_else(|| session.attribute(key).map(String::as_str));
    if !media.has_attribute("rtcp-mux") {
        return Err(AnswerError::NoRtcpMux);
    }
    let setup = find("setup").unwrap_or("missing");
    if setup != "active" {
        return Err(AnswerError::SetupRole(setup.chars().take(32).collect()));
    }
    let fingerprint = find("fingerprint").ok_or(AnswerError::NoFingerprint)?;
    let fingerprint = Fingerprint::parse(fingerprint).ok_or(AnswerError::FingerprintAlgorithm)?;
    let ufrag = find("ice-ufrag").filter(|text| is_ice_text(text, 4));
    let pwd = find("ice-pwd").filter(|text| is_ice_text(text, 22));
    let (Some(ufrag), Some(_)) = (ufrag, pwd) else {
        return Err(AnswerError::NoIceCredentials);
    };
    Ok(Remote {
        ufrag: ufrag.into(),
        fingerprint,
    })
}

fn parse_extensions(media: &MediaDescription) -> HeaderExtensions {
    let mut extensions = HeaderExtensions::default();
    for value in attributes(media, "extmap") {
        let mut words = value.split_ascii_whitespace();
        let (Some(id), Some(uri)) = (words.next(), words.next()) else {
            continue;
        };
        // The id may carry a direction: `1/sendonly`.
        let id = id.split('/').next().and_then(|id| id.parse::<u8>().ok());
        let Some(id) = id.filter(|id| *id != 0) else {
            continue;
        };
        match uri {
            AUDIO_LEVEL_URI => extensions.audio_level = Some(id),
            MID_URI => extensions.mid = Some(id),
            TRANSPORT_CC_URI => extensions.transport_cc = Some(id),
            _ => {}
        }
    }
    extensions
}

/// The first payload type of the line's list that an `a=rtpmap` calls Opus.
fn opus_pt(media: &MediaDescription) -> Option<u8> {
    media.media_name.formats.iter().find_map(|format| {
        let pt = format.parse::<u8>().ok().filter(|pt| *pt < 128)?;
        attributes(media, "rtpmap")
            .filter_map(|value| value.split_once(' '))
            .any(|(number, codec)| {
                number == format
                    && codec
                        .trim()
                        .get(..11)
                        .is_some_and(|codec| codec.eq_ignore_ascii_case("opus/48000/"))
            })
            .then_some(pt)
    })
}

fn direction(media: &MediaDescription) -> Direction {
    let directions = [
        ("inactive", Direction::Inactive),
        ("sendonly", Direction::SendOnly),
        ("recvonly", Direction::RecvOnly),
    ];
    directions
        .into_iter()
        .find(|(key, _)| media.has_attribute(key))
        .map_or(Direction::SendRecv, |(_, direction)| direction)
}

fn attribute<'a>(media: &'a MediaDescription, key: &str) -> Option<&'a str> {
    media.attribute(key).flatten()
}

fn attributes<'a>(media: &'a MediaDescription, key: &'a str) -> impl Iterator<Item = &'a str> {
    media
        .attributes
        .iter()
        .filter(move |attribute| attribute.key == key)
        .filter_map(|attribute| attribute.value.as_deref())
}

/// RFC 8445 section 5.3: `ice-char`s, at least `min` and at most 256 of them.
fn is_ice_text(text: &str, min: usize) -> bool {
    (min..=256).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

#[cfg(test)]
mod tests;
