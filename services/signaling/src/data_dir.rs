//! The folder with everything that one server keeps, and that one process alone has it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;

use crate::entropy;

/// A folder, made or not.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

/// Held while a server runs. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Locked {
    _file: File,
}

/// The folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file has its name.
    #[error("\"{}\" is a file: name a folder with --data-dir", .0.display())]
    File(PathBuf),
    /// It cannot be made.
    #[error("make the data folder \"{}\"", path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be written in.
    #[error("write in the data folder \"{}\"", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file system has no locks.
    #[error("lock the data folder \"{}\"", path.display())]
    Lock {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another process has it. Two at once would each tell their clients half of what happens.
    #[error(
        "the data folder \"{}\" is in use by another process: stop that one, or choose another \
         folder with --data-dir",
        .0.display()
    )]
    InUse(PathBuf),
    /// No server has used it yet.
    #[error("there is no Gryt server in \"{}\": name its folder with --data-dir", .0.display())]
    NoServer(PathBuf),
}

/// Between two looks at a folder that is in use.
const LOOK: Duration = Duration::from_millis(200);

impl DataDir {
    /// The folder of this path.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the folder for its owner alone, and takes it.
    ///
    /// # Errors
    /// It cannot be written in, or another process has it.
    pub fn lock(&self) -> Result<Locked, DataDirError> {
        let path = || self.path.clone();
        self.refuse_file()?;
        make_private(&self.path).map_err(|source| DataDirError::Make {
            path: path(),
            source,
        })?;
        let file = File::create(self.path.join("lock")).map_err(|source| DataDirError::Write {
            path: path(),
            source,
        })?;
        match file.try_lock() {
            Ok(()) => Ok(Locked { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(path())),
            Err(TryLockError::Error(source)) => Err(DataDirError::Lock {
                path: path(),
                source,
            }),
        }
    }

    /// As [`DataDir::lock`], and waits so long for a process that is ending.
    ///
    /// # Errors
    /// As [`DataDir::lock`].
    pub async fn lock_within(&self, patience: Duration) -> Result<Locked, DataDirError> {
        let taken = async {
            let mut told = false;
            loop {
                match self.lock() {
                    Err(DataDirError::InUse(path)) => {
                        if !told {
                            tracing::warn!(path = %path.display(), "waiting for the data folder");
                            told = true;
                        }
                        tokio::time::sleep(LOOK).await;
                    }
                    taken => return taken,
                }
            }
        };
        timeout(patience, taken)
            .await
            .unwrap_or_else(|_| Err(DataDirError::InUse(self.path.clone())))
    }

    fn refuse_file(&self) -> Result<(), DataDirError> {
        if self.path.is_file() {
            return Err(DataDirError::File(self.path.clone()));
        }
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Members, channels and messages.
    #[must_use]
    pub fn server_db(&self) -> PathBuf {
        self.path.join("server.db")
    }

    /// The log from which sessions resume.
    #[must_use]
    pub fn events_db(&self) -> PathBuf {
        self.path.join("events.db")
    }

    /// Accounts, invites and keys.
    #[must_use]
    pub fn issuer_db(&self) -> PathBuf {
        self.path.join("issuer.db")
    }

    /// Files of messages.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// The secret behind the files' tickets: 32 bytes, drawn once.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn file_key(&self) -> io::Result<[u8; 32]> {
        let path = self.path.join("files.key");
        match fs::read(&path) {
            Ok(bytes) => bytes
                .try_into()
                .map_err(|_| io::Error::other("\"files.key\" is not of 32 bytes")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = entropy::secret();
                write_private(&path, &key)?;
                Ok(key)
            }
            Err(error) => Err(error),
        }
    }

    /// The issuer's file, which a command must not make.
    ///
    /// # Errors
    /// There is none.
    pub fn existing_issuer_db(&self) -> Result<PathBuf, DataDirError> {
        self.refuse_file()?;
        let path = self.issuer_db();
        if path.exists() {
            Ok(path)
        } else {
            Err(DataDirError::NoServer(self.path.clone()))
        }
    }
}

/// Makes a folder that only its owner can look into. One that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Writes a file that only its owner can read, as a whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_key_is_drawn_once() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path().to_owned());
        let key = data.file_key().unwrap();
        assert_eq!(data.file_key().unwrap(), key);
        fs::write(dir.path().join("files.key"), "short").unwrap();
        assert!(data.file_key().is_err());
    }

    #[tokio::test]
    async fn folder_is_taken_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::at(dir.path().join("new/gryt"));
        let first = data.lock().unwrap();
        assert!(data.lock().unwrap_err().to_string().contains("in use"));
        let refused = data.lock_within(Duration::ZERO).await;
        assert!(matches!(refused, Err(DataDirError::InUse(_))));

        let waiting = data.lock_within(Duration::from_mins(1));
        let (taken, ()) = tokio::join!(waiting, async { drop(first) });
        taken.unwrap();
    }
}
