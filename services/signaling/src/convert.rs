//! Between the wire and the nouns. Bad input dies here.

mod incoming;
mod outgoing;

pub(crate) use incoming::{
    answer, channel_create, channel_id, channel_update, delete_draft, edit_draft, invite_draft,
    invite_revocation, member_mute, page_request, role, send_draft, voice_join, voice_state,
};
pub(crate) use outgoing::{
    channel, created_invite, invite, member, message, message_page, participant,
};
