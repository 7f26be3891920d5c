//! The way of a command from the gRPC front to the worker that owns its room.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};

use gryt_media::{Capabilities, Place, Seat};
use gryt_model::{AudibleLimit, Epoch, RoomId};
use gryt_proto::sfu::v1;
use gryt_runtime::occupancy::OccupancyKey;
use tokio::sync::oneshot;

/// What a worker is asked to do.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    Seat(Seat, Option<v1::Holder>),
    Answer {
        place: Place,
        revision: u32,
        sdp: String,
    },
    SetCapabilities {
        place: Place,
        /// Empty for whoever has the place.
        member: String,
        capabilities: Capabilities,
    },
    SetHolder {
        place: Place,
        change: HolderChange,
    },
    SetAudibleLimit {
        room: RoomId,
        epoch: Epoch,
        audible_limit: AudibleLimit,
    },
    Leave {
        place: Place,
        /// Empty for whoever has the place.
        held_by: String,
    },
}

/// A place goes from one session to another, or is seen differently.
#[derive(Debug, Clone)]
pub(crate) struct HolderChange {
    /// The session that is taken for the holder.
    pub(crate) from: String,
    pub(crate) to: v1::Holder,
}

impl Command {
    /// The room it is about, and the caller's ownership of it.
    pub(crate) fn room(&self) -> (&RoomId, Epoch) {
        match self {
            Self::Seat(seat, _) => (&seat.place.room, seat.place.epoch),
            Self::Answer { place, .. }
            | Self::SetCapabilities { place, .. }
            | Self::SetHolder { place, .. }
            | Self::Leave { place, .. } => (&place.room, place.epoch),
            Self::SetAudibleLimit { room, epoch, .. } => (room, *epoch),
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The first offer, and the seat's number.
    Seated(v1::Offer, u64),
    Done,
    Refused(v1::Refused),
}

/// What comes into an inbox.
#[derive(Debug)]
pub(crate) enum Order {
    /// A command, and the way back of its outcome.
    Command(Command, oneshot::Sender<Outcome>),
    /// Offer these addresses from the next seat on.
    Announce(Vec<SocketAddr>),
    /// Tell whoever has this key how busy the node is.
    Trust(OccupancyKey),
}

/// Why an order was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The worker is behind. The caller is told that the node is full, and goes elsewhere.
    Full,
    /// The worker is gone.
    Closed,
}

/// The front's end of a worker's inbox.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    orders: SyncSender<Order>,
    waker: Arc<mio::Waker>,
}

/// Orders that wait for one worker. One more is refused as [`NotTaken::Full`]: a worker that is
/// this far behind must not be given more places.
const CAPACITY: usize = 256;

impl Inbox {
    /// Makes both ends. `waker` ends the worker's sleep.
    pub(crate) fn new(waker: Arc<mio::Waker>) -> (Self, Receiver<Order>) {
        let (orders, received) = mpsc::sync_channel(CAPACITY);
        (Self { orders, waker }, received)
    }

    /// Hands an order over and wakes the worker.
    pub(crate) fn send(&self, order: Order) -> Result<(), NotTaken> {
        self.orders
            .try_send(order)
            .map_err(|refused| match refused {
                TrySendError::Full(_) => NotTaken::Full,
                TrySendError::Disconnected(_) => NotTaken::Closed,
            })?;
        self.wake();
        Ok(())
    }

    /// Ends the worker's sleep.
    pub(crate) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake a worker");
        }
    }
}
