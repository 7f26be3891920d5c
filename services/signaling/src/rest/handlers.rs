//! One handler per path and method: read, ask `operations`, write.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::body::{
    Channel, ChannelList, Member, MemberList, Message, MessageEdit, MessagePage, NewMessage,
    Problem,
};
use super::door::{AtMessage, Body, Caller, InChannel, Piece, Reader};
use super::reply::Answer;
use crate::operations::{EditDraft, PageRequest, SendDraft};
use crate::shared::Shared;

/// Lists the channels.
#[utoipa::path(
    get, path = "/api/v1/channels", tag = "channels", operation_id = "listChannels",
    responses(
        (status = 200, description = "The channels that you may see.", body = ChannelList),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn channels(
    State(shared): State<Arc<Shared>>,
    Reader(me): Reader,
) -> Answer<Json<ChannelList>> {
    let channels = shared.operations.channels(&me).await?;
    Ok(Json(ChannelList {
        channels: channels.iter().map(Channel::from).collect(),
    }))
}

/// Lists the members.
#[utoipa::path(
    get, path = "/api/v1/members", tag = "members", operation_id = "listMembers",
    responses(
        (status = 200, description = "Everyone on the server.", body = MemberList),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn members(
    State(shared): State<Arc<Shared>>,
    Reader(me): Reader,
) -> Answer<Json<MemberList>> {
    let members = shared.operations.members(&me).await?;
    Ok(Json(MemberList {
        members: members.iter().map(Member::from).collect(),
    }))
}

/// Reads a piece of a channel's history.
#[utoipa::path(
    get, path = "/api/v1/channels/{channel_id}/messages", tag = "messages",
    operation_id = "listMessages",
    params(
        ("channel_id" = String, Path, description = "A text channel."),
        ("before" = Option<String>, Query,
            description = "Only messages with a smaller id, the newest of them. Without it the newest of all."),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100,
            description = "How many at most; 50 if left out."),
    ),
    responses(
        (status = 200, description = "The messages, oldest first.", body = MessagePage),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn messages(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    InChannel(channel): InChannel,
    Piece { before, limit }: Piece,
) -> Answer<Json<MessagePage>> {
    let request = PageRequest {
        channel,
        before,
        limit,
    };
    let page = shared.operations.fetch_messages(&me, request).await?;
    Ok(Json(MessagePage::from(&page)))
}

/// Sends a message. It is on disk when the answer comes.
#[utoipa::path(
    post, path = "/api/v1/channels/{channel_id}/messages", tag = "messages",
    operation_id = "sendMessage",
    params(("channel_id" = String, Path, description = "A text channel.")),
    request_body = NewMessage,
    responses(
        (status = 201, body = Message,
            description = "The message; with a nonce that was used before, the one of that time."),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn send_message(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    InChannel(channel): InChannel,
    Body(NewMessage {
        text,
        attachments,
        nonce,
    }): Body<NewMessage>,
) -> Answer<(StatusCode, Json<Message>)> {
    let draft = SendDraft {
        channel,
        text,
        nonce: nonce.parse()?,
        attachments,
    };
    let message = shared.operations.send_message(&me, draft).await?;
    Ok((StatusCode::CREATED, Json(Message::from(&message))))
}

/// Replaces the text of one of your messages.
#[utoipa::path(
    patch, path = "/api/v1/channels/{channel_id}/messages/{message_id}", tag = "messages",
    operation_id = "editMessage",
    params(
        ("channel_id" = String, Path, description = "A text channel."),
        ("message_id" = String, Path, description = "Your message."),
    ),
    request_body = MessageEdit,
    responses(
        (status = 200, description = "The message as it is then.", body = Message),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn edit_message(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    AtMessage(channel, message): AtMessage,
    Body(MessageEdit { text }): Body<MessageEdit>,
) -> Answer<Json<Message>> {
    let draft = EditDraft {
        channel,
        message,
        text,
    };
    let message = shared.operations.edit_message(&me, draft).await?;
    Ok(Json(Message::from(&message)))
}

/// Deletes one of your messages, or anybody's with the permission to manage messages.
#[utoipa::path(
    delete, path = "/api/v1/channels/{channel_id}/messages/{message_id}", tag = "messages",
    operation_id = "deleteMessage",
    params(
        ("channel_id" = String, Path, description = "A text channel."),
        ("message_id" = String, Path, description = "The message."),
    ),
    responses(
        (status = 204, description = "The message is gone."),
        (status = "default", description = "Refused.", body = Problem),
    ),
)]
pub(crate) async fn delete_message(
    State(shared): State<Arc<Shared>>,
    Caller(me): Caller,
    AtMessage(channel, message): AtMessage,
) -> Answer<StatusCode> {
    shared
        .operations
        .delete_message(&me, &channel, message)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
