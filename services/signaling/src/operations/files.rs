//! Files: begin an upload, go on with it, complete it, read what a message has.
//!
//! What a client holds between these are tickets; nothing is kept of a file before its message.

use gryt_blobs::{
    Disposition, Error as BlobError, Kind, PartNumber, Plan, Read, Sha256, SignedRequest,
};
use gryt_chat::{Act, FileDraft, Showing, inspect, showing};
use gryt_model::{Attachment, ChannelId, FileId, Member, MessageId};
use gryt_proto::client::v1::Reason;

use super::messages::unknown_message;
use super::{Operations, storage};
use crate::entropy;
use crate::files::{
    AttachmentTicket, BEGINNING_BYTES, FileShelf, UploadTicket, key, picture_size, thumbnail_type,
};
use crate::refusal::Refusal;

/// A file to be uploaded, as its sender describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadDraft {
    pub(crate) channel: ChannelId,
    pub(crate) name: String,
    pub(crate) content_type: String,
    pub(crate) size_bytes: u64,
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BegunUpload {
    /// What the client goes on with.
    pub(crate) ticket: String,
    pub(crate) plan: Plan,
}

/// A file that waits for its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompletedUpload {
    /// What the client sends with the message.
    pub(crate) ticket: String,
    pub(crate) attachment: Attachment,
}

/// Which file of which message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileRequest {
    pub(crate) channel: ChannelId,
    pub(crate) message: MessageId,
    pub(crate) file: FileId,
    pub(crate) kind: Kind,
}

/// The most parts that are signed at once.
pub(crate) const PARTS_AT_ONCE: usize = 32;

impl Operations {
    /// Begins an upload to a channel.
    pub(crate) async fn begin_upload(
        &self,
        actor: &Member,
        draft: UploadDraft,
    ) -> Result<BegunUpload, Refusal> {
        let shelf = self.shelf()?;
        self.take(actor, Act::Upload).await?;
        let place = self.channel(&draft.channel).await?;
        let described = FileDraft {
            channel: &place,
            name: &draft.name,
            content_type: &draft.content_type,
            size_bytes: draft.size_bytes,
        };
        let file = gryt_chat::admit(described, actor, shelf.limit_bytes)?;
        let plan = Plan::new(file.size_bytes).ok_or(gryt_chat::Refusal::FileTooLarge)?;
        let key = key(Kind::File, &FileId::from_random(entropy::bits()));
        let upload = shelf.blobs.begin(&key, file.content_type.as_str(), plan);
        let ticket = UploadTicket {
            upload: upload.await.map_err(blobs)?,
            file,
            channel: draft.channel,
            member: actor.id.clone(),
        };
        Ok(BegunUpload {
            ticket: shelf.tickets.seal_upload(&ticket),
            plan,
        })
    }

    /// Signs parts, each with its digest.
    pub(crate) async fn sign_parts(
        &self,
        actor: &Member,
        ticket: &str,
        parts: &[(PartNumber, Sha256)],
    ) -> Result<Vec<(PartNumber, SignedRequest)>, Refusal> {
        let (shelf, ticket) = self.upload(actor, ticket).await?;
        if parts.len() > PARTS_AT_ONCE {
            return Err(Refusal::malformed("At most 32 parts are signed at once."));
        }
        let mut signed = Vec::new();
        for (part, digest) in parts {
            let validity = FileShelf::part_validity();
            let request = shelf
                .blobs
                .sign_part(&ticket.upload, *part, digest, validity);
            signed.push((*part, request.await.map_err(blobs)?));
        }
        Ok(signed)
    }

    /// Tells which parts have arrived.
    pub(crate) async fn arrived_parts(
        &self,
        actor: &Member,
        ticket: &str,
    ) -> Result<Vec<PartNumber>, Refusal> {
        let (shelf, ticket) = self.upload(actor, ticket).await?;
        shelf.blobs.arrived(&ticket.upload).await.map_err(blobs)
    }

    /// Makes a file of the parts, if it is what it was said to be. Twice is once.
    pub(crate) async fn complete_upload(
        &self,
        actor: &Member,
        ticket: &str,
        digests: &[Sha256],
    ) -> Result<CompletedUpload, Refusal> {
        let (shelf, ticket) = self.upload(actor, ticket).await?;
        let UploadTicket {
            upload,
            file,
            channel,
            member,
        } = ticket;
        let completed = shelf.blobs.complete(&upload, digests).await;
        completed.map_err(blobs)?;
        let shown = showing(&file.content_type);
        let mut picture = None;
        if shown != Showing::Saved {
            let beginning = shelf.blobs.read(&upload.key, BEGINNING_BYTES).await;
            let beginning = beginning.map_err(blobs)?.ok_or_else(unknown_file)?;
            if let Err(refusal) = inspect(&file.content_type, &beginning) {
                shelf.blobs.delete(&upload.key).await.map_err(blobs)?;
                return Err(refusal.into());
            }
            picture = picture_size(&file.content_type, &beginning);
        }
        let attachment = Attachment {
            file: upload.key.id,
            name: file.name,
            content_type: file.content_type,
            size_bytes: file.size_bytes,
            picture,
        };
        shelf.thumbnails.want(&attachment);
        let ticket = AttachmentTicket {
            attachment,
            channel,
            member,
        };
        Ok(CompletedUpload {
            ticket: shelf.tickets.seal_attachment(&ticket),
            attachment: ticket.attachment,
        })
    }

