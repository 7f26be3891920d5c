//! What can go wrong with files.

use crate::plan::PartNumber;

/// Storage that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The upload was aborted, or never begun.
    #[error("there is no such upload")]
    UnknownUpload,
    /// The plan has fewer parts.
    #[error("the upload has no part {0}")]
    NoSuchPart(PartNumber),
    /// These parts have not arrived, ascending.
    #[error("{} parts have not arrived", .0.len())]
    MissingParts(Vec<PartNumber>),
    /// What arrived is not what was announced: another size or digest.
    #[error("the parts are not the ones that were announced")]
    OtherParts,
    /// A request cannot be signed.
    #[error("cannot sign a request to the file storage")]
    Sign(#[source] Cause),
    /// A read did not work.
    #[error("cannot read from the file storage")]
    Read(#[source] Cause),
    /// A write did not work. It may have been done nevertheless: all of them can be repeated.
    #[error("cannot write to the file storage")]
    Write(#[source] Cause),
    /// The storage cannot be used at all.
    #[error("cannot open the file storage")]
    Open(#[source] Cause),
}

/// The adapter's own error: the file system's or the SDK's.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
