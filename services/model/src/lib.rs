//! The nouns of Gryt: ids, roles, permissions, channels, members, messages. Knows nobody.
//!
//! An id is built only by parsing or from random bytes that the caller drew; its `Display` is
//! its wire form.

mod attachment;
mod channel;
mod id;
mod member;
mod message;
mod role;

pub use attachment::{Attachment, ContentType, FileName};
pub use channel::{AudibleLimit, Channel, ChannelKind, ChannelName};
pub use id::{
    ChannelId, Epoch, FileId, InvalidId, InviteId, MemberId, MessageId, NodeId, Nonce,
    ParticipantId, RoomId, ServerId, SessionId, UserId, WatcherId,
};
pub use member::{Member, MemberName};
pub use message::{Message, MessageText};
pub use role::{Permission, Role};
