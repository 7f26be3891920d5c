//! The doors for files: begin an upload, have parts signed, complete it, read. The bytes go to the
//! file storage itself, or to `blob_doors` where that is a folder of ours.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use gryt_blobs::{PartNumber, Plan, Sha256};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Attachment, Problem};
use super::door::{Body, Caller, InChannel, OfMessage};
use super::reply::Answer;
use crate::operations::UploadDraft;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// A file to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUpload {
    /// What it is called; folders and what nobody sees are left out.
    name: String,
    /// What it is, such as `image/png`; files that are shown must begin like their type.
    content_type: String,
    /// Its exact size.
    #[schema(minimum = 1)]
    size_bytes: u64,
}

/// An upload under way.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BegunUpload {
    /// Names the upload in all further requests; good for 24 hours.
    upload: String,
    /// How many parts it has.
    parts: u16,
    /// The size of every part but the last.
    part_bytes: u64,
}

/// Which upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadName {
    /// As it was answered when the upload was begun.
    upload: String,
}

/// Parts to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartsToSign {
    /// As it was answered when the upload was begun.
    upload: String,
    /// At most 32.
    parts: Vec<PartToSign>,
}

/// A part to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartToSign {
    /// From 1 on.
    part: u32,
    /// The SHA-256 of its bytes, in base64.
    sha256: String,
}

/// Requests that the client carries out, each with the bytes of its part as body.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedParts {
    parts: Vec<SignedPart>,
}

/// A request that the client carries out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedPart {
    part: u16,
    method: &'static str,
    /// Absolute, or a path on this server.
    url: String,
    /// Names and values to be sent just so.
    headers: Vec<(String, String)>,
}

/// Parts that need not be sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ArrivedParts {
    parts: Vec<u16>,
}

/// All parts have been sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadEnd {
    /// As it was answered when the upload was begun.
    upload: String,
    /// The SHA-256 of every part, in base64 and in order.
    sha256: Vec<String>,
}

/// A file that waits for its message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CompletedUpload {
    /// To be sent as one of a message's attachments within 24 hours.
    ticket: String,
    attachment: Attachment,
}

/// Where a file can be read for some minutes, without a token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// Absolute, or a path on this server.
    url: String,
}

