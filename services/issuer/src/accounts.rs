//! Local accounts: what a name and a password may be, and where they are kept.

use std::time::SystemTime;

use gryt_model::MemberName;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::unix_secs;

/// A person of this issuer. The id is random: a name that is free again is a new person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// A name that an account can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountName {
    pub(crate) shown: MemberName,
    /// What is unique: the name without case.
    pub(crate) key: String,
}

impl AccountName {
    /// `None` unless it is 1 to 32 visible characters.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let shown: MemberName = text.parse().ok()?;
        if shown.as_str().chars().any(is_invisible) {
            return None;
        }
        let key = shown.as_str().to_lowercase();
        Some(Self { shown, key })
    }
}

/// Characters that would let one name look like another: soft hyphen, zero-width and
/// direction marks, byte order mark, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

/// A password in plain text, on its way to its hash. Never printed, never kept.
pub(crate) struct Password(String);

impl Password {
    pub(crate) const MIN_CHARS: usize = 8;
    /// Bounds the work of hashing.
    pub(crate) const MAX_BYTES: usize = 1_024;

    /// Takes a password for a sign-in; whether it is long enough is not our matter there.
    pub(crate) fn typed(text: String) -> Self {
        Self(text)
    }

    /// Takes a password for a new account.
    pub(crate) fn chosen(text: String) -> Result<Self, PasswordRefusal> {
        if text.len() > Self::MAX_BYTES {
            return Err(PasswordRefusal::TooLong);
        }
        if text.chars().count() < Self::MIN_CHARS {
            return Err(PasswordRefusal::TooShort);
        }
        Ok(Self(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Why a password cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PasswordRefusal {
    TooShort,
    TooLong,
}

/// Makes the account, unless its name is taken.
pub(crate) fn create(
    connection: &Connection,
    id: &str,
    name: &AccountName,
    password_hash: &str,
    now: SystemTime,
) -> rusqlite::Result<Option<Account>> {
    let made = connection.execute(
        "INSERT INTO accounts (id, name, name_key, password, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name_key) DO NOTHING",
        params![
            id,
            name.shown.as_str(),
            name.key,
            password_hash,
            unix_secs(now)
        ],
    )?;
    Ok((made == 1).then(|| Account {
        id: id.to_owned(),
        name: name.shown.to_string(),
    }))
}

/// Whether there is any account.
pub(crate) fn exist(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT EXISTS (SELECT 1 FROM accounts)", [], |row| {
        row.get(0)
    })
}

/// Whether a name is taken.
pub(crate) fn is_taken(connection: &Connection, name: &AccountName) -> rusqlite::Result<bool> {
    Ok(by_name(connection, name)?.is_some())
}

/// The account of that name and its password's hash.
pub(crate) fn by_name(
    connection: &Connection,
    name: &AccountName,
) -> rusqlite::Result<Option<(Account, String)>> {
    connection
        .query_row(
            "SELECT id, name, password FROM accounts WHERE name_key = ?1",
            [&name.key],
            |row| {
                let account = Account {
                    id: row.get(0)?,
                    name: row.get(1)?,
                };
                Ok((account, row.get(2)?))
            },
        )
        .optional()
}

/// The account of that id.
pub(crate) fn by_id(connection: &Connection, id: &str) -> rusqlite::Result<Option<Account>> {
    connection
        .query_row("SELECT id, name FROM accounts WHERE id = ?1", [id], |row| {
            Ok(Account {
                id: row.get(0)?,
                name: row.get(1)?,
            })
        })
        .optional()
}

/// Puts another password in place and ends every sign-in and code of the account.
pub(crate) fn replace_password(
    connection: &Connection,
    account: &Account,
    password_hash: &str,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE accounts SET password = ?2 WHERE id = ?1",
        params![account.id, password_hash],
    )?;
    connection.execute("DELETE FROM sessions WHERE account = ?1", [&account.id])?;
    connection.execute("DELETE FROM codes WHERE account = ?1", [&account.id])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_more_than_case() {
        let ada = AccountName::parse(" Ada ").unwrap();
        assert_eq!(ada.shown.as_str(), "Ada");
        assert_eq!(ada.key, AccountName::parse("aDA").unwrap().key);
        assert_ne!(ada.key, AccountName::parse("Adam").unwrap().key);
        assert!(AccountName::parse("日本語 🎧").is_some());
    }

    #[test]
    fn names_that_cannot_be_seen_are_refused() {
        for text in [
            "",
            "  ",
            "a\nb",
            "ada\u{200b}",
            "\u{202e}ada",
            &"x".repeat(33),
        ] {
            assert!(AccountName::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn passwords_are_counted_in_characters() {
        assert!(Password::chosen("passwört".to_owned()).is_ok());
        assert_eq!(
            Password::chosen("7 chars".to_owned()).err(),
            Some(PasswordRefusal::TooShort)
        );
        assert_eq!(
            Password::chosen("x".repeat(1_025)).err(),
            Some(PasswordRefusal::TooLong)
        );
    }
}
