//! Channels.

use std::fmt;
use std::str::FromStr;

use crate::id::{ChannelId, InvalidId};

/// A place to write or to talk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name on the wire.
    pub id: ChannelId,
    /// Its name for people.
    pub name: ChannelName,
    /// Text or voice.
    pub kind: ChannelKind,
    /// Ascending order in the channel list.
    pub position: i32,
    /// Voice only: how many microphones are heard at once.
    pub audible_limit: AudibleLimit,
}

/// What a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// Messages.
    Text,
    /// A room.
    Voice,
}

/// 1..=64 characters, trimmed, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelName(Box<str>);

impl ChannelName {
    /// Borrows the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ChannelName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let trimmed = text.trim();
        let ok =
            (1..=64).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control);
        if !ok {
            return Err(InvalidId::new("channel name", "1 to 64 characters", text));
        }
        Ok(Self(trimmed.into()))
    }
}

/// Up to this many microphones of a room are heard at once: 1..=32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AudibleLimit(u8);

impl AudibleLimit {
    /// The highest limit, and so the highest number of audio slots.
    pub const MAX: u8 = 32;

    /// Takes a wire value.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        let value = u8::try_from(value).ok()?;
        (1..=Self::MAX).contains(&value).then_some(Self(value))
    }

    /// The number of microphones.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl Default for AudibleLimit {
    fn default() -> Self {
        Self(25)
    }
}
