//! After a snapshot a listener reads the history again, as a page does that shows it: what was told
//! to nobody is seen then.

use std::time::{Duration, Instant};

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_tests::clock;

const TRY_AGAIN: Duration = Duration::from_millis(500);
/// Ids begin with milliseconds; a minute before the newest known message all was told, or is read
/// with it.
const OVERLAP: u64 = 60_000 << 16;

pub(super) struct Reading {
    before: u64,
    down_to: u64,
    pub(super) read_at: Instant,
}

impl Reading {
    /// From the newest message down to what was known, with some overlap.
    pub(super) fn down_to(newest_known: u64) -> Self {
        Self {
            before: 0,
            down_to: newest_known.saturating_sub(OVERLAP),
            read_at: clock::now(),
        }
    }

    pub(super) fn request(&self, channel_id: String) -> Request {
        Request::FetchMessages(wire::FetchMessages {
            channel_id,
            before_message_id: self.before,
            limit: 100,
        })
    }

    /// Not now.
    pub(super) fn refused(&mut self) {
        self.read_at = clock::now() + TRY_AGAIN;
    }

    /// Goes on to the page before this one; false if there is nothing more to read.
    pub(super) fn turn(&mut self, page: &wire::MessagePage) -> bool {
        self.read_at = clock::now();
        self.before = page.messages.first().map_or(0, |first| first.message_id);
        page.has_more && self.before > self.down_to
    }
}
