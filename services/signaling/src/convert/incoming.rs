//! Frames become drafts, or a refusal that says which field is wrong.

use std::str::FromStr;
use std::time::Duration;

use gryt_model::{
    AudibleLimit, ChannelId, ChannelKind, ChannelName, InvalidId, InviteId, MemberId, MessageId,
    Role,
};
use gryt_proto::client::v1 as wire;
use gryt_rooms::VoiceState;

use crate::operations::{ChannelUpdate, EditDraft, InviteDraft, PageRequest, SendDraft};
use crate::refusal::Refusal;

/// The largest SDP answer, in bytes. Browsers send 2 to 20 KiB.
const SDP_MAX_BYTES: usize = 48 * 1024;

pub(crate) fn send_draft(request: wire::SendMessage) -> Result<SendDraft, Refusal> {
    Ok(SendDraft {
        channel: id(&request.channel_id)?,
        nonce: id(&request.nonce)?,
        text: request.text,
        attachments: request.attachments,
    })
}

pub(crate) fn edit_draft(request: wire::EditMessage) -> Result<EditDraft, Refusal> {
    Ok(EditDraft {
        channel: id(&request.channel_id)?,
        message: MessageId::new(request.message_id),
        text: request.text,
    })
}

pub(crate) fn delete_draft(
    request: &wire::DeleteMessage,
) -> Result<(ChannelId, MessageId), Refusal> {
    Ok((id(&request.channel_id)?, MessageId::new(request.message_id)))
}

pub(crate) fn page_request(request: &wire::FetchMessages) -> Result<PageRequest, Refusal> {
    Ok(PageRequest {
        channel: id(&request.channel_id)?,
        before: (request.before_message_id != 0).then(|| MessageId::new(request.before_message_id)),
        limit: request.limit,
    })
}

pub(crate) fn voice_join(request: &wire::JoinVoice) -> Result<(ChannelId, VoiceState), Refusal> {
    let voice = VoiceState {
        muted: request.muted,
        deafened: request.deafened,
        listen_only: request.listen_only,
    };
    Ok((id(&request.channel_id)?, voice))
}

pub(crate) fn voice_state(request: wire::SetVoiceState) -> VoiceState {
    VoiceState {
        muted: request.muted,
        deafened: request.deafened,
        listen_only: false,
    }
}

pub(crate) fn answer(request: &wire::AnswerOffer) -> Result<ChannelId, Refusal> {
    if request.sdp.len() > SDP_MAX_BYTES {
        return Err(Refusal::new(
            wire::Reason::TooLarge,
            "The SDP answer is too long.",
        ));
    }
    id(&request.channel_id)
}

pub(crate) fn channel_id(text: &str) -> Result<ChannelId, Refusal> {
    id(text)
}

pub(crate) fn member_mute(request: &wire::MuteMember) -> Result<MemberId, Refusal> {
    id(&request.member_id)
}

pub(crate) fn channel_create(
    request: &wire::CreateChannel,
) -> Result<(ChannelName, ChannelKind), Refusal> {
    let kind = match request.kind() {
        wire::ChannelKind::Text => ChannelKind::Text,
        wire::ChannelKind::Voice => ChannelKind::Voice,
        wire::ChannelKind::Unspecified => {
            return Err(Refusal::malformed("A channel is text or voice."));
        }
    };
    Ok((id(&request.name)?, kind))
}

pub(crate) fn channel_update(request: &wire::UpdateChannel) -> Result<ChannelUpdate, Refusal> {
    let limit = |value| {
        AudibleLimit::new(value)
            .ok_or_else(|| Refusal::malformed("The audible limit is a number from 1 to 32."))
    };
    Ok(ChannelUpdate {
        channel: id(&request.channel_id)?,
        name: request.name.as_deref().map(id).transpose()?,
        audible_limit: request.audible_limit.map(limit).transpose()?,
    })
}

pub(crate) fn invite_draft(request: wire::CreateInvite) -> Result<InviteDraft, Refusal> {
    const HOUR: u32 = 3_600;
    let seconds = match request.lifetime_seconds {
        0 => 7 * 24 * HOUR,
        seconds if (HOUR..=30 * 24 * HOUR).contains(&seconds) => seconds,
        _ => {
            return Err(Refusal::malformed(
                "An invite is good for 1 hour to 30 days.",
            ));
        }
    };
    let max_uses = match request.max_uses {
        0 => 1,
        uses if uses <= 100 => uses,
        _ => return Err(Refusal::malformed("An invite is good for 1 to 100 people.")),
    };
    Ok(InviteDraft {
        life: Duration::from_secs(seconds.into()),
        max_uses,
    })
}

pub(crate) fn invite_revocation(request: &wire::RevokeInvite) -> Result<InviteId, Refusal> {
    id(&request.invite_id)
}

/// A role that an event tells of; none for one that a newer server made up.
pub(crate) fn role(role: wire::Role) -> Option<Role> {
    match role {
        wire::Role::Owner => Some(Role::Owner),
        wire::Role::Admin => Some(Role::Admin),
        wire::Role::Moderator => Some(Role::Moderator),
        wire::Role::Member => Some(Role::Member),
        wire::Role::Guest => Some(Role::Guest),
        wire::Role::Unspecified => None,
    }
}

fn id<T: FromStr<Err = InvalidId>>(text: &str) -> Result<T, Refusal> {
    text.parse()
        .map_err(|error: InvalidId| Refusal::malformed(error.to_string()))
}
