//! Files of messages: tickets for uploads, pictures' thumbnails, and the removal of what belongs to
//! nobody. The bytes themselves go between browsers and the file storage.

use std::sync::Arc;
use std::time::Duration;

use gryt_blobs::{BlobKey, Blobs, Folder, Kind, Validity};
use gryt_model::FileId;
use gryt_store::Store;
use tokio_util::sync::CancellationToken;

mod picture;
mod storage;
mod sweep;
mod thumbnails;
mod tickets;

pub use storage::{FileKey, FileStorage, FilesConfig, InvalidFileKey, OpenFilesError};

pub(crate) use picture::{BEGINNING_BYTES, size as picture_size, thumbnail_type};
pub(crate) use thumbnails::Thumbnails;
pub(crate) use tickets::{AttachmentTicket, Tickets, UploadTicket};

use crate::clock;

/// Where a server's files are and how large they may be.
#[derive(Debug)]
pub struct Files {
    /// The storage.
    pub blobs: Arc<dyn Blobs>,
    /// The same storage, if browsers reach it by doors of ours under [`DOORS`].
    pub folder: Option<Folder>,
    /// The secret behind tickets: the same for all processes of a server, and random.
    pub key: [u8; 32],
    /// The largest file, in bytes: at most [`Files::MOST_BYTES`].
    pub limit_bytes: u64,
}

/// Where the folder's doors are.
pub const DOORS: &str = "/blobs";

impl Files {
    /// 100 MiB: photographs and short films.
    pub const LIMIT_BYTES: u64 = 100 * 1024 * 1024;
    /// 8 GiB: the digests of more parts would not fit into one request.
    pub const MOST_BYTES: u64 = 8 * 1024 * 1024 * 1024;
}

/// How long a browser may take to begin with a part: it asks for several at once.
const PART_LASTS: Duration = Duration::from_mins(30);
/// How long a link to a file is good: a browser follows it at once, and a film is read in ranges.
const LINK_LASTS: Duration = Duration::from_mins(15);

/// What operations need of files.
#[derive(Debug)]
pub(crate) struct FileShelf {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) tickets: Tickets,
    pub(crate) thumbnails: Thumbnails,
    pub(crate) limit_bytes: u64,
}

impl FileShelf {
    /// When a part that is signed at this moment may be sent.
    pub(crate) fn part_validity() -> Validity {
        Validity {
            from: clock::wall(),
            lasts: PART_LASTS,
        }
    }

    /// When a link that is signed at this moment is good.
    pub(crate) fn link_validity() -> Validity {
        Validity {
            from: clock::wall(),
            lasts: LINK_LASTS,
        }
    }

    /// Removes a file and its thumbnail, unless a message has it; tells whether.
    pub(crate) async fn discard(
        &self,
        store: &dyn Store,
        file: &FileId,
    ) -> Result<bool, DiscardError> {
        if store.file_in_use(file).await.map_err(DiscardError::Look)? {
            return Ok(false);
        }
        for kind in Kind::ALL {
            let removed = self.blobs.delete(&key(kind, file)).await;
            removed.map_err(DiscardError::Remove)?;
        }
        let forgotten = store.forget_file(file).await;
        forgotten.map(|()| true).map_err(DiscardError::Look)
    }
}

/// A file could not be removed. The next sweep tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscardError {
    /// The store did not answer.
    #[error("look for the messages of a file")]
    Look(#[source] gryt_store::Error),
    /// The storage did not answer.
    #[error("remove a file")]
    Remove(#[source] gryt_blobs::Error),
}

pub(crate) fn key(kind: Kind, file: &FileId) -> BlobKey {
    BlobKey {
        kind,
        id: file.clone(),
    }
}

/// What is done about files beside the requests.
#[derive(Debug)]
pub(crate) struct Chores {
    work: thumbnails::Work,
    shelf: Arc<FileShelf>,
    store: Arc<dyn Store>,
}

/// Puts together what operations need, and what is to be run beside them.
pub(crate) fn prepare(files: Files, store: &Arc<dyn Store>) -> (Arc<FileShelf>, Chores) {
    let Files {
        blobs,
        folder: _,
        key,
        limit_bytes,
    } = files;
    let (thumbnails, work) = Thumbnails::new();
    let shelf = Arc::new(FileShelf {
        blobs,
        tickets: Tickets::new(&key, store.server().id.clone()),
        thumbnails,
        limit_bytes: limit_bytes.min(Files::MOST_BYTES),
    });
    let chores = Chores {
        work,
        shelf: Arc::clone(&shelf),
        store: Arc::clone(store),
    };
    (shelf, chores)
}

impl Chores {
    /// Makes thumbnails and sweeps until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self { work, shelf, store } = self;
        tokio::select! {
            () = stop.cancelled() => {}
            () = work.run(Arc::clone(&shelf.blobs)) => {}
            () = sweep::run(&shelf, &*store) => {}
        }
    }
}
