//! One connection that is in use: its scripts, and what they answer.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use gryt_model::ServerId;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisError, RedisResult, Script, ScriptInvocation, Value, cmd};

use super::primary::{Connected, Primary};
use super::record::{Record, delivery};
use crate::{Delivery, EVENTS_KEPT, EventId, LogEpoch};

static OPEN: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("open.lua")));
static APPEND: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("append.lua")));
static REPLAY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("replay.lua")));
static PULSE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("pulse.lua")));

/// How long Redis knows a process that says nothing. A command that comes later is refused.
const WRITER_LIFE: Duration = Duration::from_secs(600);

/// The keys of one server and the channel, as one process uses them.
#[derive(Debug)]
pub(super) struct Names {
    /// Epoch, head, count of live events, and the run of Redis under which they are whole.
    pub(super) log: String,
    events: String,
    texts: String,
    told: String,
    /// What this process wrote last.
    writer: String,
    channel: String,
}

impl Names {
    pub(super) fn new(server: &ServerId, process: &str) -> Self {
        Self {
            log: format!("{{{server}}}:bus:log"),
            events: format!("{{{server}}}:bus:events"),
            texts: format!("{{{server}}}:bus:texts"),
            told: format!("{{{server}}}:bus:told"),
            writer: format!("{{{server}}}:bus:writer:{process}"),
            channel: format!("{{{server}}}:bus"),
        }
    }
}

/// How far a process has followed the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: LogEpoch,
    pub(super) event_id: u64,
    /// Who wrote that event and when: another one under the same id has another mark.
    pub(super) mark: String,
    /// How many live events there were.
    pub(super) live: u64,
    /// Which start of which Redis said so: random, empty where the user may not ask.
    pub(super) run: String,
}

/// What the log is like when a process begins to use it.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) connected: Connected,
    pub(super) head: Place,
    /// This process's last batch in the log, and the id of its first durable event.
    pub(super) written: Option<(u64, u64)>,
}

/// A connection that the log knows as this process's one.
#[derive(Debug, Clone)]
pub(super) struct Session {
    connection: MultiplexedConnection,
    names: Arc<Names>,
    token: Arc<str>,
    epoch: LogEpoch,
    publish: &'static str,
}

/// What follows an event in the log.
#[derive(Debug)]
pub(super) enum Found {
    Events(Vec<(String, Delivery)>),
    /// With the newest event's id and mark.
    Trimmed(u64, String),
    OtherEpoch,
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("redis did not do it")]
    Refused(#[from] RedisError),
    /// `from` says where the password came from.
    #[error("redis refuses user \"{user}\": wrong name or password{from}")]
    SignIn {
        user: String,
        from: String,
        source: RedisError,
    },
    #[error("cannot read the password in \"{}\"", path.display())]
    ReadPassword {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("redis closed the connection")]
    Closed,
    #[error("another connection of this process took over")]
    Fenced,
    #[error("the log is another one")]
    OtherEpoch,
    #[error("redis answered something else")]
    Unexpected,
}

/// A batch in the form in which it is sent.
pub(super) struct Batch<'a> {
    pub(super) number: u64,
    pub(super) mark: &'a str,
    /// How many live events were dropped before it.
    pub(super) lost: u64,
    pub(super) events: Vec<(bool, &'a Record)>,
}

