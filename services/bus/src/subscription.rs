//! The receiving end of the bus.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::Delivery;

/// Receives what is published from its making on, in order. Bounded: one that is not read while
/// more than [`Subscription::CAPACITY`] events come loses the oldest and is told so.
#[derive(Debug)]
pub struct Subscription {
    told: Receiver<Told>,
}

/// What an adapter hands to every subscriber.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Event(Arc<Delivery>),
    /// This many events were lost on the way to this process.
    #[cfg(feature = "redis")]
    Lost(u64),
}

/// Why a subscription has no next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// At least this many events were lost: they were not read in time, or did not reach this
    /// process. Durable ones are in the log; live ones are gone, so whoever keeps a picture of them
    /// has to begin it anew, and to end the sessions that saw it, which resume from the log.
    #[error("subscription lost {0} events")]
    Lagged(u64),
    /// The bus is shut down.
    #[error("bus is closed")]
    Closed,
}

impl Subscription {
    /// How many events wait for a subscriber at most.
    pub const CAPACITY: usize = 1024;

    pub(crate) fn new(told: Receiver<Told>) -> Self {
        Self { told }
    }

    /// Waits for the next event. Cancel safe: a dropped call loses nothing.
    ///
    /// # Errors
    /// [`Interrupted`] if events were lost or none will come.
    pub async fn next(&mut self) -> Result<Arc<Delivery>, Interrupted> {
        match self.told.recv().await {
            Ok(Told::Event(event)) => Ok(event),
            #[cfg(feature = "redis")]
            Ok(Told::Lost(count)) => Err(Interrupted::Lagged(count)),
            Err(RecvError::Lagged(count)) => Err(Interrupted::Lagged(count)),
            Err(RecvError::Closed) => Err(Interrupted::Closed),
        }
    }
}
