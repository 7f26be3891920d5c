//! What the storage says against a call.

use std::error::Error as StdError;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::Cause;

/// Keeps the whole chain.
pub(super) fn cause<E>(error: SdkError<E>) -> Cause
where
    E: StdError + Send + Sync + 'static,
{
    Box::new(error)
}

/// Whether the object is not there, or the bucket.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    matches!(
        error.code(),
        Some("NoSuchKey" | "NotFound" | "NoSuchBucket")
    ) || status == Some(404)
}

/// Whether the upload is not there: completed, aborted, or never begun.
pub(super) fn is_unknown_upload<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("NoSuchUpload")
}

/// Whether the parts are not those that the call named.
pub(super) fn is_other_parts<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    matches!(error.code(), Some("InvalidPart" | "BadDigest"))
}
