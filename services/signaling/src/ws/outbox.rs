//! What waits for a client to take it. Bounded in frames and bytes, and what a replay holds back is
//! bounded once more by the same; a client that lets it fill up
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
    ready: Frames,
    /// Events that came while the session was still replaying; `None` once released.
    held: Option<Frames>,
    /// Up to which event the replay went. The fan-out may be behind the log that was replayed.
    replayed: u64,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Farewell(Farewell),
    Hangup,
}

/// Frames with their event ids, 0 for those that are no durable events.
#[derive(Debug, Default)]
struct Frames {
    queue: VecDeque<(u64, Bytes)>,
    bytes: usize,
}

impl Frames {
    fn has_room(&self, frame: &Bytes, bounds: Bounds) -> bool {
        self.queue.len() < bounds.frames && self.bytes + frame.len() <= bounds.bytes
    }

    fn put(&mut self, event_id: u64, frame: Bytes) {
        self.bytes += frame.len();
        self.queue.push_back((event_id, frame));
    }

    fn take(&mut self) -> Option<(u64, Bytes)> {
        let taken = self.queue.pop_front()?;
        self.bytes -= taken.1.len();
        Some(taken)
    }
}

impl Outbox {
    /// Events are held until [`Outbox::release`].
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            state: Mutex::new(State {
                held: Some(Frames::default()),
                ..State::default()
            }),
            filled: Notify::new(),
            drained: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Puts in a reply, or an event of the replay.
    pub(crate) fn push(&self, frame: Bytes) {
        self.add(0, frame, |state| &mut state.ready);
    }

    /// Puts in an event of the fan-out.
    pub(crate) fn push_event(&self, event_id: u64, frame: Bytes) {
        self.add(event_id, frame, |state| match &mut state.held {
            Some(held) => held,
            None => &mut state.ready,
        });
    }

    /// Lets go of the held events. Those that the replay up to `replayed` has brought are left out,
    /// from now on, too.
    pub(crate) fn release(&self, replayed: u64) {
        let mut state = self.lock();
        state.replayed = replayed;
        let mut held = state.held.take().unwrap_or_default();
        while let Some((event_id, frame)) = held.take() {
            if event_id == 0 || event_id > replayed {
                state.ready.put(event_id, frame);
            }
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Waits until half of it is free, or it has ended. For replays, which are as long as they are.
    /// Held events do not count: they leave only after the replay.
    pub(crate) async fn wait_for_room(&self) {
        self.wait_for(self.bounds.frames / 2, self.bounds.bytes / 2)
            .await;
    }

    /// Waits until the client has taken the replay, or it has ended: the held events need the room.
    pub(crate) async fn wait_until_taken(&self) {
        self.wait_for(0, 0).await;
    }

    async fn wait_for(&self, frames: usize, bytes: usize) {
        loop {
            {
                let State { ready, end, .. } = &*self.lock();
                if (ready.queue.len() <= frames && ready.bytes <= bytes) || end.is_some() {
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
        if let Some((_, frame)) = state.ready.take() {
            return Some(Outgoing::Frame(frame));
        }
        state.end.map(|end| match end {
            End::Farewell(farewell) => Outgoing::Farewell(farewell),
            End::Hangup => Outgoing::Hangup,
        })
    }

    fn add(&self, event_id: u64, frame: Bytes, queue: impl FnOnce(&mut State) -> &mut Frames) {
        let mut state = self.lock();
        let is_known = event_id != 0 && event_id <= state.replayed;
        if state.end.is_some() || is_known {
            return;
        }
        let frames = queue(&mut state);
        if !frames.has_room(&frame, self.bounds) {
            *state = State {
                end: Some(End::Farewell(SLOW)),
                ..State::default()
            };
            drop(state);
            self.announce_end();
            return;
        }
        frames.put(event_id, frame);
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
        // The fan-out was behind the log.
        outbox.push_event(7, "7".into());
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
    async fn held_events_take_no_room_from_the_replay() {
        let outbox = outbox(4, 1000);
        for _ in 0..4 {
            outbox.push_event(0, "live".into());
        }
        let replay = async {
            for _ in 0..3 {
                outbox.wait_for_room().await;
                outbox.push("replayed".into());
            }
            outbox.wait_until_taken().await;
            outbox.release(0);
        };
        let longest = std::time::Duration::from_secs(5);
        let both = async { tokio::join!(replay, frames(&outbox, 7)).1 };
        let got = tokio::time::timeout(longest, both).await.unwrap();
        assert_eq!(got[..4], ["replayed", "replayed", "replayed", "live"]);
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
