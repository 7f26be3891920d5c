//! A SQLite file with its own threads: one writes, one reads. Knows no tables.
//!
//! Writes that are queued together share one transaction and so one fsync; each of them still
//! succeeds or fails alone. WAL mode with `synchronous=FULL`: what was answered is on disk.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use crate::error::Error;

mod backup;
mod file;
mod reader;
mod schema;
mod writer;

pub use backup::backup;
use reader::Reader;
pub use schema::Schema;
use writer::Writer;

/// An open file. Cheap to use from any task; dropping it waits until what was queued is written.
pub struct Database {
    path: PathBuf,
    writer: Writer,
    reader: Reader,
    commits: Arc<AtomicU64>,
}

impl Database {
    /// Opens or makes the file and brings its schema up to date. `prepare` runs in the same
    /// transaction, so that a crash leaves either nothing or everything.
    ///
    /// # Errors
    /// [`Error::NewerSchema`] if a newer program wrote the file, which is left untouched;
    /// [`Error::Open`] and [`Error::Migrate`] otherwise.
    pub fn open<T>(
        path: &Path,
        schema: &Schema,
        prepare: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<(Self, T), Error> {
        let mut connection = file::open(path)?;
        let prepared = schema.bring_up_to_date(path, &mut connection, prepare)?;
        let commits = Arc::new(AtomicU64::new(0));
        let database = Self {
            path: path.to_owned(),
            reader: Reader::start(path, file::open_to_read(path)?)?,
            writer: Writer::start(path, connection, Arc::clone(&commits))?,
            commits,
        };
        Ok((database, prepared))
    }

    /// Runs `work` in a transaction and returns once it is committed. With the queue full (1,024
    /// writes) the caller waits for a place. A dropped call may be carried out nevertheless.
    ///
    /// # Errors
    /// [`Error::Write`] if `work` or the commit fails; nothing of it is kept then, except that a
    /// commit whose fsync failed may be found after a restart.
    pub async fn write<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.write_then(work, |value| value).await
    }

    /// Like [`write`](Self::write), and runs `then` on the writing thread right after the commit:
    /// in the order of the writes, and also if the caller is gone. `then` must not wait.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub async fn write_then<T, U, W, A>(&self, work: W, then: A) -> Result<U, Error>
    where
        T: Send + 'static,
        U: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
        A: FnOnce(T) -> U + Send + 'static,
    {
        self.writer.write(work, then).await
    }

    /// Runs `work` on the reading thread: it sees everything that was committed before. With the
    /// queue full (1,024 reads) the caller waits for a place.
    ///
    /// # Errors
    /// [`Error::Read`] if `work` fails.
    pub async fn read<T, W>(&self, work: W) -> Result<T, Error>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        self.reader.read(work).await
    }

    /// Copies the file as it is at this moment to `destination`, while reads and writes go on.
    ///
    /// # Errors
    /// As [`backup`].
    pub async fn backup(&self, destination: PathBuf) -> Result<(), Error> {
        let source = self.path.clone();
        tokio::task::spawn_blocking(move || backup(&source, &destination))
            .await
            .map_err(|_| Error::Closed)?
    }

    /// Transactions committed since the file was opened: fewer than writes, where writes came
    /// together.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
