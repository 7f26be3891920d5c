//! One socket of a person: requests on their way, and when each was asked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gryt_proto::client::v1::ClientFrame;
use gryt_proto::client::v1::client_frame::Request;
use gryt_tests::clock;
use gryt_tests::socket::{self, Bare};

/// A request that is answered later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Hello,
    Ping,
    Send,
    Join,
    Answer,
    Fetch,
}

/// Without an answer for so long the socket is given up, as it may be half-open.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Well below the server's interval, so that a busy machine is not taken for a dead client.
const PING_EVERY: Duration = Duration::from_secs(8);

pub(super) struct Talk {
    pub(super) socket: Bare,
    pub(super) is_greeted: bool,
    waiting: BTreeMap<u64, (Ask, Instant)>,
    last_id: u64,
    ping_at: Instant,
}

impl Talk {
    pub(super) fn new(socket: Bare) -> Self {
        Self {
            socket,
            is_greeted: false,
            waiting: BTreeMap::new(),
            last_id: 0,
            ping_at: clock::now() + PING_EVERY,
        }
    }

    /// Sends a request; `None` if the socket is lost.
    pub(super) async fn ask(&mut self, ask: Ask, request: Request) -> Option<()> {
        self.last_id += 1;
        self.waiting.insert(self.last_id, (ask, clock::now()));
        let frame = ClientFrame {
            request_id: self.last_id,
            request: Some(request),
        };
        socket::send(&mut self.socket, &frame).await.ok()
    }

    /// What this was the answer to.
    pub(super) fn answered(&mut self, request_id: u64) -> Option<Ask> {
        self.waiting.remove(&request_id).map(|(ask, _)| ask)
    }

    /// Whether such a request is on its way.
    pub(super) fn waits_for(&self, ask: Ask) -> bool {
        self.waiting.values().any(|(waiting, _)| *waiting == ask)
    }

    /// When [`Self::keep_up`] has something to do.
    pub(super) fn due(&self) -> Instant {
        let asked = self
            .waiting
            .values()
            .map(|(_, asked)| *asked + ANSWER_WITHIN);
        asked.fold(self.ping_at, Instant::min)
    }

    /// Pings; `None` if the server is silent.
    pub(super) async fn keep_up(&mut self, now: Instant) -> Option<()> {
        if self
            .waiting
            .values()
            .any(|(_, asked)| *asked + ANSWER_WITHIN <= now)
        {
            return None;
        }
        if self.ping_at <= now {
            self.ping_at = now + PING_EVERY;
            if self.is_greeted {
                let ping = Request::Ping(gryt_proto::client::v1::Ping {});
                return self.ask(Ask::Ping, ping).await;
            }
        }
        Some(())
    }
}
