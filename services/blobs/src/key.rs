//! What a blob is called within its server. Built from ids only: no text of a person ever becomes a
//! part of a path or key.

use std::fmt;
use std::str::FromStr;

use gryt_model::FileId;

/// What a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What somebody uploaded, byte for byte.
    File,
    /// A small picture of it, which we made.
    Thumbnail,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::File, Self::Thumbnail];

    /// The folder its blobs lie in.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::File => "files",
            Self::Thumbnail => "thumbnails",
        }
    }
}

/// A blob's name: `files/<id>` or `thumbnails/<id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey {
    /// What it is.
    pub kind: Kind,
    /// The file it is or belongs to.
    pub id: FileId,
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.folder(), self.id)
    }
}

/// A text that names no blob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a blob: \"files/\" or \"thumbnails/\" and a file id")]
pub struct InvalidKey;

impl FromStr for BlobKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (folder, id) = text.split_once('/').ok_or(InvalidKey)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.folder() == folder);
        Ok(Self {
            kind: kind.ok_or(InvalidKey)?,
            id: id.parse().map_err(|_| InvalidKey)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_and_paths_are_none() {
        let id = FileId::from_random([7; 16]);
        for kind in Kind::ALL {
            let key = BlobKey {
                kind,
                id: id.clone(),
            };
            assert_eq!(key.to_string().parse(), Ok(key));
        }
        for text in [
            String::new(),
            "files/".to_owned(),
            format!("files/../files/{id}"),
            format!("files/{id}/"),
            format!("/files/{id}"),
            format!("Files/{id}"),
            format!("files\\{id}"),
            format!("files/{id}\0"),
        ] {
            assert_eq!(text.parse::<BlobKey>(), Err(InvalidKey), "{text:?}");
        }
    }
}
