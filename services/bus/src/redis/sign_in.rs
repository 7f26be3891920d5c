//! Who we are to Redis. A password that lies in a file is read for every connection, so that a
//! renewed one needs no restart.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use redis::{ErrorKind, RedisError};

use super::session::Broken;

/// A user and its password; without a user, Redis's default one.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct SignIn {
    pub(super) user: Option<String>,
    pub(super) password: Option<Password>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Password {
    Text(String),
    /// Without the line's end after it.
    File(PathBuf),
}

impl Password {
    pub(super) fn read(&self) -> Result<Cow<'_, str>, Broken> {
        let path = match self {
            Self::Text(text) => return Ok(Cow::Borrowed(text)),
            Self::File(path) => path,
        };
        let text = std::fs::read_to_string(path).map_err(|source| Broken::ReadPassword {
            path: path.clone(),
            source,
        })?;
        Ok(Cow::Owned(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl SignIn {
    /// Says whom Redis did not let in, and where the password came from, if that is what is wrong.
    pub(super) fn explain(&self, error: RedisError) -> Broken {
        let is_refusal = error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("WRONGPASS" | "NOAUTH"));
        if !is_refusal {
            return Broken::Refused(error);
        }
        let from = match &self.password {
            Some(Password::File(path)) => format!(", password from \"{}\"", path.display()),
            Some(Password::Text(_)) => String::new(),
            None => ", no password is given".to_owned(),
        };
        Broken::SignIn {
            user: self.user.clone().unwrap_or_else(|| "default".to_owned()),
            from,
            source: error,
        }
    }
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, password } = self;
        f.debug_struct("SignIn")
            .field("user", user)
            .field("password", password)
            .finish()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}
