//! The rules for writing, changing, erasing and reading messages.

use gryt_model::{
    Attachment, Channel, ChannelKind, Member, MemberId, Message, MessageText, Permission,
};

use crate::refusal::Refusal;

/// A text that somebody wants to send or to put in place of another.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Where it is to stand.
    pub channel: &'a Channel,
    /// As typed.
    pub text: &'a str,
    /// The files that go along.
    pub attachments: &'a [Attachment],
}

/// Decides whether `author` may send this, and returns the text to keep.
///
/// # Errors
/// [`Refusal`] if they may not.
pub fn compose(draft: Draft<'_>, author: &Member) -> Result<MessageText, Refusal> {
    require(author, Permission::Send)?;
    require_text(draft.channel)?;
    if !draft.attachments.is_empty() {
        require(author, Permission::Attach)?;
    }
    if draft.attachments.len() > Attachment::MAX_PER_MESSAGE {
        return Err(Refusal::TooManyFiles);
    }
    trimmed(draft)
}

/// Decides whether `editor` may put this in place of `message`, and returns the text to keep.
///
/// # Errors
/// [`Refusal`] if they may not.
pub fn revise(
    draft: Draft<'_>,
    message: &Message,
    editor: &Member,
) -> Result<MessageText, Refusal> {
    require(editor, Permission::Send)?;
    require_text(draft.channel)?;
    if message.author != editor.id {
        return Err(Refusal::NotTheAuthor);
    }
    trimmed(draft)
}

/// Decides whether `member` may delete a message of `author`: their own, or any with the
/// permission to manage messages.
///
/// # Errors
/// [`Refusal`] if they may not.
pub fn erase(author: &MemberId, member: &Member) -> Result<(), Refusal> {
    if *author == member.id {
        require(member, Permission::Send)
    } else {
        require(member, Permission::ManageMessages)
    }
}

/// Decides whether `reader` may read the channel's history.
///
/// # Errors
/// [`Refusal`] if they may not.
pub fn read(channel: &Channel, reader: &Member) -> Result<(), Refusal> {
    require(reader, Permission::Read)?;
    require_text(channel)
}

pub(crate) fn require(member: &Member, permission: Permission) -> Result<(), Refusal> {
    if member.role.permits(permission) {
        Ok(())
    } else {
        Err(Refusal::Forbidden(permission))
    }
}

pub(crate) fn require_text(channel: &Channel) -> Result<(), Refusal> {
    match channel.kind {
        ChannelKind::Text => Ok(()),
        ChannelKind::Voice => Err(Refusal::WrongChannelKind),
    }
}

fn trimmed(draft: Draft<'_>) -> Result<MessageText, Refusal> {
    let text = MessageText::new(draft.text).ok_or(Refusal::TextTooLong)?;
    if text.is_empty() && draft.attachments.is_empty() {
        return Err(Refusal::EmptyText);
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
