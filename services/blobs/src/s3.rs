//! Files in S3-compatible storage, under a prefix of the server's own in one bucket.
//!
//! Every upload is a multipart one, also of a single part: the object comes into being by our call
//! alone, with the type that we gave, and a signed part is worth nothing after it. Our own calls go to
//! the internal endpoint; what browsers get is signed for the public one, because a signature covers
//! the host.

use std::fmt;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use gryt_model::ServerId;

mod client;
mod fault;
mod listing;
mod provision;
mod settings;
mod uploads;

pub use settings::{Addressing, Authorities, Credentials, SecretKey, Settings};

use self::fault::{cause, is_missing};
use crate::{
    BlobKey, Blobs, Error, Kind, Listed, PartNumber, Plan, Read, Sha256, SignedRequest, Upload,
    Uploads, Validity,
};

/// The files of one server in a bucket.
#[derive(Clone)]
pub struct S3 {
    client: Client,
    /// Knows the address that browsers reach; only signs.
    signer: Client,
    bucket: Box<str>,
    /// Ends with a slash.
    prefix: Box<str>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({}/{})", self.bucket, self.prefix)
    }
}

impl S3 {
    /// Knows where the files of `server` are. Asks nobody: storage that cannot be reached is told by
    /// the first call.
    ///
    /// # Errors
    /// [`Error::Open`] if the settings cannot be used.
    pub fn new(settings: &Settings, server: &ServerId) -> Result<Self, Error> {
        let public = settings.public_endpoint.as_ref();
        Ok(Self {
            client: client::connect(settings, &settings.endpoint)?,
            signer: client::connect(settings, public.unwrap_or(&settings.endpoint))?,
            bucket: settings.bucket.clone(),
            prefix: format!("{}{server}/", settings.prefix).into(),
        })
    }

    fn object(&self, key: &BlobKey) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The key behind an object's name; `None` if the object is none of ours.
    fn key(&self, object: &str) -> Option<BlobKey> {
        object.strip_prefix(&*self.prefix)?.parse().ok()
    }
}

fn lasting(validity: Validity) -> Result<PresigningConfig, Error> {
    PresigningConfig::builder()
        .start_time(validity.from)
        .expires_in(validity.lasts)
        .build()
        .map_err(|error| Error::Sign(error.into()))
}

fn signed(method: &'static str, request: &PresignedRequest) -> SignedRequest {
    let headers = request
        .headers()
        // A browser writes it itself, and lets no page do so.
        .filter(|(name, _)| *name != "content-length")
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    SignedRequest {
        method,
        url: request.uri().to_owned(),
        headers: headers.collect(),
    }
}

#[async_trait]
impl Uploads for S3 {
    async fn begin(&self, key: &BlobKey, content_type: &str, plan: Plan) -> Result<Upload, Error> {
        self.begin_upload(key, content_type, plan).await
    }

    async fn sign_part(
        &self,
        upload: &Upload,
        part: PartNumber,
        digest: &Sha256,
        validity: Validity,
    ) -> Result<SignedRequest, Error> {
        let size = upload.plan.part_bytes(part);
        let size = size.ok_or(Error::NoSuchPart(part))?;
        let request = self
            .signer
            .upload_part()
            .bucket(&*self.bucket)
            .key(self.object(&upload.key))
            .upload_id(&*upload.token)
            .part_number(part.get().into())
            .content_length(i64::try_from(size).map_err(|error| Error::Sign(error.into()))?)
            .checksum_sha256(digest.to_string())
            .presigned(lasting(validity)?)
            .await
            .map_err(|error| Error::Sign(cause(error)))?;
        Ok(signed("PUT", &request))
    }

    async fn arrived(&self, upload: &Upload) -> Result<Vec<PartNumber>, Error> {
        let parts = self.parts(upload).await?.ok_or(Error::UnknownUpload)?;
        Ok(parts.into_iter().map(|part| part.number).collect())
    }

    async fn complete(&self, upload: &Upload, digests: &[Sha256]) -> Result<(), Error> {
        self.complete_upload(upload, digests).await
    }

    async fn abort(&self, upload: &Upload) -> Result<(), Error> {
        self.abort_upload(&self.object(&upload.key), &upload.token)
            .await
    }

    async fn abort_begun_before(&self, unix_ms: u64) -> Result<usize, Error> {
        let mut ended = 0;
        for begun in self.begun_uploads().await? {
            if begun.unix_ms < unix_ms {
                self.abort_upload(&begun.object, &begun.token).await?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}

#[async_trait]
impl Blobs for S3 {
    async fn sign_read(
        &self,
        key: &BlobKey,
        read: &Read,
        validity: Validity,
    ) -> Result<SignedRequest, Error> {
        let request = self
            .signer
            .get_object()
            .bucket(&*self.bucket)
            .key(self.object(key))
            .response_content_type(&*read.content_type)
            .response_content_disposition(read.disposition.header())
            .presigned(lasting(validity)?)
            .await
            .map_err(|error| Error::Sign(cause(error)))?;
        Ok(signed("GET", &request))
    }

    async fn read(&self, key: &BlobKey, at_most: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(last) = at_most.checked_sub(1) else {
            return Ok(Some(Vec::new()));
        };
        let object = self.client.get_object().bucket(&*self.bucket);
        let answer = object
            .key(self.object(key))
            .range(format!("bytes=0-{last}"))
            .send()
            .await;
        let mut body = match answer {
            Ok(object) => object.body,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(Error::Read(cause(error))),
        };
        let most = usize::try_from(at_most).unwrap_or(usize::MAX);
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| Error::Read(error.into()))?;
            // A server that does not know ranges sends all of it.
            let wanted = chunk.len().min(most - bytes.len());
            bytes.extend_from_slice(&chunk[..wanted]);
            if bytes.len() == most {
                break;
            }
        }
        Ok(Some(bytes))
    }

    async fn write(&self, key: &BlobKey, content_type: &str, bytes: Vec<u8>) -> Result<(), Error> {
        self.client
            .put_object()
            .bucket(&*self.bucket)
            .key(self.object(key))
            .content_type(content_type)
            .checksum_sha256(Sha256::of(&bytes).to_string())
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map(drop)
            .map_err(|error| Error::Write(cause(error)))
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), Error> {
        let object = self.client.delete_object().bucket(&*self.bucket);
        match object.key(self.object(key)).send().await {
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(Error::Write(cause(error))),
        }
    }

    async fn list(
        &self,
        kind: Kind,
        after: Option<&BlobKey>,
        limit: u16,
    ) -> Result<Vec<Listed>, Error> {
        self.list_objects(kind, after, limit).await
    }
}
