//! Where a server's files are to be kept, and opens that.

use std::io;
use std::sync::Arc;

use gryt_blobs::Folder;
use gryt_blobs::folder::DoorKey;
#[cfg(feature = "back-ends")]
use gryt_blobs::{S3, s3};
use gryt_model::ServerId;

use super::{DOORS, Files};
use crate::data_dir::DataDir;

/// What whoever starts a server decides about its files.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// Where they are.
    pub storage: FileStorage,
    /// The secret behind tickets; the data folder draws and keeps one where none is given. Several
    /// processes of one server must be given the same.
    pub key: Option<FileKey>,
    /// The largest file, in bytes.
    pub limit_bytes: u64,
}

impl Default for FilesConfig {
    fn default() -> Self {
        Self {
            storage: FileStorage::Folder,
            key: None,
            limit_bytes: Files::LIMIT_BYTES,
        }
    }
}

/// Where files are.
#[derive(Debug, Clone)]
pub enum FileStorage {
    /// In the data folder of the one process.
    Folder,
    /// In S3-compatible storage.
    #[cfg(feature = "back-ends")]
    S3(Box<s3::Settings>),
}

/// The secret behind tickets. Never shown.
#[derive(Clone)]
pub struct FileKey([u8; 32]);

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey(..)")
    }
}

/// A text that is no key of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key for files: 64 hexadecimal digits, as `openssl rand -hex 32` prints them")]
pub struct InvalidFileKey;

impl std::str::FromStr for FileKey {
    type Err = InvalidFileKey;

    fn from_str(text: &str) -> Result<Self, InvalidFileKey> {
        let mut key = [0; 32];
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex {
            return Err(InvalidFileKey);
        }
        for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
            let digits = text.get(at..at + 2).ok_or(InvalidFileKey)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidFileKey)?;
        }
        Ok(Self(key))
    }
}

/// The files cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum OpenFilesError {
    /// The secret behind the tickets.
    #[error("keep the secret of the files")]
    KeepKey(#[source] io::Error),
    /// The storage.
    #[error("open the files")]
    Open(#[source] gryt_blobs::Error),
}

impl FilesConfig {
    /// Opens the storage of `server`. S3 is not asked: one that cannot be reached is told by the
    /// first request that needs it, and everything else goes on.
    ///
    /// # Errors
    /// [`OpenFilesError`] if the folder or the settings cannot be used.
    pub fn open(self, data: &DataDir, server: &ServerId) -> Result<Files, OpenFilesError> {
        let Self {
            storage,
            key,
            limit_bytes,
        } = self;
        let key = match key {
            Some(FileKey(key)) => key,
            None => data.file_key().map_err(OpenFilesError::KeepKey)?,
        };
        let files = |blobs, folder| Files {
            blobs,
            folder,
            key,
            limit_bytes,
        };
        match storage {
            FileStorage::Folder => {
                let folder = Folder::open(&data.files(), server, &DoorKey::new(&key), DOORS);
                let folder = folder.map_err(OpenFilesError::Open)?;
                Ok(files(Arc::new(folder.clone()), Some(folder)))
            }
            #[cfg(feature = "back-ends")]
            FileStorage::S3(settings) => {
                let s3 = S3::new(&settings, server).map_err(OpenFilesError::Open)?;
                Ok(files(Arc::new(s3), None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_64_hexadecimal_digits() {
        let key: FileKey = format!("{}0f", "A1".repeat(31)).parse().unwrap();
        assert_eq!(key.0[0], 0xa1);
        assert_eq!(key.0[31], 0x0f);
        assert_eq!(format!("{key:?}"), "FileKey(..)");
        for bad in [
            String::new(),
            "a1".repeat(31),
            "a1".repeat(33),
            "+1".repeat(32),
            "é".repeat(32),
        ] {
            assert!(bad.parse::<FileKey>().is_err(), "{bad:?}");
        }
    }
}
