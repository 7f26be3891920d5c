//! A frame of a browser socket: the bytes, and the texts in it that become ids and names.
#![no_main]

use gryt_model::{ChannelId, ChannelName, MemberId, MessageText, Nonce};
use gryt_proto::client::v1::ClientFrame;
use gryt_proto::client::v1::client_frame::Request;
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    let Ok(frame) = ClientFrame::decode(bytes) else { return };
    assert_eq!(ClientFrame::decode(frame.encode_to_vec().as_slice()).as_ref(), Ok(&frame));
    let texts = match frame.request {
        Some(Request::SendMessage(m)) => vec![m.channel_id, m.text, m.nonce],
        Some(Request::EditMessage(m)) => vec![m.channel_id, m.text],
        Some(Request::MuteMember(m)) => vec![m.member_id],
        Some(Request::CreateChannel(m)) => vec![m.name],
        Some(Request::JoinVoice(m)) => vec![m.channel_id],
        _ => Vec::new(),
    };
    for text in texts {
        if let Ok(id) = text.parse::<ChannelId>() {
            assert_eq!(id.as_str(), text);
        }
        if let Ok(nonce) = text.parse::<Nonce>() {
            assert_eq!(nonce.as_str(), text);
        }
        if let Some(kept) = MessageText::new(&text) {
            assert_eq!(MessageText::new(kept.as_str()), Some(kept));
        }
        let _ = (text.parse::<MemberId>(), text.parse::<ChannelName>());
    }
});
