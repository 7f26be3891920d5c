//! What comes in: who asks, and bodies, paths and queries that were read. Bad input dies here.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use gryt_blobs::Kind;
use gryt_chat::Act;
use gryt_model::{ChannelId, Member, MessageId};
use gryt_proto::client::v1::Reason;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reply::Refused;
use crate::clock;
use crate::operations::FileRequest;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// The member whose token the request bears.
pub(crate) struct Caller(pub(crate) Member);

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let token = bearer(&parts.headers)?;
        let claims = shared.verifier.verify(token, clock::wall()).await?;
        Ok(Self(shared.operations.sign_in(&claims).await?))
    }
}

/// RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(|| {
            Refusal::new(
                Reason::Unauthenticated,
                "The token is missing: Authorization: Bearer <jwt>.",
            )
        })
}

/// A member who asks for a list. Lists share the allowance for reading history.
pub(crate) struct Reader(pub(crate) Member);

impl FromRequestParts<Arc<Shared>> for Reader {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let Caller(member) = Caller::from_request_parts(parts, shared).await?;
        shared.operations.take(&member, Act::Fetch).await?;
        Ok(Self(member))
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let Json(body) =
            Json::from_request(request, shared)
                .await
                .map_err(|rejection: JsonRejection| {
                    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                        return Refusal::new(Reason::TooLarge, "The body is over 64 KiB.");
                    }
                    unreadable(rejection.body_text())
                })?;
        Ok(Self(body))
    }
}

/// `{channel_id}` of the path.
pub(crate) struct InChannel(pub(crate) ChannelId);

impl FromRequestParts<Arc<Shared>> for InChannel {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let Path(channel) = path::<String>(parts, shared).await?;
        Ok(Self(channel.parse()?))
    }
}

/// `{channel_id}` and `{message_id}` of the path.
pub(crate) struct AtMessage(pub(crate) ChannelId, pub(crate) MessageId);

impl FromRequestParts<Arc<Shared>> for AtMessage {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        let Path((channel, message)) = path::<(String, String)>(parts, shared).await?;
        Ok(Self(channel.parse()?, message.parse()?))
    }
}

/// A file of a message: `{channel_id}`, `{message_id}` and `{file_id}` of the path, `?thumbnail=`.
pub(crate) struct OfMessage(pub(crate) FileRequest);

impl FromRequestParts<Arc<Shared>> for OfMessage {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            #[serde(default)]
            thumbnail: bool,
        }
        let Path((channel, message, file)) =
            path::<(String, String, String)>(parts, shared).await?;
        let Query(raw) = Query::<Raw>::from_request_parts(parts, shared)
            .await
            .map_err(|rejection: QueryRejection| unreadable(rejection.body_text()))?;
        Ok(Self(FileRequest {
            channel: channel.parse()?,
            message: message.parse()?,
            file: file.parse()?,
            kind: if raw.thumbnail {
                Kind::Thumbnail
            } else {
                Kind::File
            },
        }))
    }
}

/// Which piece of a channel's history: `?before=&limit=`.
pub(crate) struct Piece {
    pub(crate) before: Option<MessageId>,
    pub(crate) limit: u32,
}

/// Enough for a screen.
const DEFAULT_LIMIT: u32 = 50;

impl FromRequestParts<Arc<Shared>> for Piece {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refused> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Raw {
            before: Option<String>,
            limit: Option<u32>,
        }
        let Query(raw) = Query::<Raw>::from_request_parts(parts, shared)
            .await
            .map_err(|rejection: QueryRejection| unreadable(rejection.body_text()))?;
        let before = raw.before.as_deref().map(str::parse).transpose();
        Ok(Self {
            before: before?,
            limit: raw.limit.unwrap_or(DEFAULT_LIMIT),
        })
    }
}

async fn path<T: DeserializeOwned + Send>(
    parts: &mut Parts,
    shared: &Arc<Shared>,
) -> Result<Path<T>, Refusal> {
    Path::from_request_parts(parts, shared)
        .await
        .map_err(|rejection: PathRejection| unreadable(rejection.body_text()))
}

/// The reader's sentence names the field; cut, because it can quote what it read.
fn unreadable(sentence: String) -> Refusal {
    const LONGEST_CHARS: usize = 200;
    match sentence.char_indices().nth(LONGEST_CHARS) {
        None => Refusal::malformed(sentence),
        Some((end, _)) => Refusal::malformed(sentence[..end].to_owned()),
    }
}
