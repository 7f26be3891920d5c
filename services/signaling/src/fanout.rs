//! Carries events from the bus to the sessions of this process, and to the rooms what concerns them.

use std::sync::Arc;

use gryt_bus::{Interrupted, Subscription};
use gryt_proto::client::v1::Reason;
use tokio_util::sync::CancellationToken;

use crate::live::Live;
use crate::voice::Voice;
use crate::ws::outbox::Farewell;

/// Runs until `stop`, or until the bus is closed.
pub(crate) async fn run(
    mut events: Subscription,
    live: Arc<Live>,
    voice: Voice,
    stop: CancellationToken,
) {
    loop {
        let next = tokio::select! {
            next = events.next() => next,
            () = stop.cancelled() => return,
        };
        match next {
            Ok(delivery) => {
                live.deliver(&delivery);
                if delivery.event.event_id != 0 {
                    voice.notice(&delivery.event).await;
                }
            }
            Err(Interrupted::Lagged(lost)) => {
                tracing::warn!(lost, "fan-out lost events, sessions have to resume");
                live.end_all(Farewell {
                    reason: Reason::GoingAway,
                    message: "The server lost track. Resume.",
                });
                live.reset(voice.participants().await);
            }
            Err(Interrupted::Closed) => return,
        }
    }
}
