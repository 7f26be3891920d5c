//! The issuer's file: accounts, invites, codes, sign-ins, signing keys. SQLite in WAL mode, so that
//! `gryt account reset` works beside a running server.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// The schema that this version of Gryt reads and writes.
const SCHEMA_VERSION: i64 = 2;

/// Step n leads from version n to the next one; steps are only ever added.
const STEPS: [&str; 2] = [SCHEMA_1, SCHEMA_2];

const SCHEMA_1: &str = "
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions (
    id BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    signed_in_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_account ON sessions (account);
CREATE TABLE refresh_tokens (
    digest BLOB PRIMARY KEY,
    session BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    replaced_at_ms INTEGER
) STRICT;
CREATE INDEX refresh_tokens_by_session ON refresh_tokens (session);
CREATE TABLE codes (
    digest BLOB PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    nonce TEXT,
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    session BLOB
) STRICT;
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    pkcs8 BLOB NOT NULL,
    public_key BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    active_since INTEGER,
    retired_at INTEGER
) STRICT;
";

const SCHEMA_2: &str = "
CREATE TABLE invites (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    max_uses INTEGER NOT NULL,
    uses INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX invites_by_end ON invites (expires_at);
";

/// The issuer's file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file cannot be made or opened.
    #[error("open \"{}\"", path.display())]
    OpenFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is not SQLite, or damaged, or locked for too long.
    #[error("open the database \"{}\"", path.display())]
    OpenDatabase {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer Gryt wrote it.
    #[error(
        "\"{}\" was written by a newer version of Gryt (schema {found}, this one knows \
         {SCHEMA_VERSION}): start that version, or restore a backup from before the update",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// A statement failed.
    #[error("use the issuer's database")]
    Query(#[source] rusqlite::Error),
    /// The thread that used it is gone.
    #[error("finish the work on the issuer's database")]
    Stopped,
}

/// An open file. Clones share one connection for writing and one for reading; the users of each
/// wait for each other, but readers never wait for writers.
#[derive(Clone)]
pub struct Database {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

impl Database {
    /// Opens the file, or makes it, readable by its owner only.
    ///
    /// # Errors
    /// A file that cannot be used, or one of a newer Gryt.
    pub fn open(path: &Path) -> Result<Self, DatabaseError> {
        make_private(path).map_err(|source| DatabaseError::OpenFile {
            path: path.to_owned(),
            source,
        })?;
        let failed = |source| DatabaseError::OpenDatabase {
            path: path.to_owned(),
            source,
        };
        let mut connection = Connection::open(path).map_err(failed)?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(failed)?;
        // Looked at before anything is written: a file of a newer Gryt stays as it is.
        let found = schema_version(&connection).map_err(failed)?;
        if found > SCHEMA_VERSION {
            return Err(DatabaseError::Newer {
                path: path.to_owned(),
                found,
            });
        }
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(failed)?;
        migrate(&mut connection).map_err(failed)?;
        let reader = Connection::open(path).map_err(failed)?;
        reader
            .busy_timeout(Duration::from_secs(5))
            .and_then(|()| reader.execute_batch("PRAGMA query_only = ON;"))
            .map_err(failed)?;
        Ok(Self {
            writer: Arc::new(Mutex::new(connection)),
            reader: Arc::new(Mutex::new(reader)),
        })
    }

    /// Runs `work` in one write transaction on this thread.
    pub(crate) fn write<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<R>,
    ) -> Result<R, DatabaseError> {
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(DatabaseError::Query)
    }

    /// Runs `work` in one read transaction on this thread.
    pub(crate) fn read<R>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R>,
    ) -> Result<R, DatabaseError> {
        let mut connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let run = || {
            let transaction = connection.transaction()?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(DatabaseError::Query)
    }

    /// Runs `work` in one read transaction on a thread that may block. What strangers can ask
    /// for goes here: it takes no lock that a sign-in needs.
    pub(crate) async fn read_later<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, DatabaseError> {
        let database = self.clone();
        tokio::task::spawn_blocking(move || database.read(work))
            .await
            .map_err(|_| DatabaseError::Stopped)?
    }

    /// Runs `work` in one write transaction on a thread that may block.
    pub(crate) async fn write_later<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, DatabaseError> {
        let database = self.clone();
        tokio::task::spawn_blocking(move || database.write(work))
            .await
            .map_err(|_| DatabaseError::Stopped)?
    }
}

fn schema_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again under the lock: two processes may have opened an empty file together.
    let taken = usize::try_from(schema_version(&transaction)?).unwrap_or(STEPS.len());
    for step in STEPS.iter().skip(taken) {
        transaction.execute_batch(step)?;
    }
    if taken < STEPS.len() {
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

/// The file holds private keys; SQLite gives its companions (WAL, index) the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_of_a_newer_gryt_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("issuer.db");
        drop(Database::open(&path).unwrap());
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
            .unwrap();
        let before = std::fs::read(&path).unwrap();

        let refused = Database::open(&path).unwrap_err();

        assert!(matches!(refused, DatabaseError::Newer { found: 3, .. }));
        assert!(refused.to_string().contains("newer version of Gryt"));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn file_of_the_first_version_keeps_its_accounts_and_takes_invites() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("issuer.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA_1).unwrap();
        old.execute_batch(
            "INSERT INTO accounts VALUES ('a', 'Ada', 'ada', '', 0); PRAGMA user_version = 1;",
        )
        .unwrap();
        drop(old);

        let database = Database::open(&path).unwrap();

        let counted = database.read(|connection| {
            connection.query_row(
                "SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM invites)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        });
        assert_eq!(counted.unwrap(), (1, 0));
    }

    #[test]
    fn file_that_is_no_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("issuer.db");
        std::fs::write(
            &path,
            "no database at all, but long enough for a header".repeat(20),
        )
        .unwrap();
        assert!(matches!(
            Database::open(&path),
            Err(DatabaseError::OpenDatabase { .. })
        ));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("issuer.db");
        let _database = Database::open(&path).unwrap();
        for entry in std::fs::read_dir(dir.path()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }
}
