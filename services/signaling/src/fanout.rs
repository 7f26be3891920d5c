//! Carries events from the bus to the sessions of this process, and to the rooms what concerns them.

use std::sync::Arc;

use gryt_bus::{Bus, Cursor, EventId, Interrupted, Replay, Subscription};
use tokio::sync::{SetOnce, oneshot};
use tokio_util::sync::CancellationToken;

use crate::live::Live;
use crate::voice::Voice;

/// Between the bus and those who are here.
#[derive(Debug)]
pub(crate) struct Fanout {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) events: Subscription,
    pub(crate) live: Arc<Live>,
    pub(crate) voice: Voice,
    /// Told once the calls that the process found are known.
    pub(crate) begin: oneshot::Receiver<()>,
    /// Set then: sessions can be greeted.
    pub(crate) begun: Arc<SetOnce<()>>,
}

/// Events read from the log at once.
const BATCH: u32 = 256;

impl Fanout {
    /// Runs until `stop`, or until the bus is closed.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let Ok(mut noticed) = self.bus.head().await else {
            tracing::error!("the event log cannot be read");
            return;
        };
        loop {
            let next = tokio::select! {
                next = self.events.next() => next,
                _ = &mut self.begin, if !self.begun.initialized() => {
                    self.live.start_anew();
                    // Set here alone.
                    let _ = self.begun.set(());
                    continue;
                }
                () = stop.cancelled() => return,
            };
            match next {
                Ok(delivery) => {
                    self.live.deliver(&delivery);
                    if delivery.event.event_id != 0 {
                        self.voice.notice(&delivery.event).await;
                        noticed.event_id = EventId(delivery.event.event_id);
                    }
                }
                Err(Interrupted::Lagged(lost)) => self.catch_up(&mut noticed, lost).await,
                Err(Interrupted::Closed) => return,
            }
        }
    }

    /// After lost events: the sessions resume from the log, and so do the rooms.
    async fn catch_up(&self, noticed: &mut Cursor, lost: u64) {
        tracing::warn!(lost, "fan-out lost events, sessions have to resume");
        self.live.start_anew();
        while let Ok(Replay::Events(events)) = self.bus.replay(noticed, BATCH).await {
            let Some(last) = events.last() else {
                return;
            };
            noticed.event_id = EventId(last.event.event_id);
            for delivery in &events {
                self.voice.notice(&delivery.event).await;
            }
        }
        tracing::error!("the event log cannot be followed, server mutes may be missing");
    }
}
