//! Files in a folder of the one process that serves them. Its signed requests are for doors of our
//! own: whoever listens for HTTP hands what comes to [`Folder::admit`].
//!
//! `<server>/uploads/<kind>-<id>/` holds the parts of an upload, `<server>/files` and
//! `<server>/thumbnails` what is complete. Everything that was answered with `Ok` is on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use gryt_model::ServerId;
use tokio::task::spawn_blocking;

mod disk;
mod door;
mod parts;
mod ticket;

pub use door::{Admitted, PartDoor, PartRefused, ReadDoor};
pub use ticket::{DoorKey, NotAdmitted};

use self::disk::Disk;
use self::ticket::{Grant, Ticket};
use crate::{
    BlobKey, Blobs, Error, Kind, Listed, PartNumber, Plan, Read, Sha256, SignedRequest, Upload,
    Uploads, Validity,
};

/// The files of one server in a folder.
#[derive(Debug, Clone)]
pub struct Folder {
    disk: Arc<Disk>,
    key: DoorKey,
    doors: Box<str>,
}

impl Folder {
    /// Opens the place of `server` under `root`, made where it is missing. Signed requests go to
    /// paths that begin with `doors`, such as `/blobs`. One process may have it open.
    ///
    /// # Errors
    /// [`Error::Open`] if the folders cannot be made.
    pub fn open(root: &Path, server: &ServerId, key: &DoorKey, doors: &str) -> Result<Self, Error> {
        let disk = Disk::open(root.join(server.as_str())).map_err(|e| Error::Open(e.into()))?;
        Ok(Self {
            disk: Arc::new(disk),
            // Two servers may be given the same key; their tickets differ nevertheless.
            key: key.for_server(server),
            doors: doors.into(),
        })
    }

    /// Checks the ticket of a request to one of the doors: what follows the prefix in its path.
    ///
    /// # Errors
    /// [`NotAdmitted`] if we did not write it, or it is too late.
    pub fn admit(&self, ticket: &str, now: SystemTime) -> Result<Admitted, NotAdmitted> {
        Ok(match self.key.open(ticket, now)? {
            Grant::Part(part) => Admitted::Part(PartDoor::new(&self.disk, part)?),
            Grant::Read(read) => Admitted::Read(ReadDoor::new(&self.disk, read)?),
        })
    }

    fn request(&self, method: &'static str, ticket: &Ticket) -> SignedRequest {
        SignedRequest {
            method,
            url: format!("{}/{}", self.doors, self.key.seal(ticket)),
            headers: Vec::new(),
        }
    }

    /// Works on the disk on a thread that may wait.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Disk) -> T + Send + 'static,
        lost: fn(crate::Cause) -> Error,
    ) -> Result<T, Error> {
        let disk = Arc::clone(&self.disk);
        spawn_blocking(move || work(&disk))
            .await
            .map_err(|error| lost(error.into()))
    }
}

#[async_trait]
impl Uploads for Folder {
    async fn begin(&self, key: &BlobKey, _: &str, plan: Plan) -> Result<Upload, Error> {
        let upload = Upload {
            key: key.clone(),
            plan,
            token: "folder".into(),
        };
        let begun = upload.clone();
        self.on_disk(move |disk| parts::begin(disk, &begun), Error::Write)
            .await??;
        Ok(upload)
    }

    async fn sign_part(
        &self,
        upload: &Upload,
        part: PartNumber,
        digest: &Sha256,
        validity: Validity,
    ) -> Result<SignedRequest, Error> {
        let size = upload.plan.part_bytes(part);
        let size_bytes = size.ok_or(Error::NoSuchPart(part))?;
        let grant = ticket::PartGrant {
            upload: upload.key.to_string(),
            part: part.get(),
            size_bytes,
            sha256: digest.to_string(),
        };
        Ok(self.request("PUT", &Ticket::new(Grant::Part(grant), validity)))
    }

    async fn arrived(&self, upload: &Upload) -> Result<Vec<PartNumber>, Error> {
        let upload = upload.clone();
        self.on_disk(move |disk| parts::arrived(disk, &upload), Error::Read)
            .await?
    }

    async fn complete(&self, upload: &Upload, digests: &[Sha256]) -> Result<(), Error> {
        let (upload, digests) = (upload.clone(), digests.to_vec());
        let work = move |disk: &Disk| parts::complete(disk, &upload, &digests);
        self.on_disk(work, Error::Write).await?
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Error> {
        let key = upload.key.clone();
        let work = move |disk: &Disk| disk.remove_folder(&disk.upload(&key));
        let removed = self.on_disk(work, Error::Write).await?;
        removed.map_err(|error| Error::Write(error.into()))
    }

    async fn abort_begun_before(&self, unix_ms: u64) -> Result<usize, Error> {
        let work = move |disk: &Disk| parts::abort_begun_before(disk, unix_ms);
        let ended = self.on_disk(work, Error::Write).await?;
        ended.map_err(|error| Error::Write(error.into()))
    }
}

#[async_trait]
impl Blobs for Folder {
    async fn sign_read(
        &self,
        key: &BlobKey,
        read: &Read,
        validity: Validity,
    ) -> Result<SignedRequest, Error> {
        let grant = ticket::ReadGrant {
            key: key.to_string(),
            content_type: read.content_type.to_string(),
            disposition: read.disposition.header(),
        };
        Ok(self.request("GET", &Ticket::new(Grant::Read(grant), validity)))
    }

    async fn read(&self, key: &BlobKey, at_most: u64) -> Result<Option<Vec<u8>>, Error> {
        let key = key.clone();
        let work = move |disk: &Disk| disk.read(&disk.blob(&key), at_most);
        let read = self.on_disk(work, Error::Read).await?;
        read.map_err(|error| Error::Read(error.into()))
    }

    async fn write(&self, key: &BlobKey, _: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let key = key.clone();
        let work = move |disk: &Disk| disk.write(&disk.blob(&key), &bytes);
        let written = self.on_disk(work, Error::Write).await?;
        written.map_err(|error| Error::Write(error.into()))
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), Error> {
        let key = key.clone();
        let work = move |disk: &Disk| disk.remove_file(&disk.blob(&key));
        let removed = self.on_disk(work, Error::Write).await?;
        removed.map_err(|error| Error::Write(error.into()))
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&BlobKey>,
        limit: u16,
    ) -> Result<Vec<Listed>, Error> {
        let after = after.map(|key| key.id.clone());
        let work = move |disk: &Disk| disk.list(kind, after.as_ref(), limit);
        let listed = self.on_disk(work, Error::Read).await?;
        listed.map_err(|error| Error::Read(error.into()))
    }
}
