//! The stream of what happens on a node: opened again with growing pauses whenever it ends.

use std::time::{Duration, Instant};

use gryt_model::NodeId;
use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::watch_response::Event;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Letter, Node, Voice};
use crate::{clock, entropy};

/// What was heard of a node.
#[derive(Debug)]
pub(super) enum Heard {
    /// The stream began.
    Snapshot {
        node: NodeId,
        snapshot: sfu::Snapshot,
        asked_at: Instant,
    },
    /// Something happened. Never a snapshot.
    Event(Event),
    /// The stream ended.
    Silence(NodeId),
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a stream was left.
#[derive(Debug, thiserror::Error)]
enum Left {
    #[error("the stream could not be opened or broke")]
    Broke(#[source] Box<Status>),
    #[error("the node ended the stream")]
    Ended,
    #[error("the stream has a gap before {0}")]
    Gap(u64),
    #[error("the rooms are closed")]
    Closed,
}

impl From<Status> for Left {
    fn from(status: Status) -> Self {
        Self::Broke(Box::new(status))
    }
}

/// Listens to a node until `stop`.
pub(crate) async fn watch(node: Node, voice: Voice, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut heard_any = false;
        let left = tokio::select! {
            left = listen(&node, &voice.mailbox, &mut heard_any) => left,
            () = stop.cancelled() => return,
        };
        tracing::info!(node = %node.id, %left, "watch stream left");
        if voice
            .mailbox
            .send(Letter::Heard(Heard::Silence(node.id.clone())))
            .await
            .is_err()
        {
            return;
        }
        if heard_any {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.5 + entropy::fraction())) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn listen(node: &Node, mailbox: &mpsc::Sender<Letter>, heard_any: &mut bool) -> Left {
    match listen_until(node, mailbox, heard_any).await {
        Ok(never) => match never {},
        Err(left) => left,
    }
}

async fn listen_until(
    node: &Node,
    mailbox: &mpsc::Sender<Letter>,
    heard_any: &mut bool,
) -> Result<std::convert::Infallible, Left> {
    let asked_at = clock::now();
    let mut stream = node.watch().await?.into_inner();
    let mut last: Option<u64> = None;
    loop {
        let sfu::WatchResponse { sequence, event } = stream.message().await?.ok_or(Left::Ended)?;
        if last.is_some_and(|last| sequence != last + 1) {
            return Err(Left::Gap(sequence));
        }
        last = Some(sequence);
        *heard_any = true;
        let heard = match event {
            Some(Event::Snapshot(snapshot)) => Heard::Snapshot {
                node: node.id.clone(),
                snapshot,
                asked_at,
            },
            Some(event) => Heard::Event(event),
            // A newer node tells what this version cannot know.
            None => continue,
        };
        mailbox
            .send(Letter::Heard(heard))
            .await
            .map_err(|_| Left::Closed)?;
    }
}
