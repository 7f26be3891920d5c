//! Opening a SQLite file with the settings that durability rests on.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::Error;

/// How long a connection waits for a lock that another process holds, such as a backup's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Distinct statements of a server's storage stay below this, so each is compiled once.
const CACHED_STATEMENTS: usize = 64;

/// Opens the file to read and write; makes it, readable by its owner only, if there is none.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let failed = |source| Error::Open {
        path: path.to_owned(),
        source,
    };
    make(path).map_err(|error| failed(error.into()))?;
    connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| failed(error.into()))
}

/// Opens a second connection that cannot change anything.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Error> {
    let connect = || {
        // WAL's index file is written by readers too, hence not SQLITE_OPEN_READ_ONLY.
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    connect().map_err(|error: rusqlite::Error| Error::Open {
        path: path.to_owned(),
        source: error.into(),
    })
}

/// Switches to write-ahead logging. Apart from `open`, because it changes the file.
pub(super) fn use_wal(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    // FULL syncs the log at every commit; NORMAL would lose acknowledged writes in a power cut.
    connection.pragma_update(None, "synchronous", "full")
}

/// Makes an empty file that only its owner may read. SQLite gives its log the same mode.
pub(super) fn make_new(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?;
    // The name, too, has to survive a power cut.
    #[cfg(unix)]
    fs::File::open(folder(path))?.sync_all()?;
    Ok(())
}

fn make(path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder(path))?;
    match make_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    // A deleted message is overwritten, not just unlinked.
    connection.pragma_update(None, "secure_delete", true)?;
    Ok(connection)
}
