//! Copies of a file that is in use, by SQLite's online backup.

use std::fs;
use std::io;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::file;
use crate::error::{Cause, Error};

/// Copies `source` as it is at this moment to `destination`. Works while this or another process
/// uses it: a snapshot is read, so writers neither wait nor disturb. Blocks until the copy is on
/// disk.
///
/// # Errors
/// [`Error::BackupExists`] if there is something at `destination`, which is left untouched;
/// [`Error::Open`] if `source` cannot be read; [`Error::Backup`] if the copy cannot be written.
pub fn backup(source: &Path, destination: &Path) -> Result<(), Error> {
    let failed = |error: Cause| Error::Backup {
        path: destination.to_owned(),
        source: error,
    };
    // Not made if missing: a mistyped source must not become an empty backup.
    let from = Connection::open_with_flags(source, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(
        |error| Error::Open {
            path: source.to_owned(),
            source: error.into(),
        },
    )?;
    file::make_new(destination).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            let path = destination.to_owned();
            return Error::BackupExists { path };
        }
        failed(error.into())
    })?;
    copy(&from, destination).map_err(|error| {
        // Half a copy must not be taken for a whole one.
        let _ = fs::remove_file(destination);
        failed(error)
    })
}

fn copy(from: &Connection, destination: &Path) -> Result<(), Cause> {
    let mut to = Connection::open_with_flags(destination, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let backup = Backup::new(from, &mut to)?;
    // All pages in one step: between steps a writer would make the copy begin again.
    let step = backup.step(-1)?;
    if step != StepResult::Done {
        return Err(format!("the copy stopped as {step:?}").into());
    }
    drop(backup);
    to.close().map_err(|(_, error)| error)?;
    fs::File::open(destination)?.sync_all()?;
    Ok(())
}
