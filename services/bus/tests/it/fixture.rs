//! A bus of each test's own, and events to publish.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use gryt_bus::{Audience, Bus, DurableEvent, LiveEvent, LocalBus, LogEpoch};
use gryt_model::ChannelId;
use gryt_proto::client::v1 as wire;
use tempfile::TempDir;

/// An adapter under test with whatever it needs to live.
pub(crate) struct Fixture {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) _alive: Box<dyn Any>,
}

/// The local bus with its log in a folder that vanishes with the fixture.
pub(crate) fn local() -> Fixture {
    let folder = TempDir::new().unwrap();
    Fixture {
        bus: Arc::new(open(&folder.path().join("events.db"), 1)),
        _alive: Box::new(folder),
    }
}

pub(crate) fn open(path: &Path, fresh: u8) -> LocalBus {
    LocalBus::open(path, &LogEpoch::from_random([fresh; 16])).unwrap()
}

pub(crate) fn channel() -> ChannelId {
    ChannelId::from_random([1; 16])
}

/// Tells that the message with this id is gone.
pub(crate) fn durable(message_id: u64) -> DurableEvent {
    let deleted = wire::MessageDeleted {
        channel_id: channel().to_string(),
        message_id,
    };
    DurableEvent {
        event: wire::Event {
            event_id: 0,
            event: Some(wire::event::Event::MessageDeleted(deleted)),
        },
        audience: Audience::Channel(channel()),
    }
}

/// Tells a message with this text.
pub(crate) fn message(message_id: u64, text: &str) -> DurableEvent {
    let message = wire::Message {
        message_id,
        text: text.to_owned(),
        ..wire::Message::default()
    };
    DurableEvent {
        event: wire::Event {
            event_id: 0,
            event: Some(wire::event::Event::MessageCreated(message)),
        },
        audience: Audience::Channel(channel()),
    }
}

/// Tells that this participant speaks.
pub(crate) fn live(participant_id: u32) -> LiveEvent {
    let speaking = wire::SpeakingChanged {
        channel_id: channel().to_string(),
        participant_id,
        speaking: true,
    };
    LiveEvent {
        event: wire::Event {
            event_id: 77,
            event: Some(wire::event::Event::SpeakingChanged(speaking)),
        },
        audience: Audience::Everyone,
    }
}
