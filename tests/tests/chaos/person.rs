//! A scripted person of the crowd: writes at a steady rate, goes on at another process when the
//! socket is lost, talks in a room, and keeps a record for the checker.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gryt_tests::account::Site;
use gryt_tests::clock;
use gryt_tests::evidence::{Following, Heard, Sent, Violation};
use gryt_tests::voice::Voice;
use tokio::sync::watch;
use tokio::task::JoinHandle;

mod call;
mod life;
mod reading;
mod talk;

/// What all people know.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) site: Site,
    /// Where everybody writes.
    pub(crate) text_channel: String,
    /// Instants are told since then.
    pub(crate) began: Instant,
    /// How long each writer waits between two messages; `None`: nobody writes.
    pub(crate) load: watch::Receiver<Option<Duration>>,
}

impl Setting {
    /// Since the start of the run.
    pub(crate) fn now(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }
}

/// What somebody does besides holding a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Writes.
    Writer,
    /// Writes, and talks in this voice channel.
    Caller(String),
    /// Writes nothing and notes everything.
    Listener,
}

/// A person. Leaves when dropped.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) part: Part,
    record: Arc<Mutex<Record>>,
    living: JoinHandle<()>,
}

/// What became of one person since the round began.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) member_id: String,
    /// In the order of their numbers.
    pub(crate) sent: Vec<Sent>,
    /// The instant that the oldest message belongs to which is not acknowledged or not even sent.
    pub(crate) oldest_due: Option<Duration>,
    pub(crate) is_connected: bool,
    /// When a socket was lost by another's fault than the person's own.
    pub(crate) losses: Vec<Duration>,
    /// When a socket was greeted, and whether by a snapshot.
    pub(crate) greetings: Vec<(Duration, Greeting)>,
    pub(crate) violations: Vec<Violation>,
    /// Answers that no client should get.
    pub(crate) complaints: Vec<String>,
    /// Of a listener.
    pub(crate) heard: Heard,
    /// Who a listener was told to be online.
    pub(crate) online: BTreeSet<String>,
    /// Of a caller: the place in the room.
    pub(crate) seat: Option<Seat>,
    /// The latest answer to a message that was no acknowledgment.
    last_refusal: String,
    following: Following,
    session_id: String,
    /// The highest id of a message that a listener got in its life.
    newest_message: u64,
}

/// How a session began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    Snapshot,
    Resumed,
}

/// A caller's place, and the media on it.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) voice: Arc<Voice>,
    /// Which of the person's places this is.
    pub(crate) number: u32,
    /// Where the SFU's media is: UDP.
    pub(crate) media_port: u16,
    participant_id: u32,
}

/// What one round left of a record.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) sent: Vec<Sent>,
    pub(crate) losses: Vec<Duration>,
    pub(crate) greetings: Vec<(Duration, Greeting)>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) complaints: Vec<String>,
    pub(crate) heard: Heard,
}

impl Person {
    /// Somebody with this token begins to live. `seed`: of all that they do by chance.
    pub(crate) fn enter(
        number: u32,
        part: Part,
        token: String,
        setting: Arc<Setting>,
        seed: u64,
    ) -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        let life = life::Life::new(number, &part, token, setting, Arc::clone(&record), seed);
        Self {
            part,
            record,
            living: tokio::spawn(life.live()),
        }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        lock(&self.record)
    }

    /// Takes what was noted since the last time.
    pub(crate) fn take_past(&self) -> Past {
        let mut record = self.record();
        let record = &mut *record;
        Past {
            sent: std::mem::take(&mut record.sent),
            losses: std::mem::take(&mut record.losses),
            greetings: std::mem::take(&mut record.greetings),
            violations: std::mem::take(&mut record.violations),
            complaints: std::mem::take(&mut record.complaints),
            heard: std::mem::take(&mut record.heard),
        }
    }
}

impl Record {
    /// What whoever waits in vain may want to know.
    pub(crate) fn state(&self) -> String {
        format!(
            "connected: {}, oldest message due at {:?}, last sent: {:?}, last refusal: {:?}, last \
             greeting: {:?}",
            self.is_connected,
            self.oldest_due,
            self.sent.last(),
            self.last_refusal,
            self.greetings.last()
        )
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.living.abort();
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}
