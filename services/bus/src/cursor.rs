//! Places in the event log.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use gryt_proto::client::v1 as wire;

/// Names one life of an event log: random, made with it, kept over restarts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogEpoch(Box<str>);

impl LogEpoch {
    /// Makes the epoch that these random bits stand for.
    #[must_use]
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(BASE32_NOPAD.encode(&bits).to_ascii_lowercase().into())
    }

    /// Takes what a client or the log says. Any text will do: one that no log made matches none.
    #[must_use]
    pub fn from_wire(text: &str) -> Self {
        Self(text.into())
    }

    /// Borrows the wire form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Numbers the durable events of a log: 1, 2, 3 and so on; 0 stands before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A place in the event log: after this event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which log.
    pub epoch: LogEpoch,
    /// The last event seen.
    pub event_id: EventId,
}

impl From<&wire::Cursor> for Cursor {
    fn from(cursor: &wire::Cursor) -> Self {
        Self {
            epoch: LogEpoch::from_wire(&cursor.epoch),
            event_id: EventId(cursor.event_id),
        }
    }
}

impl From<&Cursor> for wire::Cursor {
    fn from(cursor: &Cursor) -> Self {
        Self {
            epoch: cursor.epoch.to_string(),
            event_id: cursor.event_id.0,
        }
    }
}
