//! Fan-out of events to the sessions of one server, and the log from which sessions resume. The
//! port, its adapter for one process, and with the feature `redis` the one for several. Beside it,
//! who is online, and limits that hold over all processes.
//!
//! Durable events are numbered without gaps and kept in a bounded log; live events (presence,
//! participants, speaking) have no number and are never replayed. Permission is not checked here:
//! every event carries its [`Audience`], and who delivers it filters by it.
//!
//! To resume a session without a gap: [`subscribe`](Bus::subscribe) first, then
//! [`replay`](Bus::replay) from the client's cursor until no events come, then deliver from the
//! subscription. To start from a snapshot: subscribe, take [`head`](Bus::head), then read the
//! snapshot, then deliver. In both, skip durable events of the subscription whose id is not above
//! what was replayed or above that head: the client has them.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use gryt_model::{ChannelId, MemberId, SessionId};
use gryt_proto::client::v1 as wire;

mod audience;
mod cursor;
mod local;
mod presence;
mod quota;
#[cfg(feature = "redis")]
pub mod redis;
mod subscription;

pub use cursor::{Cursor, EventId, LogEpoch};
pub use local::LocalBus;
pub use presence::{Presence, PresenceChange};
pub use quota::{Allowance, Quotas};
pub use subscription::{Interrupted, Subscription};

/// How many durable events a log keeps. Clients that missed more start from a snapshot.
pub const EVENTS_KEPT: u64 = 10_000;

/// Carries events to every session of a server. Used as `Arc<dyn Bus>`.
#[async_trait]
pub trait Bus: Debug + Send + Sync + 'static {
    /// Appends a durable event to the log and hands it to every subscriber, in the order of the
    /// ids. When this returns, the event is in the log (on disk, where the log is local) and in the
    /// queue of every subscriber of this process. No event is appended twice.
    ///
    /// # Errors
    /// [`Error`] if the log cannot be written. Nobody got the event then, unless
    /// [`Error::AskRedis`] says that nobody knows.
    async fn publish(&self, event: DurableEvent) -> Result<EventId, Error>;

    /// Hands a live event to every subscriber, after what this process published before. Never
    /// waits; its `event_id` is 0. If it is lost, every subscriber is told [`Interrupted::Lagged`].
    fn publish_live(&self, event: LiveEvent);

    /// Starts to receive everything that is published from here on.
    fn subscribe(&self) -> Subscription;

    /// The place of the newest durable event.
    ///
    /// # Errors
    /// [`Error`] if the log cannot be read.
    async fn head(&self) -> Result<Cursor, Error>;

    /// Reads up to `limit` durable events that follow `after`.
    ///
    /// # Errors
    /// [`Error`] if the log cannot be read.
    async fn replay(&self, after: &Cursor, limit: u32) -> Result<Replay, Error>;
}

/// Who may get an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every member of the server.
    Everyone,
    /// Members who may read this channel.
    Channel(ChannelId),
    /// All sessions of this member.
    Member(MemberId),
    /// This session alone.
    Session(SessionId),
}

/// An event that is numbered and kept.
#[derive(Debug, Clone, PartialEq)]
pub struct DurableEvent {
    /// Its `event_id` is ignored and set by the bus.
    pub event: wire::Event,
    /// Who may get it.
    pub audience: Audience,
}

/// An event that matters only to those who are there.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveEvent {
    /// Its `event_id` is ignored and sent as 0.
    pub event: wire::Event,
    /// Who may get it.
    pub audience: Audience,
}

/// An event on its way to a session. Shared by all subscribers.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// With its `event_id`: 0 if it is live.
    pub event: wire::Event,
    /// Who may get it.
    pub audience: Audience,
}

/// What follows a cursor.
#[derive(Debug, Clone, PartialEq)]
pub enum Replay {
    /// The next durable events, ids ascending by one; none if the cursor is at the head.
    Events(Vec<Arc<Delivery>>),
    /// The log does not reach back that far: a snapshot is needed.
    Trimmed,
    /// The cursor is of another log, or ahead of this one: a snapshot is needed.
    OtherEpoch,
}

/// A bus that could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log cannot be opened, or was written by a newer program.
    #[error("cannot open the event log")]
    OpenLog(#[source] gryt_store::Error),
    /// The log cannot be read or written.
    #[error("cannot use the event log")]
    UseLog(#[from] gryt_store::Error),
    /// Redis did not do it in time. What was to be published may still come within seconds, if Redis
    /// had taken it before.
    #[cfg(feature = "redis")]
    #[error("cannot use the event log in redis")]
    AskRedis(#[source] redis::Unanswered),
}
