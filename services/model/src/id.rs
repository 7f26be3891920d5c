//! Ids. Newtypes, so that two of them can never be swapped.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {kind}: {expected}")]
pub struct InvalidId {
    kind: &'static str,
    expected: &'static str,
    text: String,
}

impl InvalidId {
    pub(crate) fn new(kind: &'static str, expected: &'static str, text: &str) -> Self {
        // Shown in logs and replies: a hostile megabyte must not travel along.
        let text = text.chars().take(64).collect();
        Self {
            kind,
            expected,
            text,
        }
    }
}

const RANDOM_ID_LEN: usize = 26;

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        ///
        /// 26 lower-case base32 characters (RFC 4648 section 6, no padding): 128 random bits.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// Makes the id that these random bits stand for.
            #[must_use]
            pub fn from_random(bits: [u8; 16]) -> Self {
                Self(BASE32_NOPAD.encode(&bits).to_ascii_lowercase().into())
            }

            /// Borrows the wire form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let ok = text.len() == RANDOM_ID_LEN
                    && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'));
                if !ok {
                    return Err(InvalidId::new($kind, "26 characters of a-z and 2-7", text));
                }
                Ok(Self(text.into()))
            }
        }
    };
}

random_id!(
    /// Names a server: one community, one tenant. Immutable.
    ServerId,
    "server id"
);
random_id!(
    /// Names a channel within its server.
    ChannelId,
    "channel id"
);
random_id!(
    /// Names a person of a server.
    MemberId,
    "member id"
);
random_id!(
    /// Names one WebSocket session.
    SessionId,
    "session id"
);
random_id!(
    /// Names an invite, without being its secret.
    InviteId,
    "invite id"
);
random_id!(
    /// Names a file that somebody attaches to a message.
    FileId,
    "file id"
);
random_id!(
    /// Names one SFU process.
    NodeId,
    "node id"
);
random_id!(
    /// Names one signaling process, as nodes know it.
    WatcherId,
    "watcher id"
);

/// Names a person at their issuer: the token's `iss` and `sub` (RFC 7519 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId {
    /// The issuer's address, byte for byte as in the token.
    pub issuer: Box<str>,
    /// The issuer's name for the person.
    pub subject: Box<str>,
}

/// Names a room: a voice channel's live session. `Display` is for logs only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId {
    /// The channel's server.
    pub server: ServerId,
    /// The voice channel.
    pub channel: ChannelId,
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.server, self.channel)
    }
}

/// Names a participant within its room. Goes out as CSRC, so it is never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(std::num::NonZeroU32);

impl ParticipantId {
    /// Takes a wire value; 0 is none.
    #[must_use]
    pub fn new(value: u32) -> Option<Self> {
        std::num::NonZeroU32::new(value).map(Self)
    }

    /// The wire value.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl From<std::num::NonZeroU32> for ParticipantId {
    fn from(value: std::num::NonZeroU32) -> Self {
        Self(value)
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Orders the owners of a room: a higher one fences the lower ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The lowest that fences this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Orders the messages of a channel: a hybrid logical clock, milliseconds since 1970 in the upper
/// 48 bits and a counter in the lower 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

impl MessageId {
    const COUNTER_BITS: u32 = 16;

    /// Takes a wire value.
    #[must_use]
    pub fn new(value: u64) -> Self {
        Self(value)
    }

    /// The wire value.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// The id of a message written at `unix_ms`, above `last`, the newest of its channel.
    /// A clock that stands still or runs backwards only moves the counter on.
    #[must_use]
    pub fn next(last: Option<Self>, unix_ms: u64) -> Self {
        let by_clock = unix_ms << Self::COUNTER_BITS;
        Self(last.map_or(by_clock, |last| by_clock.max(last.0 + 1)))
    }

    /// Milliseconds since 1970 of this id's clock.
    #[must_use]
    pub fn unix_ms(self) -> u64 {
        self.0 >> Self::COUNTER_BITS
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        text.parse()
            .map(Self)
            .map_err(|_| InvalidId::new("message id", "a 64-bit number", text))
    }
}

/// A client's own mark on a message: the same nonce of one member twice is one message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(Box<str>);

impl Nonce {
    /// Borrows the wire form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Nonce {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let ok = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if !ok {
            return Err(InvalidId::new(
                "nonce",
                "1 to 64 visible ASCII characters",
                text,
            ));
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn random_id_survives_its_wire_form(bits: [u8; 16]) {
            let id = ServerId::from_random(bits);
            prop_assert_eq!(id.as_str().len(), RANDOM_ID_LEN);
            prop_assert_eq!(id.to_string().parse::<ServerId>().unwrap(), id);
        }

        #[test]
        fn message_ids_rise_whatever_the_clock_does(clock in proptest::collection::vec(0u64..1 << 40, 1..50)) {
            let mut last = None;
            for unix_ms in clock {
                let id = MessageId::next(last, unix_ms);
                prop_assert!(last.is_none_or(|last| id > last));
                last = Some(id);
            }
        }
    }

    #[test]
    fn foreign_texts_are_no_ids() {
        for text in [
            "",
            "a",
            "A234567a234567a234567a2345",
            "a234567a234567a234567a23451",
            "ä234567a234567a234567a234",
        ] {
            assert!(text.parse::<ChannelId>().is_err(), "{text}");
        }
        assert!("".parse::<Nonce>().is_err());
        assert!("a b".parse::<Nonce>().is_err());
        assert!("a".repeat(65).parse::<Nonce>().is_err());
    }
}
