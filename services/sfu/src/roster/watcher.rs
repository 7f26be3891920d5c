//! One watch: a bounded queue to one signaling process.

use std::sync::Arc;

use gryt_proto::sfu::v1;
use gryt_proto::sfu::v1::watch_response::Event;
use tokio::sync::mpsc;
use tonic::Status;

/// What a watch carries: events, and at last why it ended.
pub(crate) type WatchItem = Result<v1::WatchResponse, Status>;

/// The sending end of a watch. A watcher that lets its queue fill up loses the watch, with the
/// reason as the last item: it watches again and starts from a snapshot.
#[derive(Debug)]
pub(super) struct Watcher {
    /// The process that watches.
    name: Arc<str>,
    events: mpsc::Sender<WatchItem>,
    /// Set aside at the start, so that the reason always fits.
    last: Option<mpsc::OwnedPermit<WatchItem>>,
    sequence: u64,
}

/// A watch that will get no more events.
#[derive(Debug)]
pub(super) struct Ended;

/// Some ten seconds of a busy node's events.
pub(super) const CAPACITY: usize = 1024;

impl Watcher {
    pub(super) fn new(name: Arc<str>) -> (Self, mpsc::Receiver<WatchItem>) {
        let (events, stream) = mpsc::channel(CAPACITY + 1);
        let last = events.clone().try_reserve_owned().ok();
        (
            Self {
                name,
                events,
                last,
                sequence: 0,
            },
            stream,
        )
    }

    /// The process that watches.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether somebody reads it.
    pub(super) fn is_read(&self) -> bool {
        !self.events.is_closed()
    }

    /// Returns once nobody reads it.
    pub(super) fn left(&self) -> impl Future<Output = ()> + Send + use<> {
        let events = self.events.clone();
        async move { events.closed().await }
    }

    /// Queues an event.
    ///
    /// # Errors
    /// [`Ended`], when the queue is full or nobody reads it.
    pub(super) fn send(&mut self, event: &Event) -> Result<(), Ended> {
        let sequence = self.sequence + 1;
        let item = v1::WatchResponse {
            sequence,
            event: Some(event.clone()),
        };
        match self.events.try_send(Ok(item)) {
            Ok(()) => {
                self.sequence = sequence;
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!("a watcher is too slow");
                self.end(Status::resource_exhausted(
                    "the watcher is too slow: watch again",
                ));
                Err(Ended)
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Ended),
        }
    }

    /// Ends the watch with a reason.
    pub(super) fn end(&mut self, reason: Status) {
        if let Some(permit) = self.last.take() {
            permit.send(Err(reason));
        }
    }
}
