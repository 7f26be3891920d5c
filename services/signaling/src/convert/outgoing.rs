//! Nouns become frames.

use std::time::{SystemTime, UNIX_EPOCH};

use gryt_issuer::{Invite, MadeInvite};
use gryt_model::{Attachment, Channel, ChannelKind, Member, Message, Role};
use gryt_proto::client::v1 as wire;
use gryt_store::Page;

pub(crate) fn channel(channel: &Channel) -> wire::Channel {
    let (kind, audible_limit) = match channel.kind {
        ChannelKind::Text => (wire::ChannelKind::Text, 0),
        ChannelKind::Voice => (
            wire::ChannelKind::Voice,
            u32::from(channel.audible_limit.get()),
        ),
    };
    wire::Channel {
        channel_id: channel.id.to_string(),
        name: channel.name.to_string(),
        kind: kind.into(),
        position: channel.position,
        audible_limit,
    }
}

pub(crate) fn member(member: &Member) -> wire::Member {
    let role = match member.role {
        Role::Owner => wire::Role::Owner,
        Role::Admin => wire::Role::Admin,
        Role::Moderator => wire::Role::Moderator,
        Role::Member => wire::Role::Member,
        Role::Guest => wire::Role::Guest,
    };
    wire::Member {
        member_id: member.id.to_string(),
        name: member.name.to_string(),
        role: role.into(),
        server_muted: member.server_muted,
    }
}

pub(crate) fn message(message: &Message) -> wire::Message {
    wire::Message {
        message_id: message.id.get(),
        channel_id: message.channel.to_string(),
        member_id: message.author.to_string(),
        text: message.text.as_str().to_owned(),
        nonce: message.nonce.to_string(),
        created_at_ms: milliseconds(message.created_at_ms),
        edited_at_ms: message.edited_at_ms.map_or(0, milliseconds),
        attachments: message.attachments.iter().map(attachment).collect(),
    }
}

fn attachment(attachment: &Attachment) -> wire::Attachment {
    let (width, height) = attachment.picture.unwrap_or_default();
    wire::Attachment {
        file_id: attachment.file.to_string(),
        name: attachment.name.to_string(),
        content_type: attachment.content_type.to_string(),
        size_bytes: attachment.size_bytes,
        width,
        height,
    }
}

pub(crate) fn message_page(page: &Page) -> wire::MessagePage {
    wire::MessagePage {
        messages: page.messages.iter().map(message).collect(),
        has_more: page.has_more,
    }
}

pub(crate) fn participant(
    room: &gryt_model::RoomId,
    participant: &gryt_rooms::Participant,
) -> wire::Participant {
    wire::Participant {
        participant_id: participant.id.get(),
        member_id: participant.holder.member.to_string(),
        channel_id: room.channel.to_string(),
        muted: participant.holder.voice.muted,
        deafened: participant.holder.voice.deafened,
        listen_only: participant.holder.voice.listen_only,
    }
}

pub(crate) fn invite(invite: &Invite) -> wire::Invite {
    wire::Invite {
        invite_id: invite.id.to_string(),
        member_id: invite.made_by.to_string(),
        created_at_ms: wall_milliseconds(invite.made_at),
        expires_at_ms: wall_milliseconds(invite.expires_at),
        max_uses: invite.max_uses,
        uses: invite.uses,
    }
}

pub(crate) fn created_invite(made: &MadeInvite) -> wire::CreatedInvite {
    wire::CreatedInvite {
        invite: Some(invite(&made.invite)),
        path: format!("/invite/{}", made.token),
    }
}

fn wall_milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn milliseconds(since_1970: u64) -> i64 {
    i64::try_from(since_1970).unwrap_or(i64::MAX)
}
