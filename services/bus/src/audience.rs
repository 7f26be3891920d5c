//! Audiences as the logs write them.

use crate::Audience;

impl Audience {
    /// The form in which a log keeps it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Everyone => "everyone".to_owned(),
            Self::Channel(id) => format!("channel {id}"),
            Self::Member(id) => format!("member {id}"),
            Self::Session(id) => format!("session {id}"),
        }
    }

    /// Reads what [`Self::to_text`] wrote; `None` if it is damaged.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(' ').unwrap_or((text, ""));
        match kind {
            "everyone" => Some(Self::Everyone),
            "channel" => id.parse().ok().map(Self::Channel),
            "member" => id.parse().ok().map(Self::Member),
            "session" => id.parse().ok().map(Self::Session),
            _ => None,
        }
    }
}
