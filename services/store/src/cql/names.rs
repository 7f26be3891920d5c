//! Names of keyspaces and roles.

use std::fmt;
use std::str::FromStr;

use gryt_model::ServerId;

/// How servers are kept apart in the database. The tables and statements are the same: the server's
/// id leads every partition key, and only the keyspace's name differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// A keyspace for each server, named `gryt_<server id>`. The database itself refuses one server's
    /// role the data of another. Good for up to about 1,000 servers.
    Keyspace,
    /// Many servers in this keyspace. The database cannot refuse one server's role the rows of
    /// another that shares it: this process is the only thing between them.
    Shared(Keyspace),
}

impl Isolation {
    /// The keyspace in which `server` is kept.
    #[must_use]
    pub fn keyspace(&self, server: &ServerId) -> Keyspace {
        match self {
            Self::Keyspace => Keyspace(role_name(server)),
            Self::Shared(keyspace) => keyspace.clone(),
        }
    }
}

/// A keyspace's name: 1..=48 characters of a-z, 0-9 and _, a letter first. It needs no quotes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyspace(Box<str>);

/// A text that is no keyspace's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a keyspace name: 1 to 48 characters of a-z, 0-9 and _, a letter first")]
pub struct InvalidName(String);

impl Keyspace {
    /// Borrows the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Keyspace {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let ok = (1..=48).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !ok {
            return Err(InvalidName(text.chars().take(64).collect()));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The role that a server's processes sign in with, in either isolation: `gryt_<server id>`.
#[must_use]
pub fn role_name(server: &ServerId) -> Box<str> {
    format!("gryt_{server}").into()
}

#[cfg(test)]
mod tests {
    use super::{Isolation, Keyspace, ServerId};

    #[test]
    fn every_server_id_makes_a_valid_keyspace() {
        for bits in [[0; 16], [255; 16], [0b1101_0110; 16]] {
            let keyspace = Isolation::Keyspace.keyspace(&ServerId::from_random(bits));
            assert_eq!(keyspace.as_str().parse(), Ok(keyspace));
        }
    }

    #[test]
    fn names_that_would_need_quotes_are_none() {
        let long = "a".repeat(49);
        for text in ["", "1a", "_a", "a-b", "A", "a b", "a\"b", "ä", &long] {
            assert!(text.parse::<Keyspace>().is_err(), "{text}");
        }
        assert!("a".repeat(48).parse::<Keyspace>().is_ok());
    }
}
