//! [`Bus`] between the processes of one server: log and fan-out in Redis.
//!
//! Everything of a server lies under one hash tag, `{server id}:bus:*`, and is told on the channel
//! `{server id}:bus`, so it belongs to one Redis process at a time, and one connection does all:
//!
//! - The log is a stream of the newest [`EVENTS_KEPT`](crate::EVENTS_KEPT) events, trimmed exactly,
//!   entry `n-0` being event `n`. The texts of messages lie beside it in a hash, because a stream's
//!   entries cannot be changed and a deleted message's text has to go. One server takes at most
//!   10,000 times the size of its events: a few MiB as a rule, 160 MiB if all were messages of 16 KiB.
//! - One script writes a batch to the log and tells it. Ids ascend by one, so the previous id is
//!   known and a gap shows; live events are counted, too, so that it shows when they are lost.
//! - A new connection of a process fences its older ones and asks which batch is in the log. So an
//!   event whose answer was lost is not written twice, however late the first command arrives.
//! - A restart of Redis or a failover may bring an older log. A process that was there names the
//!   last event it saw; unless that one stands where it stood, the log begins anew under another
//!   epoch. A process that was not there renews the log of another run of Redis without asking:
//!   nobody is left who knows whether it is whole.
//!
//! A user of Redis needs the keys `~{server id}:*`, the channels `&{server id}:*` and the commands in
//! [`RedisBus::COMMANDS`]: [`provision`] makes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE32_NOPAD;
use gryt_model::ServerId;
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::{Bus, Cursor, DurableEvent, Error, EventId, LiveEvent, Replay, Subscription};

mod administration;
mod config;
mod link;
mod nodes;
mod outage;
mod presence;
mod primary;
pub(crate) mod quota;
mod record;
mod session;
mod sign_in;
mod user;

pub use administration::{AdministrationError, Why, provision, purge};
pub use config::{InvalidRedisConfig, RedisConfig};
pub use presence::start_presence;
pub use user::user_name;

use link::{Kind, Link, Outgoing, Progress, Shared, State};
use primary::Primary;
use record::Record;
use session::{Broken, Found, Names, Session};

/// The bus of a server that runs in several processes.
#[derive(Debug)]
pub struct RedisBus {
    queue: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
}

