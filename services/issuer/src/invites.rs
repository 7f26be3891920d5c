//! Invites to make an account: a link that is good for so long and so many people. Only digests
//! are kept, so nobody can be let in with a copy of the file.
//!
//! The owner's invite is a secret in a file of whoever runs the server. It is good while there is
//! no account at all, so it makes exactly one: the first.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gryt_model::{InviteId, MemberId};
use gryt_runtime::read_secret;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use subtle::ConstantTimeEq as _;

use crate::clock::unix_secs;
use crate::database::{Database, DatabaseError};
use crate::random::{digest, random, random_text};

/// Invites that are good at once. Beyond it one has to be revoked, or to run out.
pub const MAX_INVITES: u32 = 100;

/// An invite that is over is remembered so long, to say why it does not work.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Who may make an account.
#[derive(Debug, Clone)]
pub enum Registration {
    /// Everybody who reaches the server.
    Open,
    /// Who has an invite.
    ByInvite {
        /// File with the token of the owner's invite, read at each use.
        owner: PathBuf,
    },
}

/// An invite to be made.
#[derive(Debug, Clone)]
pub struct NewInvite {
    /// Who makes it.
    pub made_by: MemberId,
    /// How long it is good.
    pub life: Duration,
    /// How many accounts it makes.
    pub max_uses: u32,
}

/// An invite, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its name.
    pub id: InviteId,
    /// Who made it.
    pub made_by: MemberId,
    /// When it was made.
    pub made_at: SystemTime,
    /// Until when it is good.
    pub expires_at: SystemTime,
    /// How many accounts it makes.
    pub max_uses: u32,
    /// How many it has made.
    pub uses: u32,
}

/// An invite that was just made. Its token is not known to anybody later.
#[derive(Clone)]
pub struct MadeInvite {
    /// What is kept of it.
    pub invite: Invite,
    /// 256 random bits in 43 characters that are safe in a path.
    pub token: String,
}

impl std::fmt::Debug for MadeInvite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeInvite")
            .field("invite", &self.invite)
            .finish_non_exhaustive()
    }
}

/// The invites of an issuer. Cheap to clone. Who may ask is the caller's matter.
#[derive(Debug, Clone)]
pub struct Invites {
    database: Database,
}

impl Invites {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Makes an invite; `None` if there are [`MAX_INVITES`] good ones.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn create(
        &self,
        new: NewInvite,
        now: SystemTime,
    ) -> Result<Option<MadeInvite>, DatabaseError> {
        self.database
            .write_later(move |transaction| create(transaction, new, now))
            .await
    }

    /// Lists the good ones, the newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn list(&self, now: SystemTime) -> Result<Vec<Invite>, DatabaseError> {
        self.database
            .read_later(move |connection| list(connection, now))
            .await
    }

    /// Ends an invite. False if there is no such good one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn revoke(&self, id: &InviteId, now: SystemTime) -> Result<bool, DatabaseError> {
        let id = id.clone();
        self.database
            .write_later(move |transaction| {
                let ended = transaction.execute(
                    "UPDATE invites SET revoked_at = ?2
                     WHERE id = ?1 AND revoked_at IS NULL AND expires_at > ?2 AND uses < max_uses",
                    params![id.as_str(), unix_secs(now)],
                )?;
                Ok(ended == 1)
            })
            .await
    }
}

/// What a token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Expired,
    Used,
    Revoked,
    Unknown,
}

/// A token as somebody brought it, and what it may be the owner's.
pub(crate) struct Brought {
    digest: [u8; 32],
    is_owners: bool,
}

impl Brought {
    /// Compares with the owner's token in the file, if there is one.
    pub(crate) fn new(token: &str, registration: &Registration) -> Self {
        let digest = digest(token);
        let is_owners = match registration {
            Registration::Open => false,
            Registration::ByInvite { owner } => {
                owners_digest(owner).is_some_and(|owners| owners.ct_eq(&digest).into())
            }
        };
        Self { digest, is_owners }
    }

    /// What it is worth at this moment.
    pub(crate) fn standing(
        &self,
        connection: &Connection,
        now: SystemTime,
    ) -> rusqlite::Result<Standing> {
        if self.is_owners {
            let first =
                connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM accounts)", [], |row| {
                    row.get(0)
                })?;
            return Ok(if first {
                Standing::Good
            } else {
                Standing::Used
            });
        }
        let found: Option<(bool, bool, bool)> = connection
            .query_row(
                "SELECT revoked_at IS NOT NULL, uses >= max_uses, expires_at <= ?2
                 FROM invites WHERE digest = ?1",
                params![self.digest, unix_secs(now)],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        Ok(match found {
            None => Standing::Unknown,
            Some((true, ..)) => Standing::Revoked,
            Some((_, true, _)) => Standing::Used,
            Some((_, _, true)) => Standing::Expired,
            Some((false, false, false)) => Standing::Good,
        })
    }

    /// Counts an account that was made with it.
    pub(crate) fn count(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .execute(
                "UPDATE invites SET uses = uses + 1 WHERE digest = ?1",
                params![self.digest],
            )
            .map(drop)
    }
}

fn owners_digest(file: &Path) -> Option<[u8; 32]> {
    match read_secret(file) {
        Ok(token) => Some(digest(token.expose().trim())),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "the owner's invite cannot be read");
            None
        }
    }
}

