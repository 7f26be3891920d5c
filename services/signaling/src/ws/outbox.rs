//! What waits for a client to take it. Bounded in frames and bytes; a client that lets it fill up
//! is told `SLOW_CONSUMER` and loses the rest, because it can resume.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gryt_proto::client::v1::Reason;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The bounds of an outbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

/// Why and with which words a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Farewell {
    pub(crate) reason: Reason,
    pub(crate) message: &'static str,
}

/// For a client that lets its outbox fill up.
pub(crate) const SLOW: Farewell = Farewell {
    reason: Reason::SlowConsumer,
    message: "The client took its frames too slowly.",
};

/// What the writer does next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// Sends a frame.
    Frame(Bytes),
    /// Sends this and closes.
    Farewell(Farewell),
    /// Stops: the client is gone.
    Hangup,
}

/// One session's outbox: filled by the session and the fan-out, drained by the socket's writer.
#[derive(Debug)]
pub(crate) struct Outbox {
    bounds: Bounds,
    state: Mutex<State>,
    filled: Notify,
    drained: Notify,
    ended: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Bytes>,
    /// Events that came while the session was still replaying; `None` once released.
    held: Option<VecDeque<(u64, Bytes)>>,
    bytes: usize,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Farewell(Farewell),
    Hangup,
}

impl State {
    fn frames(&self) -> usize {
        self.ready.len() + self.held.as_ref().map_or(0, VecDeque::len)
    }
}

impl Outbox {
    /// Events are held until [`Outbox::release`].
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: Mutex::new(State {
                held: Some(VecDeque::new()),
                ..State::default()
            }),
            filled: Notify::new(),
            drained: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Puts in a reply, or an event of the replay.
    pub(crate) fn push(&self, frame: Bytes) {
        self.add(frame, |state, frame| state.ready.push_back(frame));
    }

    /// Puts in an event of the fan-out.
    pub(crate) fn push_event(&self, event_id: u64, frame: Bytes) {
        self.add(frame, |state, frame| match &mut state.held {
            Some(held) => held.push_back((event_id, frame)),
            None => state.ready.push_back(frame),
        });
    }

    /// Lets go of the held events, without those that the replay up to `replayed` has brought.
    pub(crate) fn release(&self, replayed: u64) {
        let mut state = self.lock();
        for (event_id, frame) in state.held.take().into_iter().flatten() {
            if event_id == 0 || event_id > replayed {
                state.ready.push_back(frame);
            } else {
                state.bytes -= frame.len();
            }
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Waits until half of it is free, or it has ended. For replays, which are as long as they are.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            {
                let state = self.lock();
                let low = state.frames() <= self.bounds.frames / 2
                    && state.bytes <= self.bounds.bytes / 2;
                if low || state.end.is_some() {
                    return;
                }
            }
            self.drained.notified().await;
        }
    }

    /// Ends the socket after what is in the outbox. The first farewell counts.
    pub(crate) fn end(&self, farewell: Farewell) {
        self.lock().end.get_or_insert(End::Farewell(farewell));
        self.announce_end();
    }

    /// The client is gone: nobody is left to take anything.
    pub(crate) fn hang_up(&self) {
        *self.lock() = State {
            end: Some(End::Hangup),
            ..State::default()
        };
        self.announce_end();
    }

    /// Returns once the outbox has been ended.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// What the socket's writer does next. Only the writer calls this.
    pub(crate) async fn next(&self) -> Outgoing {
        loop {
            if let Some(outgoing) = self.take() {
                self.drained.notify_one();
                return outgoing;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Outgoing> {
        let mut state = self.lock();
        if let Some(frame) = state.ready.pop_front() {
            state.bytes -= frame.len();
            return Some(Outgoing::Frame(frame));
        }
        state.end.map(|end| match end {
            End::Farewell(farewell) => Outgoing::Farewell(farewell),
            End::Hangup => Outgoing::Hangup,
        })
    }

    fn add(&self, frame: Bytes, put: impl FnOnce(&mut State, Bytes)) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        let full =
            state.frames() >= self.bounds.frames || state.bytes + frame.len() > self.bounds.bytes;
        if full {
            *state = State {
                end: Some(End::Farewell(SLOW)),
                ..State::default()
            };
            drop(state);
            self.announce_end();
            return;
        }
        state.bytes += frame.len();
        put(&mut state, frame);
        drop(state);
        self.filled.notify_one();
    }

    fn announce_end(&self) {
        self.ended.cancel();
        self.filled.notify_one();
        self.drained.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(frames: usize, bytes: usize) -> Outbox {
        Outbox::new(Bounds { frames, bytes })
    }

    async fn frames(outbox: &Outbox, count: usize) -> Vec<Bytes> {
        let mut frames = Vec::new();
        for _ in 0..count {
            let Outgoing::Frame(frame) = outbox.next().await else {
                panic!("it ended");
            };
            frames.push(frame);
        }
        frames
    }

    #[tokio::test]
    async fn held_events_follow_the_replay_without_what_it_brought() {
        let outbox = outbox(10, 1000);
        outbox.push_event(7, "7".into());
        outbox.push_event(0, "live".into());
        outbox.push_event(8, "8".into());
        outbox.push("welcome".into());
        outbox.push("replayed 7".into());
        outbox.release(7);
        outbox.push_event(9, "9".into());

        let got = frames(&outbox, 5).await;
        assert_eq!(got, ["welcome", "replayed 7", "live", "8", "9"]);
    }

    #[tokio::test]
    async fn full_outbox_ends_as_slow_consumer_and_forgets_the_rest() {
        for outbox in [outbox(2, 1000), outbox(10, 5)] {
            for _ in 0..3 {
                outbox.push("xx".into());
            }
            outbox.ended().await;
            let Outgoing::Farewell(farewell) = outbox.next().await else {
                panic!("frames are left");
            };
            assert_eq!(farewell.reason, Reason::SlowConsumer);
        }
    }

    #[tokio::test]
    async fn farewell_comes_after_what_waits_and_the_first_one_counts() {
        let outbox = outbox(10, 1000);
        outbox.push("last".into());
        for reason in [Reason::TokenExpired, Reason::GoingAway] {
            outbox.end(Farewell {
                reason,
                message: "",
            });
        }
        outbox.push("too late".into());

        assert_eq!(frames(&outbox, 1).await, ["last"]);
        let Outgoing::Farewell(farewell) = outbox.next().await else {
            panic!("a frame came after the end");
        };
        assert_eq!(farewell.reason, Reason::TokenExpired);
    }
}