/// Redis did not do what was asked in time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("redis did not answer in time")]
pub struct Unanswered(#[source] Option<Arc<Broken>>);

impl RedisBus {
    /// How long a call waits for Redis, reconnecting meanwhile, before it fails.
    pub const PATIENCE: Duration = Duration::from_secs(5);
    /// How many events wait to be written. A durable one waits for its place; a live one that finds
    /// none is dropped, and every subscriber is told [`Lagged`](crate::Interrupted::Lagged).
    pub const QUEUE: usize = 1024;
    /// The commands that a user of Redis needs, as ACL rules.
    pub const COMMANDS: &'static str = "-@all +hello +auth +select +info|server \
        +cluster|slots +cluster|keyslot +subscribe +ssubscribe +publish +spublish \
        +evalsha +script|load +hget +hmget +hset +hdel +del +pexpire +xadd +xrange \
        +zadd +zrem +zrangebylex +zrangebyscore +sadd +srem +smembers +time \
        +get +set +hgetall +zscore";

    /// Begins to connect, and goes on trying for as long as the bus lives. Call it within a runtime.
    /// What waits when the bus is dropped is still written, if Redis serves.
    /// `seed`: random and of this process alone; its name, its epochs and the spread of its
    /// reconnects come from it.
    #[must_use]
    pub fn start(config: RedisConfig, server: &ServerId, seed: [u8; 32]) -> Self {
        let mut dice = StdRng::from_seed(seed);
        let mut process = [0; 10];
        dice.fill_bytes(&mut process);
        let process = BASE32_NOPAD.encode(&process).to_ascii_lowercase();
        let names = Arc::new(Names::new(server, &process));
        let (queue, waiting) = mpsc::channel(Self::QUEUE);
        let (subscribers, _) = broadcast::channel(Subscription::CAPACITY);
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::Connecting(None)),
            dropped: AtomicU64::new(0),
            subscribers,
        });
        let link = Link {
            primary: Primary::new(config, names.log.clone()),
            names,
            process,
            dice,
            queue: waiting,
            shared: Arc::clone(&shared),
            progress: Progress::default(),
        };
        tokio::spawn(link.run());
        Self { queue, shared }
    }

    /// Waits until Redis serves.
    pub async fn connected(&self) {
        let mut state = self.shared.state.subscribe();
        // It fails without a sender, and that is `self`.
        let _ = state
            .wait_for(|state| matches!(state, State::Connected(_)))
            .await;
    }

    /// Whether Redis serves, as far as is known: for figures, never for readiness.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(*self.shared.state.borrow(), State::Connected(_))
    }

    /// Asks until there is an answer, over as many connections as it takes.
    async fn ask<T, Asking>(&self, ask: impl Fn(Session) -> Asking) -> Result<T, Error>
    where
        Asking: Future<Output = Result<Option<T>, Broken>>,
    {
        let mut state = self.shared.state.subscribe();
        let asking = async {
            loop {
                let session = match &*state.borrow_and_update() {
                    State::Connected(session) => Some(session.clone()),
                    State::Connecting(_) => None,
                };
                let Some(session) = session else {
                    // It fails without a sender, and that is `self`.
                    let _ = state.changed().await;
                    continue;
                };
                match ask(session).await {
                    Ok(Some(answer)) => return answer,
                    Ok(None) => {}
                    Err(broken) => {
                        tracing::debug!(error = %broken, "redis did not answer, asking again");
                    }
                }
                // The link notices, too; until then another answer is not worth a hundred questions.
                let _ = tokio::time::timeout(ASK_AGAIN, state.changed()).await;
            }
        };
        match tokio::time::timeout(Self::PATIENCE, asking).await {
            Ok(answer) => Ok(answer),
            Err(_) => Err(self.unanswered()),
        }
    }

    fn unanswered(&self) -> Error {
        let why = match &*self.shared.state.borrow() {
            State::Connecting(broken) => broken.clone(),
            State::Connected(_) => None,
        };
        Error::AskRedis(Unanswered(why))
    }
}

const ASK_AGAIN: Duration = Duration::from_millis(100);

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, event: DurableEvent) -> Result<EventId, Error> {
        let (waiting, written) = oneshot::channel();
        let outgoing = Outgoing {
            record: Record::durable(event),
            kind: Kind::Durable(waiting),
        };
        let publishing = async {
            self.queue.send(outgoing).await.ok()?;
            written.await.ok()
        };
        match tokio::time::timeout(Self::PATIENCE, publishing).await {
            Ok(Some(event_id)) => Ok(event_id),
            Ok(None) | Err(_) => Err(self.unanswered()),
        }
    }

    fn publish_live(&self, event: LiveEvent) {
        let outgoing = Outgoing {
            record: Record::live(event),
            kind: Kind::Live(Instant::now()),
        };
        if self.queue.try_send(outgoing).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.shared.subscribers.subscribe())
    }

    async fn head(&self) -> Result<Cursor, Error> {
        let head = self.ask(|mut session| async move { session.head().await });
        let (epoch, event_id) = head.await?;
        Ok(Cursor { epoch, event_id })
    }

    async fn replay(&self, after: &Cursor, limit: u32) -> Result<Replay, Error> {
        let found = self.ask(|mut session| async move {
            let Cursor { epoch, event_id } = after;
            session.replay(epoch, event_id.0, limit).await.map(Some)
        });
        Ok(match found.await? {
            Found::Events(events) => Replay::Events(
                events
                    .into_iter()
                    .map(|(_, event)| Arc::new(event))
                    .collect(),
            ),
            Found::Trimmed(..) => Replay::Trimmed,
            Found::OtherEpoch => Replay::OtherEpoch,
        })
    }
}
