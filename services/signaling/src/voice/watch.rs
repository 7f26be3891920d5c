//! The stream of what happens on a node: opened again with growing pauses whenever it ends.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::watch_response::Event;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{Letter, LinkId, Node, Voice};
use crate::{clock, entropy};

/// What was heard of a node, by its link.
#[derive(Debug)]
pub(super) enum Heard {
    /// The stream began.
    Snapshot(sfu::Snapshot),
    /// Something happened. Never a snapshot.
    Event(Event),
    /// The stream ended, or could not be opened.
    Silence,
    /// Nobody listens at the address any more: the process that was there has ended.
    Nobody,
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// While it is open whether somebody listens at the address.
const LONGEST_DOUBT: Duration = Duration::from_millis(400);
/// A firewall refuses in the name of others, and so does a Service whose endpoints are just
/// changing; a process that has ended is refused for good.
const GONE_AFTER: Duration = Duration::from_millis(2500);

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
pub(crate) async fn watch(link: LinkId, node: Node, voice: Voice, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    let mut refusals = Refusals::default();
    loop {
        let mut heard_any = false;
        let left = tokio::select! {
            left = listen(link, &node, &voice.mailbox, &mut heard_any) => left,
            () = stop.cancelled() => return,
        };
        tracing::info!(address = %node.address, %left, "watch stream left");
        if heard_any {
            refusals = Refusals::default();
            pause = FIRST_PAUSE;
        }
        let heard = refusals.weigh(&left, clock::now());
        if refusals.is_in_doubt() {
            pause = pause.min(LONGEST_DOUBT);
        }
        if voice
            .mailbox
            .send(Letter::Heard(link, heard))
            .await
            .is_err()
        {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.5 + entropy::fraction())) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Since when connections are refused, without an attempt in between that ended otherwise.
#[derive(Debug, Default)]
struct Refusals {
    since: Option<Instant>,
    /// It has lasted long enough to prove something.
    proven: bool,
}

impl Refusals {
    fn weigh(&mut self, left: &Left, now: Instant) -> Heard {
        if !left.is_refused() {
            *self = Self::default();
            return Heard::Silence;
        }
        let since = *self.since.get_or_insert(now);
        self.proven = now.duration_since(since) >= GONE_AFTER;
        match self.proven {
            true => Heard::Nobody,
            false => Heard::Silence,
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.since.is_some() && !self.proven
    }
}

impl Left {
    /// Whether nobody listens at the address.
    fn is_refused(&self) -> bool {
        let Self::Broke(status) = self else {
            return false;
        };
        let mut cause: Option<&(dyn Error + 'static)> = Some(status);
        while let Some(error) = cause {
            let refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
            if error.downcast_ref().is_some_and(refused) {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

async fn listen(
    link: LinkId,
    node: &Node,
    mailbox: &mpsc::Sender<Letter>,
    heard_any: &mut bool,
) -> Left {
    match listen_until(link, node, mailbox, heard_any).await {
        Ok(never) => match never {},
        Err(left) => left,
    }
}

async fn listen_until(
    link: LinkId,
    node: &Node,
    mailbox: &mpsc::Sender<Letter>,
    heard_any: &mut bool,
) -> Result<std::convert::Infallible, Left> {
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
            Some(Event::Snapshot(snapshot)) => Heard::Snapshot(snapshot),
            Some(event) => Heard::Event(event),
            // A newer node tells what this version cannot know.
            None => continue,
        };
        mailbox
            .send(Letter::Heard(link, heard))
            .await
            .map_err(|_| Left::Closed)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Left {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        Status::from_error(Box::new(refused)).into()
    }

    #[test]
    fn only_lasting_refusals_prove_that_nobody_is_there() {
        let start = clock::now();
        let mut refusals = Refusals::default();
        let mut weigh = |left: &Left, ms| refusals.weigh(left, start + Duration::from_millis(ms));

        assert!(matches!(weigh(&Left::Ended, 0), Heard::Silence));
        assert!(matches!(weigh(&refused(), 100), Heard::Silence));
        assert!(matches!(weigh(&refused(), 2_500), Heard::Silence));
        assert!(matches!(weigh(&Left::Ended, 2_550), Heard::Silence));
        assert!(matches!(weigh(&refused(), 2_700), Heard::Silence));
        assert!(matches!(weigh(&refused(), 5_199), Heard::Silence));
        assert!(matches!(weigh(&refused(), 5_200), Heard::Nobody));
    }
}