impl Session {
    /// Connects, listens, and takes its place in the log, which is made or renewed with `fresh`.
    pub(super) async fn open(
        primary: &mut Primary,
        names: &Arc<Names>,
        fresh: &LogEpoch,
        seen: Option<&Place>,
    ) -> Result<Opened, Broken> {
        let mut connected = primary.connect().await?;
        let connection = &mut connected.connection;
        let facts = Facts::ask(connection).await?;
        let (subscribe, publish) = facts.channel_commands(primary.is_cluster());
        // Before the head is read, so that everything above it comes.
        cmd(subscribe)
            .arg(&names.channel)
            .exec_async(connection)
            .await?;
        let seen_mark = seen.map_or("", |seen| &seen.mark);
        let answer: Vec<String> = names
            .invoke(&OPEN)
            .arg(fresh.as_str())
            .arg(fresh.as_str())
            .arg(&facts.run)
            .arg(millis(WRITER_LIFE))
            .arg(seen.map_or("", |seen| seen.epoch.as_str()))
            .arg(seen.map_or(0, |seen| seen.event_id))
            .arg(seen_mark)
            .invoke_async(connection)
            .await?;
        let [epoch, head, mark, live, batch, first] =
            <[String; 6]>::try_from(answer).map_err(|_| Broken::Unexpected)?;
        let head = Place {
            epoch: LogEpoch::from_wire(&epoch),
            event_id: number(&head)?,
            mark,
            live: number(&live)?,
            run: facts.run,
        };
        let written = match batch.as_str() {
            "" => None,
            batch => Some((number(batch)?, number(&first)?)),
        };
        let session = Self {
            connection: connected.connection.clone(),
            names: Arc::clone(names),
            token: fresh.as_str().into(),
            epoch: head.epoch.clone(),
            publish,
        };
        Ok(Opened {
            session,
            connected,
            head,
            written,
        })
    }

    /// Writes a batch, and gives back the id of its first durable event. The batch is copied, so that
    /// the answer can be awaited beside other work.
    pub(super) fn append(&self, batch: &Batch<'_>) -> BoxFuture<'static, Result<u64, Broken>> {
        let mut append = self.names.invoke(&APPEND);
        append
            .arg(self.epoch.as_str())
            .arg(&*self.token)
            .arg(batch.number)
            .arg(batch.mark)
            .arg(EVENTS_KEPT)
            .arg(batch.lost)
            .arg(self.publish)
            .arg(&self.names.channel)
            .arg(millis(WRITER_LIFE));
        for (is_durable, record) in &batch.events {
            append
                .arg(if *is_durable { "E" } else { "L" })
                .arg(&record.body)
                .arg(&record.text)
                .arg(&record.about)
                .arg(&record.erased);
        }
        let mut connection = self.connection.clone();
        Box::pin(async move {
            let answer: Vec<String> = append.invoke_async(&mut connection).await?;
            number(accepted(&answer)?.first().ok_or(Broken::Unexpected)?)
        })
    }

    /// Says that this process is there, and asks how far the log is.
    pub(super) async fn pulse(&mut self) -> Result<(u64, u64), Broken> {
        let mut pulse = self.names.invoke(&PULSE);
        pulse.arg(&*self.token).arg(millis(WRITER_LIFE));
        let answer: Vec<String> = pulse.invoke_async(&mut self.connection).await?;
        let [epoch, head, live] = accepted(&answer)? else {
            return Err(Broken::Unexpected);
        };
        if *epoch != self.epoch.as_str() {
            return Err(Broken::OtherEpoch);
        }
        Ok((number(head)?, number(live)?))
    }

    /// Asks for the epoch and the newest event; `None` while there is no log.
    pub(super) async fn head(&mut self) -> Result<Option<(LogEpoch, EventId)>, Broken> {
        let ask = cmd("HMGET")
            .arg(&self.names.log)
            .arg("epoch")
            .arg("head")
            .to_owned();
        let head: (Option<String>, Option<u64>) = ask.query_async(&mut self.connection).await?;
        let (Some(epoch), Some(event_id)) = head else {
            return Ok(None);
        };
        Ok(Some((LogEpoch::from_wire(&epoch), EventId(event_id))))
    }

    /// Reads up to `limit` events after this one, with their marks.
    pub(super) async fn replay(
        &mut self,
        epoch: &LogEpoch,
        after: u64,
        limit: u32,
    ) -> Result<Found, Broken> {
        // Redis counts in 63 bits and Lua in 53: such an id is none that we gave.
        if after > 1 << 53 {
            return Ok(Found::OtherEpoch);
        }
        let mut replay = self.names.invoke(&REPLAY);
        replay.arg(epoch.as_str()).arg(after).arg(limit);
        let answer: Vec<Value> = replay.invoke_async(&mut self.connection).await?;
        let mut answer = answer.into_iter();
        let status: String = redis::from_redis_value(answer.next().ok_or(Broken::Unexpected)?)
            .map_err(RedisError::from)?;
        match status.as_str() {
            "OK" => {}
            "OTHER" => return Ok(Found::OtherEpoch),
            "TRIMMED" => {
                let mut part = || answer.next().ok_or(Broken::Unexpected);
                let head = redis::from_redis_value(part()?).map_err(RedisError::from)?;
                let mark = redis::from_redis_value(part()?).map_err(RedisError::from)?;
                return Ok(Found::Trimmed(head, mark));
            }
            _ => return Err(Broken::Unexpected),
        }
        let parts: Vec<Vec<u8>> = answer
            .skip(1)
            .map(redis::from_redis_value)
            .collect::<Result<_, _>>()
            .map_err(RedisError::from)?;
        let events = parts.chunks_exact(4).map(|parts| {
            let [id, body, mark, text] = parts else {
                return None;
            };
            let text_of = |bytes| str::from_utf8(bytes).ok();
            let event = delivery(text_of(id)?.parse().ok()?, body, text_of(text)?);
            Some((text_of(mark)?.to_owned(), event))
        });
        let events: Option<Vec<_>> = events.collect();
        events.map(Found::Events).ok_or(Broken::Unexpected)
    }
}

impl Names {
    fn invoke<'a>(&self, script: &'a Script) -> ScriptInvocation<'a> {
        let mut invocation = script.prepare_invoke();
        invocation
            .key(&self.log)
            .key(&self.events)
            .key(&self.texts)
            .key(&self.told)
            .key(&self.writer);
        invocation
    }
}

