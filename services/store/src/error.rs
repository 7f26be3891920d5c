//! What can go wrong with storage.

use std::path::PathBuf;

/// Storage that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or made.
    #[error("cannot open \"{path}\"")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The file was written by a newer program. Going back to an older one is refused, because it
    /// would lose what the newer one wrote.
    #[error(
        "\"{path}\" has schema version {found}, and this program knows versions up to {known}: \
         it was written by a newer version of Gryt; run that version, or restore a backup that \
         was made before the upgrade"
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The newest version that this program can read.
        known: u32,
    },
    /// The file's schema cannot be brought up to date.
    #[error("cannot bring the schema of \"{path}\" up to date")]
    Migrate {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
    /// A read did not work.
    #[error("cannot read from storage")]
    Read(#[source] Cause),
    /// A write did not work, and nothing of it is kept unless the call says otherwise.
    #[error("cannot write to storage")]
    Write(#[source] Cause),
    /// The storage's thread is gone, because the program is shutting down.
    #[error("storage is closed")]
    Closed,
    /// A backup's destination exists already. Nothing is ever overwritten.
    #[error("backup to \"{path}\" refused: the file exists already")]
    BackupExists {
        /// The destination.
        path: PathBuf,
    },
    /// A backup could not be written.
    #[error("cannot back up to \"{path}\"")]
    Backup {
        /// The destination.
        path: PathBuf,
        /// Why.
        #[source]
        source: Cause,
    },
}

/// The adapter's own error: SQLite's or the file system's.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
