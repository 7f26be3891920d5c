//! What a peer's offer holds: one line per media position, in the order of the SDP's m-lines.

use std::fmt;

/// The m-lines of an offer. Lines are only ever appended: their index is their identity in SDP.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// The positions, in SDP order.
    pub lines: Vec<Line>,
}

/// One m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A position that the browser may send on.
    Upstream(Upstream),
    /// A position that we send on.
    AudioSlot(AudioSlot),
}

/// What a browser may send. Camera, screen and screen audio become further variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// Audio, mid `mic`.
    Microphone,
}

/// A pre-negotiated audio position: its SSRC, CNAME and msid never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioSlot {
    /// Counts from 0; the mid is `a<number>`, the msid `slot-<number>`.
    pub number: u8,
    /// The SSRC of everything sent in this slot.
    pub ssrc: u32,
    /// RTCP canonical name: lines that shall be played in sync share one.
    pub cname: Box<str>,
}

impl Layout {
    /// The first layout of a participant: a microphone and these slots.
    #[must_use]
    pub fn voice(slots: impl IntoIterator<Item = AudioSlot>) -> Self {
        let mut lines = vec![Line::Upstream(Upstream::Microphone)];
        lines.extend(slots.into_iter().map(Line::AudioSlot));
        Self { lines }
    }

    /// Whether `later` keeps every line of this layout where it is.
    #[must_use]
    pub fn is_prefix_of(&self, later: &Self) -> bool {
        later.lines.starts_with(&self.lines)
    }
}

impl Line {
    /// The line's mid.
    #[must_use]
    pub fn mid(&self) -> Mid {
        match self {
            Self::Upstream(Upstream::Microphone) => Mid::Microphone,
            Self::AudioSlot(slot) => Mid::AudioSlot(slot.number),
        }
    }
}

/// The `a=mid` of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mid {
    /// `mic`
    Microphone,
    /// `a<number>`
    AudioSlot(u8),
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Microphone => f.write_str("mic"),
            Self::AudioSlot(number) => write!(f, "a{number}"),
        }
    }
}
