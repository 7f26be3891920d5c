//! Who we are to the database.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A role's secret. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Here(Box<str>),
    File(PathBuf),
}

impl Password {
    /// Takes the secret as it is, but for a line's end after it: files that hold one often have it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Place::Here(without_end(text).into()))
    }

    /// Means what this file holds whenever a connection is made.
    #[must_use]
    pub fn in_file(path: PathBuf) -> Self {
        Self(Place::File(path))
    }

    pub(crate) fn read(&self) -> io::Result<Cow<'_, str>> {
        match &self.0 {
            Place::Here(text) => Ok(Cow::Borrowed(text)),
            Place::File(path) => {
                let text = std::fs::read_to_string(path)?;
                Ok(Cow::Owned(without_end(&text).to_owned()))
            }
        }
    }

    /// Where it comes from, as the end of a sentence.
    pub(crate) fn origin(&self) -> String {
        match &self.0 {
            Place::Here(_) => String::new(),
            Place::File(path) => format!(", password from \"{}\"", path.display()),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Here(_) => f.write_str("Password(..)"),
            Place::File(path) => f.debug_tuple("Password").field(path).finish(),
        }
    }
}

fn without_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// A role of the database and its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The role's name.
    pub role: Box<str>,
    /// Its secret.
    pub password: Password,
}

#[cfg(test)]
mod tests {
    use super::Password;

    #[test]
    fn password_is_read_whenever_it_is_needed_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let password = Password::in_file(path.clone());
        assert!(password.read().is_err());
        for text in ["first", "second"] {
            std::fs::write(&path, format!("{text}\r\n")).unwrap();
            assert_eq!(password.read().unwrap(), text);
            assert!(!format!("{password:?}").contains(text));
        }
        assert_eq!(Password::new("here\n").read().unwrap(), "here");
    }
}
