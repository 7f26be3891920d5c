//! Members.

use std::fmt;
use std::str::FromStr;

use crate::id::{InvalidId, MemberId};
use crate::role::Role;

/// A person of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their name on the wire.
    pub id: MemberId,
    /// What others see.
    pub name: MemberName,
    /// What they may do.
    pub role: Role,
    /// Silenced by a moderator, in every room.
    pub server_muted: bool,
}

/// 1..=32 characters, trimmed, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberName(Box<str>);

impl MemberName {
    /// Borrows the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MemberName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let trimmed = text.trim();
        let ok =
            (1..=32).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control);
        if !ok {
            return Err(InvalidId::new("member name", "1 to 32 characters", text));
        }
        Ok(Self(trimmed.into()))
    }
}
