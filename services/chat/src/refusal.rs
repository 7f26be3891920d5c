//! Why chat says no.

use std::time::Duration;

use gryt_model::Permission;

/// Why a member may not do what they asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Their role lacks this permission.
    Forbidden(Permission),
    /// Only its author edits a message.
    NotTheAuthor,
    /// The channel is for voice.
    WrongChannelKind,
    /// Nothing is left of the text once trimmed.
    EmptyText,
    /// The text is longer than [`gryt_model::MessageText::MAX_CHARS`].
    TextTooLong,
    /// More files than [`gryt_model::Attachment::MAX_PER_MESSAGE`].
    TooManyFiles,
    /// The file is empty.
    EmptyFile,
    /// The file is larger than the server takes.
    FileTooLarge,
    /// The file is not what it was said to be.
    WrongFileType,
    /// They ask too often.
    RateLimited {
        /// After this time there is room for one more.
        retry_after: Duration,
    },
}