/// Begins an upload.
#[utoipa::path(
    post, path = "/api/v1/channels/{channel_id}/uploads", tag = "files",
    operation_id = "beginUpload",
    params(("channel_id" = String, Path, description = "The text channel of its message.")),
    request_body = NewUpload,
    responses(
        (status = 201, description = "Send its parts.", body = BegunUpload),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn begin(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    InChannel(channel): InChannel,
    Body(new): Body<NewUpload>,
) -> Answer<(StatusCode, Json<BegunUpload>)> {
    let draft = UploadDraft {
        channel,
        name: new.name,
        content_type: new.content_type,
        size_bytes: new.size_bytes,
    };
    let begun = shared.operations.begin_upload(&me, draft).await?;
    let body = BegunUpload {
        upload: begun.ticket,
        parts: begun.plan.count(),
        part_bytes: Plan::PART_BYTES,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Signs parts of an upload.
#[utoipa::path(
    post, path = "/api/v1/uploads/parts", tag = "files", operation_id = "signParts",
    request_body = PartsToSign,
    responses(
        (status = 200, description = "One request for each part; good for 30 minutes.", body = SignedParts),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn sign(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    Body(PartsToSign { upload, parts }): Body<PartsToSign>,
) -> Answer<Json<SignedParts>> {
    let wanted = parts.iter().map(|part| {
        let number = PartNumber::new(part.part)
            .ok_or_else(|| Refusal::malformed("Parts are numbered from 1 to 10000."))?;
        Ok((number, digest(&part.sha256)?))
    });
    let wanted: Vec<_> = wanted.collect::<Result<_, Refusal>>()?;
    let signed = shared.operations.sign_parts(&me, &upload, &wanted).await?;
    let parts = signed.into_iter().map(|(part, request)| SignedPart {
        part: part.get(),
        method: request.method,
        url: request.url,
        headers: request.headers,
    });
    Ok(Json(SignedParts {
        parts: parts.collect(),
    }))
}

/// Tells which parts of an upload have arrived, for whoever goes on with it.
#[utoipa::path(
    post, path = "/api/v1/uploads/arrived", tag = "files", operation_id = "listArrivedParts",
    request_body = UploadName,
    responses(
        (status = 200, description = "Their numbers, ascending.", body = ArrivedParts),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn arrived(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    Body(UploadName { upload }): Body<UploadName>,
) -> Answer<Json<ArrivedParts>> {
    let arrived = shared.operations.arrived_parts(&me, &upload).await?;
    Ok(Json(ArrivedParts {
        parts: arrived.into_iter().map(PartNumber::get).collect(),
    }))
}

/// Makes a file of the parts.
#[utoipa::path(
    post, path = "/api/v1/uploads/complete", tag = "files", operation_id = "completeUpload",
    request_body = UploadEnd,
    responses(
        (status = 200, description = "Send a message with it.", body = CompletedUpload),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn complete(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    Body(UploadEnd { upload, sha256 }): Body<UploadEnd>,
) -> Answer<Json<CompletedUpload>> {
    let digests = sha256.iter().map(|text| digest(text));
    let digests: Vec<_> = digests.collect::<Result<_, Refusal>>()?;
    let completed = shared.operations.complete_upload(&me, &upload, &digests);
    let completed = completed.await?;
    Ok(Json(CompletedUpload {
        ticket: completed.ticket,
        attachment: Attachment::from(&completed.attachment),
    }))
}

/// Ends an upload that is not wanted any more.
#[utoipa::path(
    post, path = "/api/v1/uploads/abort", tag = "files", operation_id = "abortUpload",
    request_body = UploadName,
    responses(
        (status = 204, description = "Its parts are gone."),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn abort(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    Body(UploadName { upload }): Body<UploadName>,
) -> Answer<StatusCode> {
    shared.operations.abort_upload(&me, &upload).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leads to a file of a message.
#[utoipa::path(
    get, path = "/api/v1/channels/{channel_id}/messages/{message_id}/files/{file_id}",
    tag = "files", operation_id = "readFile",
    params(
        ("channel_id" = String, Path, description = "A text channel."),
        ("message_id" = String, Path, description = "The message."),
        ("file_id" = String, Path, description = "One of its files."),
        ("thumbnail" = Option<bool>, Query, description = "A small picture of it instead."),
    ),
    responses(
        (status = 307, description = "It is there, for some minutes."),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn read(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    OfMessage(request): OfMessage,
) -> Answer<impl IntoResponse> {
    let signed = shared.operations.link(&me, request).await?;
    Ok((
        StatusCode::TEMPORARY_REDIRECT,
        [(header::LOCATION, signed.url)],
    ))
}

/// Tells where a file of a message is: for pages, which cannot read where a redirect leads.
#[utoipa::path(
    get, path = "/api/v1/channels/{channel_id}/messages/{message_id}/files/{file_id}/link",
    tag = "files", operation_id = "linkFile",
    params(
        ("channel_id" = String, Path, description = "A text channel."),
        ("message_id" = String, Path, description = "The message."),
        ("file_id" = String, Path, description = "One of its files."),
        ("thumbnail" = Option<bool>, Query, description = "A small picture of it instead."),
    ),
    responses(
        (status = 200, description = "Where it is, for some minutes.", body = Link),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn link(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    OfMessage(request): OfMessage,
) -> Answer<Json<Link>> {
    let signed = shared.operations.link(&me, request).await?;
    Ok(Json(Link { url: signed.url }))
}

fn digest(text: &str) -> Result<Sha256, Refusal> {
    text.parse()
        .map_err(|_| Refusal::malformed("A digest is a SHA-256 in base64."))
}
