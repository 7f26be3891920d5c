//! Multipart uploads as seen from our side.

use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};

use super::S3;
use super::fault::{cause, is_missing, is_other_parts, is_unknown_upload};
use crate::{BlobKey, Error, PartNumber, Plan, Sha256, Upload};

/// A part that has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) number: PartNumber,
    size_bytes: u64,
    /// The storage's own mark of its bytes.
    etag: String,
}

/// An upload that somebody began.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) object: String,
    pub(super) token: String,
    pub(super) unix_ms: u64,
}

impl S3 {
    pub(super) async fn begin_upload(
        &self,
        key: &BlobKey,
        content_type: &str,
        plan: Plan,
    ) -> Result<Upload, Error> {
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(&*self.bucket)
            .key(self.object(key))
            .content_type(content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send()
            .await
            .map_err(|error| Error::Write(cause(error)))?;
        let token = begun.upload_id.map(String::into_boxed_str);
        Ok(Upload {
            key: key.clone(),
            plan,
            token: token.ok_or_else(|| Error::Write("the storage gave no upload id".into()))?,
        })
    }

    /// What has arrived, ascending; `None` if there is no such upload.
    pub(super) async fn parts(&self, upload: &Upload) -> Result<Option<Vec<Arrived>>, Error> {
        let mut arrived = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self
                .client
                .list_parts()
                .bucket(&*self.bucket)
                .key(self.object(&upload.key))
                .upload_id(&*upload.token)
                .set_part_number_marker(after)
                .send()
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) if is_unknown_upload(&error) || is_missing(&error) => return Ok(None),
                Err(error) => return Err(Error::Read(cause(error))),
            };
            for part in page.parts() {
                let number = part.part_number().and_then(|n| u32::try_from(n).ok());
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                let (Some(number), Some(size_bytes), Some(etag)) =
                    (number.and_then(PartNumber::new), size, part.e_tag())
                else {
                    return Err(Error::Read("the storage tells parts without marks".into()));
                };
                arrived.push(Arrived {
                    number,
                    size_bytes,
                    etag: etag.to_owned(),
                });
            }
            after = page.next_part_number_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || after.is_none() {
                arrived.sort_by_key(|part| part.number);
                return Ok(Some(arrived));
            }
        }
    }

    pub(super) async fn complete_upload(
        &self,
        upload: &Upload,
        digests: &[Sha256],
    ) -> Result<(), Error> {
        let Some(arrived) = self.parts(upload).await? else {
            return self.expect_completed(upload).await;
        };
        let completed = announced(upload.plan, &arrived, digests)?;
        let outcome = self
            .client
            .complete_multipart_upload()
            .bucket(&*self.bucket)
            .key(self.object(&upload.key))
            .upload_id(&*upload.token)
            .multipart_upload(completed)
            .send()
            .await;
        match outcome {
            Ok(_) => Ok(()),
            // Somebody else completed it meanwhile, or the answer to our first attempt was lost.
            Err(error) if is_unknown_upload(&error) => self.expect_completed(upload).await,
            Err(error) if is_other_parts(&error) => Err(Error::OtherParts),
            Err(error) => Err(Error::Write(cause(error))),
        }
    }

    /// An upload that is gone was completed if its blob stands.
    async fn expect_completed(&self, upload: &Upload) -> Result<(), Error> {
        let object = self.client.head_object().bucket(&*self.bucket);
        let size = match object.key(self.object(&upload.key)).send().await {
            Ok(object) => object.content_length(),
            Err(error) if is_missing(&error) => return Err(Error::UnknownUpload),
            Err(error) => return Err(Error::Read(cause(error))),
        };
        let size = size.and_then(|size| u64::try_from(size).ok());
        if size == Some(upload.plan.size_bytes()) {
            Ok(())
        } else {
            Err(Error::UnknownUpload)
        }
    }

    pub(super) async fn abort_upload(&self, object: &str, token: &str) -> Result<(), Error> {
        let outcome = self
            .client
            .abort_multipart_upload()
            .bucket(&*self.bucket)
            .key(object)
            .upload_id(token)
            .send()
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if is_unknown_upload(&error) || is_missing(&error) => Ok(()),
            Err(error) => Err(Error::Write(cause(error))),
        }
    }

    /// Every upload of this server that is neither completed nor aborted.
    pub(super) async fn begun_uploads(&self) -> Result<Vec<Begun>, Error> {
        let mut begun = Vec::new();
        let (mut after_key, mut after_upload) = (None, None);
        loop {
            let page = self
                .client
                .list_multipart_uploads()
                .bucket(&*self.bucket)
                .prefix(&*self.prefix)
                .set_key_marker(after_key)
                .set_upload_id_marker(after_upload)
                .send()
                .await
                .map_err(|error| Error::Read(cause(error)))?;
            for upload in page.uploads() {
                let (Some(object), Some(token)) = (upload.key(), upload.upload_id()) else {
                    continue;
                };
                // Not every storage heeds the prefix.
                if self.key(object).is_some() {
                    begun.push(Begun {
                        object: object.to_owned(),
                        token: token.to_owned(),
                        unix_ms: upload.initiated().map_or(0, unix_ms),
                    });
                }
            }
            after_key = page.next_key_marker().map(str::to_owned);
            after_upload = page.next_upload_id_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || after_key.is_none() {
                return Ok(begun);
            }
        }
    }
}

/// The parts to make the blob of, if they are all there and of the right size.
fn announced(
    plan: Plan,
    arrived: &[Arrived],
    digests: &[Sha256],
) -> Result<CompletedMultipartUpload, Error> {
    let find = |number| arrived.iter().find(|part| part.number == number);
    let missing: Vec<_> = plan.parts().filter(|p| find(*p).is_none()).collect();
    if !missing.is_empty() {
        return Err(Error::MissingParts(missing));
    }
    let mut completed = CompletedMultipartUpload::builder();
    for (number, part) in plan.parts().filter_map(|p| Some((p, find(p)?))) {
        let digest = digests.get(usize::from(number.get()) - 1);
        let digest = digest.ok_or(Error::OtherParts)?;
        if plan.part_bytes(number) != Some(part.size_bytes) {
            return Err(Error::OtherParts);
        }
        let part = CompletedPart::builder()
            .part_number(number.get().into())
            .e_tag(&part.etag)
            // The storage compares it with the one that the part came with.
            .checksum_sha256(digest.to_string())
            .build();
        completed = completed.parts(part);
    }
    Ok(completed.build())
}

pub(super) fn unix_ms(time: &DateTime) -> u64 {
    time.to_millis()
        .ok()
        .and_then(|ms| u64::try_from(ms).ok())
        .unwrap_or(0)
}
