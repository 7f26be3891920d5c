//! Messages.

use crate::attachment::Attachment;
use crate::id::{ChannelId, MemberId, MessageId, Nonce};

/// One message of a text channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its place in the channel's order.
    pub id: MessageId,
    /// Where it was written.
    pub channel: ChannelId,
    /// Who wrote it.
    pub author: MemberId,
    /// What it says.
    pub text: MessageText,
    /// Its files, at most [`Attachment::MAX_PER_MESSAGE`].
    pub attachments: Vec<Attachment>,
    /// The sender's mark.
    pub nonce: Nonce,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// Milliseconds since 1970, once edited.
    pub edited_at_ms: Option<u64>,
}

/// At most 4,000 characters of Markdown, trimmed. Only a message with files may have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageText(Box<str>);

impl MessageText {
    /// The longest text, in characters.
    pub const MAX_CHARS: usize = 4_000;

    /// Takes a text that chat's rules let through, or one that was stored.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        (trimmed.chars().count() <= Self::MAX_CHARS).then(|| Self(trimmed.into()))
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Borrows the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