/// What a push tells on a channel; `None` if it is of another kind.
pub(super) fn told(push: &PushInfo) -> Result<Option<&[u8]>, Broken> {
    // A shard channel whose slot moves away is unsubscribed by the server.
    if matches!(
        push.kind,
        PushKind::Disconnection | PushKind::Unsubscribe | PushKind::SUnsubscribe
    ) {
        return Err(Broken::Closed);
    }
    if !matches!(push.kind, PushKind::Message | PushKind::SMessage) {
        return Ok(None);
    }
    match push.data.last() {
        Some(Value::BulkString(payload)) => Ok(Some(payload)),
        Some(_) | None => Err(Broken::Unexpected),
    }
}

/// What a Redis process says of itself.
pub(super) struct Facts {
    /// Random, made at its start; empty where the user may not ask.
    run: String,
    has_shard_channels: bool,
}

impl Facts {
    pub(super) async fn ask(connection: &mut MultiplexedConnection) -> RedisResult<Self> {
        let asked: RedisResult<String> = cmd("INFO").arg("server").query_async(connection).await;
        let text = match asked {
            Ok(text) => text,
            Err(error) if error.code() == Some("NOPERM") => {
                tracing::warn!("redis user may not ask for INFO server: grant +info|server");
                String::new()
            }
            Err(error) => return Err(error),
        };
        let value = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            lines
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.trim())
                .next()
        };
        let major = value("redis_version").and_then(|version| version.split('.').next());
        Ok(Self {
            run: value("run_id").unwrap_or_default().to_owned(),
            has_shard_channels: major.and_then(|m| m.parse().ok()).unwrap_or(0u32) >= 7,
        })
    }

    /// How to hear and to tell. In a cluster without shard channels every node hears everything.
    pub(super) fn channel_commands(&self, in_cluster: bool) -> (&'static str, &'static str) {
        if in_cluster && self.has_shard_channels {
            ("SSUBSCRIBE", "SPUBLISH")
        } else {
            ("SUBSCRIBE", "PUBLISH")
        }
    }
}

fn accepted(answer: &[String]) -> Result<&[String], Broken> {
    match answer.split_first() {
        Some((status, rest)) if status == "OK" => Ok(rest),
        Some((status, _)) if status == "FENCED" => Err(Broken::Fenced),
        Some((status, _)) if status == "OTHER" => Err(Broken::OtherEpoch),
        Some(_) | None => Err(Broken::Unexpected),
    }
}

pub(super) fn number(text: &str) -> Result<u64, Broken> {
    text.parse().map_err(|_| Broken::Unexpected)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
