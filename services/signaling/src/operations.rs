//! What members can do, behind both doors: the socket and REST call these and nothing else.
//!
//! Each is: a rule of the domain, then the store, then the bus. What was stored and could not be
//! published is still there for everyone who reads; a repeated request publishes again.
//!
//! What changes something is stored and published by one after the other, so that the last event
//! says what is stored. New messages, of which there are many, only wait for those.

use std::sync::{Arc, Mutex};

use gryt_bus::{Audience, Bus, DurableEvent, Quotas};
use gryt_chat::Limits;
use gryt_issuer::Invites;
use gryt_model::{AudibleLimit, ChannelId, ChannelName, MessageId, Nonce};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_store::Store;
use tokio::sync::RwLock;
use tracing::Instrument as _;

use crate::files::FileShelf;
use crate::refusal::Refusal;

mod channels;
mod files;
mod invites;
mod members;
mod messages;
#[cfg(test)]
mod tests;

pub(crate) use files::{FileRequest, UploadDraft};
pub(crate) use gryt_store::Page as MessagePage;
pub(crate) use invites::InviteDraft;

/// The operations of one server. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Operations {
    store: Arc<dyn Store>,
    bus: Arc<dyn Bus>,
    invites: Option<Invites>,
    files: Option<Arc<FileShelf>>,
    /// Of this process.
    limits: Arc<Mutex<Limits>>,
    /// Of all processes together.
    quotas: Quotas,
    /// Held from the store to the bus: shared by new messages, exclusive for everything else.
    order: Arc<RwLock<()>>,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendDraft {
    pub(crate) channel: ChannelId,
    /// As typed.
    pub(crate) text: String,
    pub(crate) nonce: Nonce,
    /// Tickets of completed uploads.
    pub(crate) attachments: Vec<String>,
}

/// A new text for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EditDraft {
    pub(crate) channel: ChannelId,
    pub(crate) message: MessageId,
    /// As typed.
    pub(crate) text: String,
}

/// Which piece of a channel's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageRequest {
    pub(crate) channel: ChannelId,
    /// Below this id; the newest messages without it.
    pub(crate) before: Option<MessageId>,
    /// 1..=100, checked here.
    pub(crate) limit: u32,
}

/// What to change of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChannelUpdate {
    pub(crate) channel: ChannelId,
    pub(crate) name: Option<ChannelName>,
    pub(crate) audible_limit: Option<AudibleLimit>,
}

impl Operations {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        bus: Arc<dyn Bus>,
        invites: Option<Invites>,
        quotas: Quotas,
        files: Option<Arc<FileShelf>>,
    ) -> Self {
        Self {
            store,
            bus,
            invites,
            files,
            limits: Arc::default(),
            quotas,
            order: Arc::default(),
        }
    }

    /// The server's own record.
    pub(crate) fn server(&self) -> wire::Server {
        let server = self.store.server();
        wire::Server {
            server_id: server.id.to_string(),
            name: server.name.to_string(),
        }
    }

    /// Stores and publishes with no other operation between the two.
    async fn in_order<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let turn = Arc::clone(&self.order).write_owned().await;
        to_the_end(turn, work(self.clone())).await
    }

    /// Stores and publishes beside others that do the same, and with no [`Self::in_order`] between.
    async fn side_by_side<T, F>(&self, work: impl FnOnce(Self) -> F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Refusal>> + Send + 'static,
    {
        let turn = Arc::clone(&self.order).read_owned().await;
        to_the_end(turn, work(self.clone())).await
    }

    async fn publish(&self, event: Kind, audience: Audience) -> Result<(), Refusal> {
        let event = DurableEvent {
            event: wire::Event {
                event_id: 0,
                event: Some(event),
            },
            audience,
        };
        self.bus
            .publish(event)
            .await
            .map(drop)
            .map_err(|error| Refusal::internal("publish an event", &error))
    }
}

/// Goes on even if the caller goes away: what was stored is to be published.
async fn to_the_end<T: Send + 'static>(
    turn: impl Send + 'static,
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let work = async move {
        let outcome = work.await;
        drop(turn);
        outcome
    };
    tokio::spawn(work.in_current_span())
        .await
        .unwrap_or_else(|error| Err(Refusal::internal("finish an operation", &error)))
}

/// Says that storage failed.
#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn storage(error: gryt_store::Error) -> Refusal {
    Refusal::internal("use the storage", &error)
}
