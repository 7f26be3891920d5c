//! How often a member may do things, over all their sessions and both doors.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gryt_model::MemberId;

use crate::refusal::Refusal;

/// What is limited. Each has its own allowance, so that reading never blocks writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Send a message.
    Send,
    /// Edit a message.
    Edit,
    /// Delete a message.
    Delete,
    /// Read a page of history.
    Fetch,
    /// Begin to upload a file.
    Upload,
    /// Go on with an upload, or ask for a file.
    Transfer,
}

/// An allowance: so many at once, and so many per second for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once, after a pause.
    pub burst: u32,
    /// How many per second in the long run.
    pub per_second: u32,
}

impl Act {
    /// A fast typist sends two messages a second; ten lets a client send its queue after a
    /// reconnect, and still stops a flood.
    pub const SEND: Rate = Rate {
        burst: 60,
        per_second: 10,
    };
    /// Edits are rarer than messages.
    pub const EDIT: Rate = Rate {
        burst: 30,
        per_second: 5,
    };
    /// A moderator who cleans up clicks quickly.
    pub const DELETE: Rate = Rate {
        burst: 60,
        per_second: 10,
    };
    /// Scrolling through history takes pages of up to 100 messages.
    pub const FETCH: Rate = Rate {
        burst: 60,
        per_second: 20,
    };

    /// Ten files of one message, and the next message.
    pub const UPLOAD: Rate = Rate {
        burst: 30,
        per_second: 2,
    };
    /// A screen of pictures, each with a link of its own.
    pub const TRANSFER: Rate = Rate {
        burst: 200,
        per_second: 20,
    };

    /// Its allowance per member.
    #[must_use]
    pub fn rate(self) -> Rate {
        match self {
            Self::Send => Self::SEND,
            Self::Edit => Self::EDIT,
            Self::Delete => Self::DELETE,
            Self::Fetch => Self::FETCH,
            Self::Upload => Self::UPLOAD,
            Self::Transfer => Self::TRANSFER,
        }
    }
}

impl Rate {
    /// The time in which the allowance grows by one.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }

    /// The time in which a spent allowance is full again.
    fn window(self) -> Duration {
        self.interval() * self.burst
    }
}

/// What every member has left. Remembers only those who are not back to their full allowance, and
/// at most [`Limits::MEMBERS`] of them: past that those closest to full are forgotten, which gives
/// them their burst back.
#[derive(Debug, Default)]
pub struct Limits {
    by_member: BTreeMap<MemberId, Allowance>,
}

/// When each allowance is full again, as in the generic cell rate algorithm (ITU-T I.371 annex A):
/// one instant is the whole token bucket.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    send: Instant,
    edit: Instant,
    delete: Instant,
    fetch: Instant,
    upload: Instant,
    transfer: Instant,
}

impl Limits {
    /// How many members are remembered at most: about 1 MB.
    pub const MEMBERS: usize = 10_000;

    /// Takes one of the member's allowance for `act`.
    ///
    /// # Errors
    /// [`Refusal::RateLimited`] if there is none left. A refusal takes nothing.
    pub fn take(&mut self, member: &MemberId, act: Act, now: Instant) -> Result<(), Refusal> {
        if !self.by_member.contains_key(member) {
            self.make_room(now);
        }
        let allowance = self
            .by_member
            .entry(member.clone())
            .or_insert_with(|| Allowance::full(now));
        let rate = act.rate();
        let full_at = allowance.full_at(act);
        let after = (*full_at).max(now) + rate.interval();
        let wanted = after.saturating_duration_since(now);
        match wanted.checked_sub(rate.window()) {
            None | Some(Duration::ZERO) => {
                *full_at = after;
                Ok(())
            }
            Some(retry_after) => Err(Refusal::RateLimited { retry_after }),
        }
    }

    fn make_room(&mut self, now: Instant) {
        if self.by_member.len() < Self::MEMBERS {
            return;
        }
        self.by_member
            .retain(|_, allowance| allowance.all_full_at() > now);
        if self.by_member.len() < Self::MEMBERS {
            return;
        }
        // A tenth at once, so that a crowd of strangers does not cost a scan each.
        let mut full_at: Vec<Instant> = self
            .by_member
            .values()
            .map(Allowance::all_full_at)
            .collect();
        let (_, last_forgotten, _) = full_at.select_nth_unstable(Self::MEMBERS / 10);
        self.by_member
            .retain(|_, allowance| allowance.all_full_at() > *last_forgotten);
    }
}

impl Allowance {
    fn full(now: Instant) -> Self {
        Self {
            send: now,
            edit: now,
            delete: now,
            fetch: now,
            upload: now,
            transfer: now,
        }
    }

    fn full_at(&mut self, act: Act) -> &mut Instant {
        match act {
            Act::Send => &mut self.send,
            Act::Edit => &mut self.edit,
            Act::Delete => &mut self.delete,
            Act::Fetch => &mut self.fetch,
            Act::Upload => &mut self.upload,
            Act::Transfer => &mut self.transfer,
        }
    }

    fn all_full_at(&self) -> Instant {
        let Self {
            send,
            edit,
            delete,
            fetch,
            upload,
            transfer,
        } = *self;
        let talking = send.max(edit).max(delete).max(fetch);
        talking.max(upload).max(transfer)
    }
}

#[cfg(test)]
mod tests;
