//! Files that settings name: secrets, and authorities of certificates.

use std::io;
use std::path::{Path, PathBuf};

use gryt_runtime::{Secret, SecretError, read_secret};

/// A file that a setting names is of no use.
#[derive(Debug, thiserror::Error)]
pub enum NamedFileError {
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Authorities cannot be read.
    #[error("read the authorities in \"{}\"", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

pub(super) fn secret(file: &Path) -> Result<Secret, NamedFileError> {
    Ok(read_secret(file)?)
}

/// Certificates of authorities as the file has them, PEM.
pub(super) fn authorities(file: &Path) -> Result<Vec<u8>, NamedFileError> {
    std::fs::read(file).map_err(|source| NamedFileError::Authorities {
        path: file.to_owned(),
        source,
    })
}
