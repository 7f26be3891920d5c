//! The JSON forms. Message ids are decimal strings, because JavaScript's numbers end at 2^53.

use gryt_model as model;
use gryt_proto::client::v1::Reason;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::refusal;

/// A message of a text channel.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    /// A decimal number: ascending within a channel, the order of the history.
    #[schema(example = "117697183744000000")]
    message_id: String,
    channel_id: String,
    /// The author.
    member_id: String,
    /// At most 4,000 characters of Markdown; none only with files.
    text: String,
    /// At most 10 files.
    attachments: Vec<Attachment>,
    /// The sender's own mark.
    nonce: String,
    /// Milliseconds since 1970.
    created_at_ms: u64,
    /// Milliseconds since 1970; null if never edited.
    edited_at_ms: Option<u64>,
}

impl From<&model::Message> for Message {
    fn from(message: &model::Message) -> Self {
        Self {
            message_id: message.id.to_string(),
            channel_id: message.channel.to_string(),
            member_id: message.author.to_string(),
            text: message.text.as_str().to_owned(),
            attachments: message.attachments.iter().map(Attachment::from).collect(),
            nonce: message.nonce.to_string(),
            created_at_ms: message.created_at_ms,
            edited_at_ms: message.edited_at_ms,
        }
    }
}

/// A file of a message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Attachment {
    file_id: String,
    name: String,
    content_type: String,
    size_bytes: u64,
    /// Pixels, if it is a picture that can be shown and has a thumbnail.
    width: Option<u32>,
    /// As the width.
    height: Option<u32>,
}

impl From<&model::Attachment> for Attachment {
    fn from(attachment: &model::Attachment) -> Self {
        Self {
            file_id: attachment.file.to_string(),
            name: attachment.name.to_string(),
            content_type: attachment.content_type.to_string(),
            size_bytes: attachment.size_bytes,
            width: attachment.picture.map(|(width, _)| width),
            height: attachment.picture.map(|(_, height)| height),
        }
    }
}

/// A piece of a channel's history.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessagePage {
    /// Ascending ids.
    messages: Vec<Message>,
    /// Whether older messages exist: ask again with `before` = the first id.
    has_more: bool,
}

impl From<&gryt_store::Page> for MessagePage {
    fn from(page: &gryt_store::Page) -> Self {
        Self {
            messages: page.messages.iter().map(Message::from).collect(),
            has_more: page.has_more,
        }
    }
}

/// A message to be sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// 1 to 4,000 characters once trimmed; may be empty with files.
    pub(crate) text: String,
    /// Tickets of completed uploads to this channel, at most 10.
    #[serde(default)]
    pub(crate) attachments: Vec<String>,
    /// 1 to 64 visible ASCII characters, chosen by the client. The same nonce twice is one
    /// message, so a request without an answer can be repeated.
    pub(crate) nonce: String,
}

/// A new text for a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageEdit {
    /// 1 to 4,000 characters once trimmed.
    pub(crate) text: String,
}

/// What a channel is for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChannelKind {
    Text,
    Voice,
}

/// A place to write or to talk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Channel {
    channel_id: String,
    name: String,
    kind: ChannelKind,
    /// Ascending order in the channel list.
    position: i32,
    /// Up to this many microphones are heard at once; null in text channels.
    audible_limit: Option<u8>,
}

impl From<&model::Channel> for Channel {
    fn from(channel: &model::Channel) -> Self {
        let (kind, audible_limit) = match channel.kind {
            model::ChannelKind::Text => (ChannelKind::Text, None),
            model::ChannelKind::Voice => (ChannelKind::Voice, Some(channel.audible_limit.get())),
        };
        Self {
            channel_id: channel.id.to_string(),
            name: channel.name.to_string(),
            kind,
            position: channel.position,
            audible_limit,
        }
    }
}

/// The channels that the caller may see.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelList {
    /// In the order of the list.
    pub(crate) channels: Vec<Channel>,
}

/// What a member is on the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Owner,
    Admin,
    Moderator,
    Member,
    Guest,
}

/// A person of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    member_id: String,
    name: String,
    role: Role,
    /// Silenced by a moderator, in every room.
    server_muted: bool,
}

impl From<&model::Member> for Member {
    fn from(member: &model::Member) -> Self {
        let role = match member.role {
            model::Role::Owner => Role::Owner,
            model::Role::Admin => Role::Admin,
            model::Role::Moderator => Role::Moderator,
            model::Role::Member => Role::Member,
            model::Role::Guest => Role::Guest,
        };
        Self {
            member_id: member.id.to_string(),
            name: member.name.to_string(),
            role,
            server_muted: member.server_muted,
        }
    }
}

/// Everyone on the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberList {
    /// By id.
    pub(crate) members: Vec<Member>,
}

/// Why a request was refused. Written by `refusal`, described here.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a description of what `refusal` writes")]
pub(crate) struct Problem {
    /// For programs. The same list serves the socket.
    #[schema(schema_with = codes)]
    code: String,
    /// An English sentence.
    message: String,
    /// Names the request in the server's log; also in the header `x-request-id`.
    request_id: String,
}

/// Beyond the highest number of a reason.
const MOST_CODES: i32 = 1_000;

fn codes() -> ObjectBuilder {
    // Each area of the wire file has numbers of its own, so there are gaps.
    let reasons = (1..MOST_CODES).filter_map(|number| Reason::try_from(number).ok());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(reasons.map(refusal::code)))
}
