//! Paths of one server's files, and writes that are on disk when they return. Every name in a path is
//! made of an id.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use gryt_model::FileId;

use crate::{BlobKey, Kind, Listed};

/// One server's folder.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    /// Names for what is not complete yet, this process's own.
    next: AtomicU64,
}

impl Disk {
    /// Makes the folders that are missing.
    pub(super) fn open(root: PathBuf) -> io::Result<Self> {
        let disk = Self {
            root,
            next: AtomicU64::new(0),
        };
        for kind in Kind::ALL {
            fs::create_dir_all(disk.root.join(kind.folder()))?;
        }
        fs::create_dir_all(disk.uploads())?;
        Ok(disk)
    }

    pub(super) fn blob(&self, key: &BlobKey) -> PathBuf {
        self.root.join(key.kind.folder()).join(key.id.as_str())
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(super) fn upload(&self, key: &BlobKey) -> PathBuf {
        let name = format!("{}-{}", key.kind.folder(), key.id);
        self.uploads().join(name)
    }

    /// A path beside others in `folder` that nobody else writes to.
    pub(super) fn unfinished(&self, folder: &Path) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        folder.join(format!("{number}.unfinished"))
    }

    /// Puts a finished file in its place, for good.
    pub(super) fn put(&self, finished: &Path, place: &Path) -> io::Result<()> {
        fs::rename(finished, place)?;
        sync_folder_of(place)
    }

    pub(super) fn write(&self, place: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.unfinished(&self.uploads());
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        self.put(&unfinished, place)
    }

    pub(super) fn read(&self, path: &Path, at_most: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = found(File::open(path))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        file.take(at_most).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        match found(fs::remove_file(path))? {
            Some(()) => sync_folder_of(path),
            None => Ok(()),
        }
    }

    pub(super) fn remove_folder(&self, path: &Path) -> io::Result<()> {
        found(fs::remove_dir_all(path)).map(drop)
    }

    pub(super) fn list(
        &self,
        kind: Kind,
        after: Option<&FileId>,
        limit: u16,
    ) -> io::Result<Vec<Listed>> {
        let folder = self.root.join(kind.folder());
        let mut ids = Vec::new();
        for entry in fs::read_dir(&folder)? {
            // A person may have put something else there: that is not ours to tell of.
            let name = entry?.file_name();
            let id: Option<FileId> = name.to_str().and_then(|name| name.parse().ok());
            ids.extend(id.filter(|id| after.is_none_or(|after| id > after)));
        }
        ids.sort_unstable();
        let mut listed = Vec::new();
        for id in ids.into_iter().take(usize::from(limit)) {
            let key = BlobKey { kind, id };
            let Some(about) = found(fs::metadata(self.blob(&key)))? else {
                continue;
            };
            listed.push(Listed {
                key,
                size_bytes: about.len(),
                written_at_ms: unix_ms(about.modified()?),
            });
        }
        Ok(listed)
    }
}

/// What is not there is an answer, not a failure.
pub(super) fn found<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A rename is on disk once its folder is.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

pub(super) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