fn create(
    connection: &Connection,
    new: NewInvite,
    now: SystemTime,
) -> rusqlite::Result<Option<MadeInvite>> {
    let NewInvite {
        made_by,
        life,
        max_uses,
    } = new;
    let long_ago = now.checked_sub(REMEMBERED).unwrap_or(UNIX_EPOCH);
    connection.execute(
        "DELETE FROM invites WHERE expires_at <= ?1",
        [unix_secs(long_ago)],
    )?;
    if list(connection, now)?.len() >= MAX_INVITES as usize {
        return Ok(None);
    }
    let token = random_text();
    let invite = Invite {
        id: InviteId::from_random(random()),
        made_by,
        made_at: now,
        expires_at: now + life,
        max_uses,
        uses: 0,
    };
    connection.execute(
        "INSERT INTO invites (id, digest, made_by, made_at, expires_at, max_uses, uses)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        params![
            invite.id.as_str(),
            digest(&token),
            invite.made_by.as_str(),
            unix_secs(invite.made_at),
            unix_secs(invite.expires_at),
            max_uses,
        ],
    )?;
    Ok(Some(MadeInvite { invite, token }))
}

fn list(connection: &Connection, now: SystemTime) -> rusqlite::Result<Vec<Invite>> {
    connection
        .prepare_cached(
            "SELECT id, made_by, made_at, expires_at, max_uses, uses FROM invites
             WHERE revoked_at IS NULL AND expires_at > ?1 AND uses < max_uses
             ORDER BY made_at DESC, id",
        )?
        .query_map([unix_secs(now)], invite)?
        .collect()
}

fn invite(row: &Row<'_>) -> rusqlite::Result<Invite> {
    Ok(Invite {
        id: parse(row, 0)?,
        made_by: parse(row, 1)?,
        made_at: time(row.get(2)?),
        expires_at: time(row.get(3)?),
        max_uses: row.get(4)?,
        uses: row.get(5)?,
    })
}

fn parse<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text: String = row.get(column)?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

fn time(secs: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(secs).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    struct Fixture {
        dir: tempfile::TempDir,
        database: Database,
    }

    impl Fixture {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let database = Database::open(&dir.path().join("issuer.db")).unwrap();
            std::fs::write(dir.path().join("owner"), "open sesame, owner\n").unwrap();
            Self { dir, database }
        }

        fn registration(&self) -> Registration {
            Registration::ByInvite {
                owner: self.dir.path().join("owner"),
            }
        }

        fn make(&self, max_uses: u32, now: SystemTime) -> Option<MadeInvite> {
            let new = NewInvite {
                made_by: MemberId::from_random([1; 16]),
                life: DAY,
                max_uses,
            };
            self.database.write(|t| create(t, new, now)).unwrap()
        }

        fn standing(&self, token: &str, now: SystemTime) -> Standing {
            let brought = Brought::new(token, &self.registration());
            self.database.read(|c| brought.standing(c, now)).unwrap()
        }

        fn count(&self, token: &str) {
            let brought = Brought::new(token, &self.registration());
            self.database.write(|t| brought.count(t)).unwrap();
        }
    }

    fn at(days: u32) -> SystemTime {
        UNIX_EPOCH + DAY * (20_000 + days)
    }

    #[test]
    fn invite_is_good_for_its_time_and_its_number_of_people() {
        let fixture = Fixture::new();
        let MadeInvite { token, .. } = fixture.make(2, at(0)).unwrap();
        assert_eq!(token.len(), 43);
        assert_eq!(fixture.standing(&token, at(0)), Standing::Good);
        assert_eq!(fixture.standing(&token, at(1)), Standing::Expired);
        fixture.count(&token);
        assert_eq!(fixture.standing(&token, at(0)), Standing::Good);
        fixture.count(&token);
        assert_eq!(fixture.standing(&token, at(0)), Standing::Used);
        for other in ["", "x", &token[1..], &token.to_uppercase()] {
            assert_eq!(fixture.standing(other, at(0)), Standing::Unknown, "{other}");
        }
    }

    #[tokio::test]
    async fn revoked_invite_is_over_and_not_listed() {
        let fixture = Fixture::new();
        let invites = Invites::new(fixture.database.clone());
        let MadeInvite { invite, token } = fixture.make(1, at(0)).unwrap();
        assert_eq!(
            invites.list(at(0)).await.unwrap(),
            std::slice::from_ref(&invite)
        );
        assert!(invites.list(at(1)).await.unwrap().is_empty());

        assert!(invites.revoke(&invite.id, at(0)).await.unwrap());

        assert_eq!(fixture.standing(&token, at(0)), Standing::Revoked);
        assert!(invites.list(at(0)).await.unwrap().is_empty());
        assert!(!invites.revoke(&invite.id, at(0)).await.unwrap());
    }

    #[test]
    fn number_of_good_invites_is_bounded() {
        let fixture = Fixture::new();
        for _ in 0..MAX_INVITES {
            fixture.make(1, at(0)).unwrap();
        }
        assert!(fixture.make(1, at(0)).is_none());
        assert!(fixture.make(1, at(2)).is_some());
    }

    #[test]
    fn owners_invite_makes_the_first_account_only() {
        let fixture = Fixture::new();
        let token = "open sesame, owner";
        assert_eq!(fixture.standing(token, at(0)), Standing::Good);
        fixture
            .database
            .write(|t| {
                t.execute(
                    "INSERT INTO accounts (id, name, name_key, password, created_at)
                     VALUES ('a', 'Ada', 'ada', '', 0)",
                    [],
                )
            })
            .unwrap();
        assert_eq!(fixture.standing(token, at(0)), Standing::Used);
    }

    #[test]
    fn file_has_no_token_in_it() {
        let fixture = Fixture::new();
        let MadeInvite { token, .. } = fixture.make(1, at(0)).unwrap();
        for entry in std::fs::read_dir(fixture.dir.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let found = bytes
                .windows(token.len())
                .any(|part| part == token.as_bytes());
            assert!(!found);
        }
    }
}
