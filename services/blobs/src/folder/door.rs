//! What an admitted request may do: write one part, or read one blob.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use ring::digest;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::task::spawn_blocking;

use super::disk::Disk;
use super::parts;
use super::ticket::{NotAdmitted, PartGrant, ReadGrant};
use crate::{BlobKey, PartNumber, Sha256};

/// A request that was signed by us.
#[derive(Debug)]
pub enum Admitted {
    /// A `PUT`.
    Part(PartDoor),
    /// A `GET` or `HEAD`.
    Read(ReadDoor),
}

/// Takes the bytes of one part.
#[derive(Debug)]
pub struct PartDoor {
    disk: Arc<Disk>,
    upload: BlobKey,
    part: PartNumber,
    size_bytes: u64,
    sha256: Sha256,
}

/// Where a blob lies and how it is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadDoor {
    /// The file; there may be none.
    pub path: PathBuf,
    /// The header `Content-Type`.
    pub content_type: Box<str>,
    /// The header `Content-Disposition`.
    pub disposition: Box<str>,
}

/// A part that was not taken. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum PartRefused {
    /// More or fewer bytes came than were signed.
    #[error("the part is not of the size that was signed")]
    OtherSize,
    /// Other bytes came than were signed.
    #[error("the part is not the one that was signed")]
    OtherBytes,
    /// The upload was completed or aborted.
    #[error("there is no such upload")]
    UnknownUpload,
    /// The sender went away, or was too slow.
    #[error("the part broke off")]
    BrokeOff(#[source] crate::Cause),
    /// The disk is full or broken.
    #[error("cannot write the part")]
    Write(#[source] io::Error),
}

/// A file that goes when its request does, also when the sender went away.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It fails once the part is in its place, or where the whole upload is gone.
        let _ = fs::remove_file(&self.0);
    }
}

impl PartDoor {
    pub(super) fn new(disk: &Arc<Disk>, grant: PartGrant) -> Result<Self, NotAdmitted> {
        let PartGrant {
            upload,
            part,
            size_bytes,
            sha256,
        } = grant;
        Ok(Self {
            disk: Arc::clone(disk),
            upload: upload.parse().map_err(|_| NotAdmitted::Forged)?,
            part: PartNumber::new(part.into()).ok_or(NotAdmitted::Forged)?,
            size_bytes,
            sha256: sha256.parse().map_err(|_| NotAdmitted::Forged)?,
        })
    }

    /// How many bytes it takes: no more, no less.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Streams the part to disk. It counts as arrived when this returns `Ok`.
    ///
    /// # Errors
    /// [`PartRefused`] if it is not what was signed, or cannot be kept.
    pub async fn receive<E>(
        self,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), PartRefused>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let folder = self.disk.upload(&self.upload);
        let unfinished = self.disk.unfinished(&folder);
        let file = File::create(&unfinished).await.map_err(or_unknown)?;
        let unfinished = Unfinished(unfinished);
        self.stream_into(file, body).await?;
        self.keep(folder, unfinished).await
    }

    async fn stream_into<E>(
        &self,
        mut file: File,
        body: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<(), PartRefused>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let mut body = std::pin::pin!(body);
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut left = self.size_bytes;
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| PartRefused::BrokeOff(error.into()))?;
            let length = u64::try_from(chunk.len()).map_err(|_| PartRefused::OtherSize)?;
            left = left.checked_sub(length).ok_or(PartRefused::OtherSize)?;
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(PartRefused::Write)?;
        }
        if left > 0 {
            return Err(PartRefused::OtherSize);
        }
        if Sha256::finish(&hash.finish()) != self.sha256 {
            return Err(PartRefused::OtherBytes);
        }
        file.sync_all().await.map_err(PartRefused::Write)
    }

    async fn keep(&self, folder: PathBuf, unfinished: Unfinished) -> Result<(), PartRefused> {
        let disk = Arc::clone(&self.disk);
        let part = self.part;
        let name = parts::name(part, &self.sha256);
        let kept = spawn_blocking(move || {
            disk.put(&unfinished.0, &folder.join(&name))?;
            parts::keep_only(&folder, part, &name)
        });
        let lost = |error| PartRefused::Write(io::Error::other(error));
        kept.await.map_err(lost)?.map_err(or_unknown)
    }
}

impl ReadDoor {
    pub(super) fn new(disk: &Disk, grant: ReadGrant) -> Result<Self, NotAdmitted> {
        let ReadGrant {
            key,
            content_type,
            disposition,
        } = grant;
        let key: BlobKey = key.parse().map_err(|_| NotAdmitted::Forged)?;
        Ok(Self {
            path: disk.blob(&key),
            content_type: content_type.into(),
            disposition: disposition.into(),
        })
    }
}

fn or_unknown(error: io::Error) -> PartRefused {
    if error.kind() == io::ErrorKind::NotFound {
        PartRefused::UnknownUpload
    } else {
        PartRefused::Write(error)
    }
}
