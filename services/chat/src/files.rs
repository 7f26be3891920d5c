//! The rules for files: who may upload what, which files a browser shows in place, and which ones
//! belong to nobody.

use std::time::Duration;

use gryt_model::{Channel, ContentType, FileName, Member, Permission};

use crate::compose::{require, require_text};
use crate::refusal::Refusal;

/// A file that somebody wants to upload, as they describe it.
#[derive(Debug, Clone, Copy)]
pub struct FileDraft<'a> {
    /// Where its message is to stand.
    pub channel: &'a Channel,
    /// What they call it.
    pub name: &'a str,
    /// What they say it is.
    pub content_type: &'a str,
    /// How large they say it is.
    pub size_bytes: u64,
}

/// A file that may be uploaded, and later one that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// The name to keep.
    pub name: FileName,
    /// The type to keep.
    pub content_type: ContentType,
    /// The size to hold the upload to.
    pub size_bytes: u64,
}

/// What a browser does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// Shows it as a picture.
    Picture,
    /// Plays it.
    Media,
    /// Saves it, whatever it is. Everything that can carry script: HTML, SVG, PDF.
    Saved,
}

/// How a file of each kind begins: all of these marks at these places.
type Marks = &'static [(usize, &'static [u8])];

/// The types that are shown in place, and how such files begin. None can carry script.
const SHOWN: [(&str, Showing, Marks); 13] = [
    ("image/png", Showing::Picture, &[(0, b"\x89PNG\r\n\x1a\n")]),
    ("image/jpeg", Showing::Picture, &[(0, b"\xff\xd8\xff")]),
    ("image/gif", Showing::Picture, &[(0, b"GIF8")]),
    (
        "image/webp",
        Showing::Picture,
        &[(0, b"RIFF"), (8, b"WEBP")],
    ),
    ("audio/mpeg", Showing::Media, &[(0, b"ID3")]),
    ("audio/mpeg", Showing::Media, &[(0, b"\xff\xfb")]),
    ("audio/ogg", Showing::Media, &[(0, b"OggS")]),
    ("audio/wav", Showing::Media, &[(0, b"RIFF"), (8, b"WAVE")]),
    ("audio/flac", Showing::Media, &[(0, b"fLaC")]),
    ("audio/mp4", Showing::Media, &[(4, b"ftyp")]),
    ("video/mp4", Showing::Media, &[(4, b"ftyp")]),
    ("video/webm", Showing::Media, &[(0, b"\x1a\x45\xdf\xa3")]),
    ("audio/webm", Showing::Media, &[(0, b"\x1a\x45\xdf\xa3")]),
];

/// Decides whether `uploader` may upload this file, and says what to keep of its description.
///
/// # Errors
/// [`Refusal`] if they may not.
pub fn admit(
    draft: FileDraft<'_>,
    uploader: &Member,
    limit_bytes: u64,
) -> Result<UploadedFile, Refusal> {
    require(uploader, Permission::Send)?;
    require(uploader, Permission::Attach)?;
    require_text(draft.channel)?;
    if draft.size_bytes == 0 {
        return Err(Refusal::EmptyFile);
    }
    if draft.size_bytes > limit_bytes {
        return Err(Refusal::FileTooLarge);
    }
    Ok(UploadedFile {
        name: FileName::clean(draft.name),
        content_type: ContentType::clean(draft.content_type),
        size_bytes: draft.size_bytes,
    })
}

/// How a file of this type is shown.
#[must_use]
pub fn showing(content_type: &ContentType) -> Showing {
    SHOWN
        .iter()
        .find(|(name, ..)| *name == content_type.as_str())
        .map_or(Showing::Saved, |(_, showing, _)| *showing)
}

/// How many bytes of a file's beginning [`inspect`] needs.
pub const BEGINNING_BYTES: u64 = 16;

/// Decides whether a file that is to be shown begins like one of its type. Nothing is asked of the
/// others: they are saved as they are.
///
/// # Errors
/// [`Refusal::WrongFileType`] if it does not.
pub fn inspect(content_type: &ContentType, beginning: &[u8]) -> Result<(), Refusal> {
    let begins = |marks: Marks| {
        marks.iter().all(|(at, mark)| {
            beginning
                .get(*at..)
                .is_some_and(|rest| rest.starts_with(mark))
        })
    };
    let mut known = SHOWN
        .iter()
        .filter(|(name, ..)| *name == content_type.as_str())
        .peekable();
    if known.peek().is_none() || known.any(|(.., marks)| begins(marks)) {
        Ok(())
    } else {
        Err(Refusal::WrongFileType)
    }
}

/// How long a file may wait for its message, from when it was written. A person writes the text
/// meanwhile, and a message that was not acknowledged is sent again for 48 hours.
pub const WAITS: Duration = Duration::from_hours(72);

/// Whether a file that no message has is to be removed.
#[must_use]
pub fn is_orphan(written_at_ms: u64, now_ms: u64) -> bool {
    let waits_ms = u64::try_from(WAITS.as_millis()).unwrap_or(u64::MAX);
    written_at_ms.saturating_add(waits_ms) < now_ms
}

#[cfg(test)]
mod tests;
