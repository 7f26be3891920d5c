//! Secrets come from files, never from flags or the environment, which other processes can read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A text that is never printed.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Lends the text to the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret could not be read. The text names the file and never its content.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be opened or read.
    #[error("read the secret file \"{}\"", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Nothing is in it.
    #[error("the secret file \"{}\" is empty", .0.display())]
    Empty(PathBuf),
    /// It is no secret but something else.
    #[error("the secret file \"{}\" is larger than {MAX_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
}

const MAX_BYTES: u64 = 64 * 1024;

/// Reads a secret, without the line end that editors and `echo` leave behind.
///
/// # Errors
/// An unreadable, empty or oversized file.
pub fn read_secret(path: &Path) -> Result<Secret, SecretError> {
    let read = |source| SecretError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    File::open(path)
        .map_err(read)?
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(read)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(SecretError::TooLarge(path.to_owned()));
    }
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(SecretError::Empty(path.to_owned()));
    }
    Ok(Secret(secret.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_without_its_line_end_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "open sesame\n").unwrap();

        let secret = read_secret(&path).unwrap();

        assert_eq!(secret.expose(), "open sesame");
        assert!(!format!("{secret:?}").contains("sesame"));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(matches!(read_secret(&path), Err(SecretError::Read { .. })));
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(read_secret(&path), Err(SecretError::Empty(_))));
        std::fs::write(&path, "a".repeat(70_000)).unwrap();
        assert!(matches!(read_secret(&path), Err(SecretError::TooLarge(_))));
    }
}
