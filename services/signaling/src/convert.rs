//! Between the wire and the nouns. Bad input dies here.

mod incoming;
mod outgoing;

pub(crate) use incoming::{
    answer, channel_create, channel_id, channel_update, delete_draft, edit_draft, member_mute,
    page_request, role, send_draft, voice_join, voice_state,
};
pub(crate) use outgoing::{channel, member, message, message_page, participant};