    /// Ends an upload and forgets its parts.
    pub(crate) async fn abort_upload(&self, actor: &Member, ticket: &str) -> Result<(), Refusal> {
        let (shelf, ticket) = self.upload(actor, ticket).await?;
        shelf.blobs.abort(&ticket.upload).await.map_err(blobs)
    }

    /// The files of a message that is to be sent: the sender's own, for this channel.
    pub(super) fn attachments(
        &self,
        actor: &Member,
        channel: &ChannelId,
        tickets: &[String],
    ) -> Result<Vec<Attachment>, Refusal> {
        if tickets.is_empty() {
            return Ok(Vec::new());
        }
        // Before each is looked at: how many a frame can hold is not bounded by the rules.
        if tickets.len() > Attachment::MAX_PER_MESSAGE {
            return Err(gryt_chat::Refusal::TooManyFiles.into());
        }
        let shelf = self.shelf()?;
        let open = |text: &String| {
            let ticket = shelf.tickets.open_attachment(text);
            let ticket = ticket.map_err(|_| unknown_file())?;
            if ticket.member != actor.id || ticket.channel != *channel {
                return Err(unknown_file());
            }
            Ok(ticket.attachment)
        };
        tickets.iter().map(open).collect()
    }

    /// Signs a link to a file, or to its thumbnail, for somebody who may read its message.
    pub(crate) async fn link(
        &self,
        actor: &Member,
        request: FileRequest,
    ) -> Result<SignedRequest, Refusal> {
        let FileRequest {
            channel,
            message,
            file,
            kind,
        } = request;
        let shelf = self.shelf()?;
        self.take(actor, Act::Transfer).await?;
        let place = self.channel(&channel).await?;
        gryt_chat::read(&place, actor)?;
        let message = self.store.message(&channel, message).await;
        let message = message.map_err(storage)?.ok_or_else(unknown_message)?;
        let mut files = message.attachments.iter();
        let attachment = files.find(|attachment| attachment.file == file);
        let attachment = attachment.ok_or_else(unknown_file)?;
        let key = key(kind, &file);
        if kind == Kind::Thumbnail && shelf.blobs.read(&key, 1).await.map_err(blobs)?.is_none() {
            // It waits for its turn, or was dropped from a full queue.
            shelf.thumbnails.want(attachment);
            return Err(unknown_file());
        }
        let read = answer(attachment, kind);
        let validity = FileShelf::link_validity();
        let signed = shelf.blobs.sign_read(&key, &read, validity).await;
        signed.map_err(blobs)
    }

    /// Removes the files of a message that was deleted, some time later. What fails is swept.
    pub(super) fn discard_files(&self, attachments: Vec<Attachment>) {
        let Some(shelf) = self.files.clone().filter(|_| !attachments.is_empty()) else {
            return;
        };
        let store = std::sync::Arc::clone(&self.store);
        tokio::spawn(async move {
            for attachment in attachments {
                if let Err(error) = shelf.discard(&*store, &attachment.file).await {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, file = %attachment.file, "a file is left to the sweep");
                }
            }
        });
    }

    fn shelf(&self) -> Result<&FileShelf, Refusal> {
        self.files
            .as_deref()
            .ok_or_else(|| Refusal::new(Reason::NoFiles, "This server keeps no files."))
    }

    /// Opens a ticket of the caller's own.
    async fn upload(
        &self,
        actor: &Member,
        ticket: &str,
    ) -> Result<(&FileShelf, UploadTicket), Refusal> {
        let shelf = self.shelf()?;
        self.take(actor, Act::Transfer).await?;
        let ticket = shelf.tickets.open_upload(ticket);
        let ticket = ticket.map_err(|_| unknown_file())?;
        if ticket.member != actor.id {
            return Err(unknown_file());
        }
        Ok((shelf, ticket))
    }
}

/// How a browser is told to treat it. What is not shown is saved, as a type that nothing opens.
fn answer(attachment: &Attachment, kind: Kind) -> Read {
    let shown = match (kind, showing(&attachment.content_type)) {
        (Kind::Thumbnail, _) => Some(thumbnail_type(&attachment.content_type)),
        (Kind::File, Showing::Media) => Some(attachment.content_type.as_str()),
        // One with too many pixels is not for showing.
        (Kind::File, Showing::Picture) => {
            attachment.picture.map(|_| attachment.content_type.as_str())
        }
        (Kind::File, Showing::Saved) => None,
    };
    match shown {
        Some(content_type) => Read {
            content_type: content_type.into(),
            disposition: Disposition::Inline,
        },
        None => Read {
            content_type: "application/octet-stream".into(),
            disposition: Disposition::Attachment {
                name: attachment.name.as_str().into(),
            },
        },
    }
}

pub(super) fn unknown_file() -> Refusal {
    Refusal::new(Reason::UnknownFile, "There is no such file or upload.")
}

/// What the storage says, as far as it is the caller's business.
#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn blobs(error: BlobError) -> Refusal {
    match &error {
        BlobError::UnknownUpload => unknown_file(),
        BlobError::NoSuchPart(_) => Refusal::malformed("The upload has no such part."),
        BlobError::MissingParts(parts) => Refusal::new(
            Reason::UploadIncomplete,
            format!("{} parts have not arrived.", parts.len()),
        ),
        BlobError::OtherParts => Refusal::new(
            Reason::UploadIncomplete,
            "The parts are not the ones that were announced.",
        ),
        BlobError::Sign(_) | BlobError::Read(_) | BlobError::Write(_) | BlobError::Open(_) => {
            Refusal::internal("use the file storage", &error)
        }
    }
}
