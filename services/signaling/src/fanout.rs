//! Carries events from the bus and presence to the sessions of this process, and to the rooms what
//! concerns them.

use std::sync::Arc;
use std::time::Duration;

use gryt_bus::{Bus, Cursor, EventId, Interrupted, Presence, Replay, Subscription};
use tokio::sync::{Notify, SetOnce, oneshot};
use tokio_util::sync::CancellationToken;

use crate::live::Live;
use crate::refusal::chain;
use crate::voice::Voice;

/// Between the bus and those who are here.
#[derive(Debug)]
pub(crate) struct Fanout {
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) events: Subscription,
    pub(crate) presence: Presence,
    pub(crate) live: Arc<Live>,
    pub(crate) voice: Voice,
    /// Told once the calls that the process found are known.
    pub(crate) begin: oneshot::Receiver<()>,
    /// Set then: sessions can be greeted.
    pub(crate) begun: Arc<SetOnce<()>>,
    /// Set once the log was heard.
    pub(crate) following: Arc<SetOnce<()>>,
    /// Told when nobody knows any more what the rooms were not told: they are to be compared with
    /// the store.
    pub(crate) lost_rooms: Arc<Notify>,
}

/// Events read from the log at once.
const BATCH: u32 = 256;
/// Between two questions to a log that does not answer.
const ASK_AGAIN: Duration = Duration::from_millis(500);

impl Fanout {
    /// Runs until `stop`, or until the bus is closed. A log that cannot be read is waited for.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let work = async {
            let mut noticed = self.head().await;
            // Set here alone.
            let _ = self.following.set(());
            while self.next(&mut noticed).await {}
        };
        let _ = stop.run_until_cancelled(work).await;
    }

    /// Carries one; false if none will come any more.
    async fn next(&mut self, noticed: &mut Cursor) -> bool {
        tokio::select! {
            // A member is told of before they are told to be online.
            biased;
            _ = &mut self.begin, if !self.begun.initialized() => {
                self.live.start_anew();
                // Set here alone.
                let _ = self.begun.set(());
            }
            event = self.events.next() => match event {
                Ok(delivery) => {
                    self.live.deliver(&delivery);
                    if delivery.event.event_id != 0 {
                        self.voice.notice(&delivery.event).await;
                        noticed.event_id = EventId(delivery.event.event_id);
                    }
                }
                Err(Interrupted::Lagged(lost)) => self.catch_up(noticed, lost).await,
                Err(Interrupted::Closed) => return false,
            },
            changes = self.presence.changes() => self.live.deliver_presence(changes),
        }
        true
    }

    /// The place of the newest event, however long the log takes to tell it.
    async fn head(&self) -> Cursor {
        let mut is_told = false;
        loop {
            match self.bus.head().await {
                Ok(head) => return head,
                Err(error) if !is_told => {
                    let error = chain(&error);
                    tracing::error!(error, "the event log cannot be read, trying again");
                    is_told = true;
                }
                Err(_) => {}
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// After lost events: the sessions resume from the log, or start from a snapshot where it does
    /// not reach back to them, and so do the rooms.
    async fn catch_up(&self, noticed: &mut Cursor, lost: u64) {
        tracing::warn!(lost, "fan-out lost events, sessions have to resume");
        self.live.start_anew();
        loop {
            match self.bus.replay(noticed, BATCH).await {
                Ok(Replay::Events(events)) => {
                    let Some(last) = events.last() else {
                        return;
                    };
                    noticed.event_id = EventId(last.event.event_id);
                    for delivery in &events {
                        self.voice.notice(&delivery.event).await;
                    }
                }
                Ok(Replay::Trimmed | Replay::OtherEpoch) => {
                    *noticed = self.head().await;
                    tracing::warn!(
                        epoch = %noticed.epoch,
                        "the event log does not reach back, sessions start from a snapshot"
                    );
                    self.lost_rooms.notify_one();
                    return;
                }
                Err(error) => {
                    tracing::warn!(error = chain(&error), "the event log is not answering");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }
}
