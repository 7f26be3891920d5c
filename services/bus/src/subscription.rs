//! The receiving end of the bus.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::Delivery;

/// Receives what is published from its making on, in order. Bounded: one that is not read while
/// more than [`Subscription::CAPACITY`] events come loses the oldest and is told so.
#[derive(Debug)]
pub struct Subscription {
    events: Receiver<Arc<Delivery>>,
}

/// Why a subscription has no next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// This many events were lost because they were not read in time. The session is to be ended;
    /// its client resumes from the log.
    #[error("subscription lost {0} events")]
    Lagged(u64),
    /// The bus is shut down.
    #[error("bus is closed")]
    Closed,
}

impl Subscription {
    /// How many events wait for a subscriber at most.
    pub const CAPACITY: usize = 1024;

    pub(crate) fn new(events: Receiver<Arc<Delivery>>) -> Self {
        Self { events }
    }

    /// Waits for the next event. Cancel safe: a dropped call loses nothing.
    ///
    /// # Errors
    /// [`Interrupted`] if events were lost or none will come.
    pub async fn next(&mut self) -> Result<Arc<Delivery>, Interrupted> {
        self.events.recv().await.map_err(|error| match error {
            RecvError::Lagged(count) => Interrupted::Lagged(count),
            RecvError::Closed => Interrupted::Closed,
        })
    }
}
