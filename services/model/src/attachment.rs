//! Files that belong to a message.

use std::fmt;
use std::str::FromStr;

use crate::id::{FileId, InvalidId};

/// A file of a message, as it was when it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The file.
    pub file: FileId,
    /// What people call it.
    pub name: FileName,
    /// What it is.
    pub content_type: ContentType,
    /// How large it is; at least 1.
    pub size_bytes: u64,
    /// Width and height in pixels, if it is a picture that can be shown.
    pub picture: Option<(u32, u32)>,
}

impl Attachment {
    /// The most of one message.
    pub const MAX_PER_MESSAGE: usize = 10;
}

/// 1..=120 characters of one line, without folders: what a file is saved as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(Box<str>);

impl FileName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 120;
    /// What a file without a usable name is called.
    const NAMELESS: &str = "file";
    /// Longer endings are no endings.
    const MAX_ENDING: usize = 16;

    /// Makes a name of whatever a client said: the last part of a path, without characters that no
    /// one sees or that turn the direction of writing around.
    #[must_use]
    pub fn clean(text: &str) -> Self {
        let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let seen: String = last.chars().filter(|c| !is_hidden(*c)).collect();
        // Windows ends names before such characters, and hides files that begin with a dot elsewhere.
        let bare = seen.trim_matches(|c: char| c == '.' || c.is_whitespace());
        let cut = shorten(bare);
        let cut = cut.trim_end();
        Self(if cut.is_empty() { Self::NAMELESS } else { cut }.into())
    }

    /// Borrows the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Control characters, and marks that make `gpj.exe` read as `exe.jpg`.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Cuts in the middle, so that the ending stays.
fn shorten(name: &str) -> String {
    if name.chars().count() <= FileName::MAX_CHARS {
        return name.to_owned();
    }
    let ending = match name.rsplit_once('.') {
        Some((_, ending)) if ending.chars().count() <= FileName::MAX_ENDING => {
            format!(".{ending}")
        }
        Some(_) | None => String::new(),
    };
    let kept = FileName::MAX_CHARS - ending.chars().count();
    let mut short: String = name.chars().take(kept).collect();
    short.push_str(&ending);
    short
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FileName {
    type Err = InvalidId;

    /// Takes a name that is clean already.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let name = Self::clean(text);
        if name.as_str() == text {
            Ok(name)
        } else {
            Err(InvalidId::new(
                "file name",
                "1 to 120 visible characters",
                text,
            ))
        }
    }
}

/// A media type without parameters (RFC 6838 section 4.2), in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType(Box<str>);

impl ContentType {
    /// Says nothing about a file.
    const UNKNOWN: &str = "application/octet-stream";
    const MAX_LEN: usize = 100;

    /// Makes a type of whatever a client said: what is none is unknown.
    #[must_use]
    pub fn clean(text: &str) -> Self {
        let bare = text.split(';').next().unwrap_or_default().trim();
        let bare = bare.to_ascii_lowercase();
        let token = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        let ok = bare.len() <= Self::MAX_LEN
            && bare
                .split_once('/')
                .is_some_and(|(kind, name)| token(kind) && token(name));
        Self(if ok { &bare } else { Self::UNKNOWN }.into())
    }

    /// Borrows the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ContentType {
    type Err = InvalidId;

    /// Takes a type that is clean already.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let clean = Self::clean(text);
        if clean.as_str() == text {
            Ok(clean)
        } else {
            Err(InvalidId::new("media type", "type/subtype", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_folders_and_what_nobody_sees() {
        for (said, kept) in [
            ("plan.pdf", "plan.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\ann\\plan.pdf", "plan.pdf"),
            ("..", "file"),
            ("", "file"),
            ("/", "file"),
            (".htaccess", "htaccess"),
            ("plan.pdf. . ", "plan.pdf"),
            ("a\0b\r\nc.txt", "abc.txt"),
            ("exe.\u{202e}gpj", "exe.gpj"),
            ("zero\u{200b}width.txt", "zerowidth.txt"),
            ("Grüße 🎉.txt", "Grüße 🎉.txt"),
        ] {
            assert_eq!(FileName::clean(said).as_str(), kept, "{said:?}");
        }
    }

    #[test]
    fn long_names_keep_their_ending() {
        let name = FileName::clean(&format!("{}.jpeg", "ß".repeat(500)));
        assert_eq!(name.as_str().chars().count(), FileName::MAX_CHARS);
        assert!(name.as_str().ends_with("ß.jpeg"));
    }

    #[test]
    fn types_are_known_or_unknown() {
        for (said, kept) in [
            ("image/png", "image/png"),
            ("Text/HTML; charset=utf-8", "text/html"),
            ("image/svg+xml", "image/svg+xml"),
            ("", "application/octet-stream"),
            ("image", "application/octet-stream"),
            ("image/png/x", "application/octet-stream"),
            ("image/p ng", "application/octet-stream"),
            ("image/png\r\nx: y", "application/octet-stream"),
        ] {
            assert_eq!(ContentType::clean(said).as_str(), kept, "{said:?}");
        }
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in any::<String>()) {
            let name = FileName::clean(&text);
            prop_assert!((1..=FileName::MAX_CHARS).contains(&name.as_str().chars().count()));
            prop_assert!(!name.as_str().contains(['/', '\\', '\n', '\t', '\0']));
            prop_assert_eq!(name.as_str().parse::<FileName>(), Ok(name));
            let kind = ContentType::clean(&text);
            prop_assert_eq!(kind.as_str().parse::<ContentType>(), Ok(kind));
        }
    }
}
