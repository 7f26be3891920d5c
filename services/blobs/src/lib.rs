//! The files of one server: attachments and their thumbnails. The port, its adapter for a folder,
//! and with the feature `s3` the one for S3-compatible storage.
//!
//! People's bytes do not pass through whoever holds a [`Blobs`]: it signs requests that are good for
//! a short time, and browsers carry them out. An upload is bound before its first byte: it has a
//! [`Plan`], each part is signed with its exact size and SHA-256, and nothing can be read before
//! [`complete`](Uploads::complete), nor written after it.

use std::fmt::Debug;

use async_trait::async_trait;

mod disposition;
mod error;
pub mod folder;
mod key;
mod plan;
mod purge;
#[cfg(feature = "s3")]
pub mod s3;
mod sha256;
mod signed;

pub use disposition::Disposition;
pub use error::{Cause, Error};
pub use folder::Folder;
pub use key::{BlobKey, InvalidKey, Kind};
pub use plan::{PartNumber, Plan};
pub use purge::purge;
#[cfg(feature = "s3")]
pub use s3::S3;
pub use sha256::{InvalidSha256, Sha256};
pub use signed::{Read, SignedRequest, Validity};

/// Everything that is kept for one server. Used as `Arc<dyn Blobs>`.
#[async_trait]
pub trait Blobs: Uploads {
    /// Lets whoever holds the answer read this blob. It is signed also for a blob that does not
    /// exist: whoever asks then gets a 404.
    ///
    /// # Errors
    /// [`Error::Sign`] if it cannot be signed.
    async fn sign_read(
        &self,
        key: &BlobKey,
        read: &Read,
        validity: Validity,
    ) -> Result<SignedRequest, Error>;

    /// Reads a blob from its beginning, at most `at_most` bytes of it; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Read`] if the storage cannot be read.
    async fn read(&self, key: &BlobKey, at_most: u64) -> Result<Option<Vec<u8>>, Error>;

    /// Writes a whole small blob, in place of an earlier one.
    ///
    /// # Errors
    /// [`Error::Write`] if the storage cannot be written.
    async fn write(&self, key: &BlobKey, content_type: &str, bytes: Vec<u8>) -> Result<(), Error>;

    /// Removes a blob. One that is gone already is removed.
    ///
    /// # Errors
    /// [`Error::Write`] if the storage cannot be written.
    async fn delete(&self, key: &BlobKey) -> Result<(), Error>;

    /// Lists up to `limit` blobs of a kind, by id, those above `after`.
    ///
    /// # Errors
    /// [`Error::Read`] if the storage cannot be read.
    async fn list(
        &self,
        kind: Kind,
        after: Option<&BlobKey>,
        limit: u16,
    ) -> Result<Vec<Listed>, Error>;
}

/// Uploads in parts, which can be resumed by whoever knows the [`Upload`].
#[async_trait]
pub trait Uploads: Debug + Send + Sync + 'static {
    /// Begins an upload.
    ///
    /// # Errors
    /// [`Error::Write`] if the storage cannot be written.
    async fn begin(&self, key: &BlobKey, content_type: &str, plan: Plan) -> Result<Upload, Error>;

    /// Lets whoever holds the answer write one part with exactly the bytes that have this digest.
    ///
    /// # Errors
    /// [`Error::NoSuchPart`] if the plan has no such part, [`Error::Sign`] if it cannot be signed.
    async fn sign_part(
        &self,
        upload: &Upload,
        part: PartNumber,
        digest: &Sha256,
        validity: Validity,
    ) -> Result<SignedRequest, Error>;

    /// Tells which parts have arrived, ascending.
    ///
    /// # Errors
    /// [`Error::UnknownUpload`] if it was completed or aborted, or [`Error::Read`].
    async fn arrived(&self, upload: &Upload) -> Result<Vec<PartNumber>, Error>;

    /// Makes the parts the blob, if all have arrived with the sizes of the plan and with `digests`,
    /// one for each part. Completing twice is completing once.
    ///
    /// # Errors
    /// [`Error::MissingParts`] or [`Error::OtherParts`] if it cannot be completed as it is,
    /// [`Error::UnknownUpload`] if it was aborted, or [`Error::Write`].
    async fn complete(&self, upload: &Upload, digests: &[Sha256]) -> Result<(), Error>;

    /// Ends an upload and forgets its parts. One that is gone already is aborted.
    ///
    /// # Errors
    /// [`Error::Write`] if the storage cannot be written.
    async fn abort(&self, upload: &Upload) -> Result<(), Error>;

    /// Ends every upload of this server that was begun before `unix_ms`; tells how many.
    ///
    /// # Errors
    /// [`Error::Read`] or [`Error::Write`] if the storage cannot do it.
    async fn abort_begun_before(&self, unix_ms: u64) -> Result<usize, Error>;
}

/// An upload that was begun. Whoever keeps it can go on with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// What it becomes.
    pub key: BlobKey,
    /// How many bytes in which parts.
    pub plan: Plan,
    /// The storage's own name for it: at most 1,024 visible ASCII characters.
    pub token: Box<str>,
}

/// A blob that stands in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub key: BlobKey,
    /// How large it is.
    pub size_bytes: u64,
    /// When it was written, in milliseconds since 1970.
    pub written_at_ms: u64,
}
