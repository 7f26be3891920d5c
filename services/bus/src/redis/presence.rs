//! [`Presence`] between the processes of one server, by leases in Redis under the hash tag
//! `{server id}:presence:*`.
//!
//! Each process keeps the set of its members there and a lease, which it renews; the others read the
//! set, follow its numbered changes on the channel `{server id}:presence`, and read it anew where a
//! number is missing. A process whose lease ran out is gone, and its members with it.
//!
//! While this process is cut off from Redis everybody elsewhere stays as they were last known, and
//! for one lease after it is back: whoever was cut off, too, has time to come back.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Weak};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use gryt_model::{MemberId, ServerId};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, Script, cmd};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::config::RedisConfig;
use super::outage::Outage;
use super::primary::Primary;
use super::quota::Counting;
use super::session::{Broken, Facts, millis, number, told};
use crate::presence::elsewhere::WRITTEN_AT_ONCE;
use crate::presence::{Picture, Presence, PresenceChange, Shared};
use crate::quota::Quotas;

static CHANGE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("presence_change.lua")));
static BEAT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("presence_beat.lua")));
static READ: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("presence_read.lua")));

/// How long a process that says nothing is believed to be there.
const LEASE: Duration = Duration::from_secs(5);
/// How often a process says that it is there, and looks for those that are gone: within a lease and
/// one beat after a crash nobody is shown online who is not.
const BEAT_EVERY: Duration = Duration::from_millis(1500);
/// How long Redis keeps what a process left.
const LIFE: Duration = Duration::from_secs(60);

/// Begins to share the presence of a server's members with its other processes, and to count with
/// them, for as long as the returned presence lives. Call it within a runtime. `seed`: random and of
/// this process alone.
#[must_use]
pub fn start_presence(
    config: RedisConfig,
    server: &ServerId,
    seed: [u8; 32],
) -> (Presence, Quotas) {
    let mut dice = StdRng::from_seed(seed);
    let mut process = [0; 10];
    dice.fill_bytes(&mut process);
    let names = Names {
        leases: format!("{{{server}}}:presence:leases"),
        versions: format!("{{{server}}}:presence:versions"),
        members: format!("{{{server}}}:presence:of:"),
        channel: format!("{{{server}}}:presence"),
    };
    let process = BASE32_NOPAD.encode(&process).to_ascii_lowercase();
    let (connected, connection) = watch::channel(None);
    let quotas = Quotas {
        counting: Some(Counting {
            prefix: format!("{{{server}}}:quota:"),
            leases: names.leases.clone(),
            process: process.clone(),
            connection,
        }),
    };
    let presence = Presence::shared();
    let keeper = Keeper {
        primary: Primary::new(config, names.leases.clone()),
        names,
        process,
        dice,
        shared: Arc::downgrade(&presence.shared),
        version: 0,
        connected,
    };
    tokio::spawn(keeper.run());
    (presence, quotas)
}

struct Names {
    /// Until when each process is there, by Redis's clock in ms.
    leases: String,
    /// Which state of each process's members is written.
    versions: String,
    /// Followed by a process's name: its members.
    members: String,
    channel: String,
}

/// The one task that holds the connection.
struct Keeper {
    primary: Primary,
    names: Names,
    process: String,
    dice: StdRng,
    shared: Weak<Shared>,
    /// Of what this process wrote last, or tried to.
    version: u64,
    /// The connection, while there is one.
    connected: watch::Sender<Option<MultiplexedConnection>>,
}

/// A connection that is in use.
struct Line {
    connection: MultiplexedConnection,
    pushes: mpsc::Receiver<PushInfo>,
    publish: &'static str,
    opened_at: Instant,
}

impl Keeper {
    /// Runs until nobody holds the presence any more.
    async fn run(mut self) {
        let mut outage = Outage::of("presence");
        while let Some(shared) = self.shared.upgrade() {
            let broken = match self.open(&shared).await {
                Ok(line) => {
                    outage.end(Instant::now());
                    drop(shared);
                    self.connected.send_replace(Some(line.connection.clone()));
                    let served = self.serve(line).await;
                    self.connected.send_replace(None);
                    match served {
                        Ok(()) => return,
                        Err(broken) => broken,
                    }
                }
                Err(broken) => broken,
            };
            outage.begin(&broken, Instant::now());
            tokio::time::sleep(outage.pause(self.dice.random())).await;
        }
    }

    async fn open(&mut self, shared: &Shared) -> Result<Line, Broken> {
        let connected = self.primary.connect().await?;
        let mut connection = connected.connection;
        let facts = Facts::ask(&mut connection).await?;
        let (subscribe, publish) = facts.channel_commands(self.primary.is_cluster());
        cmd(subscribe)
            .arg(&self.names.channel)
            .exec_async(&mut connection)
            .await?;
        let mut line = Line {
            connection,
            pushes: connected.pushes,
            publish,
            opened_at: Instant::now(),
        };
        self.write_all(shared, &mut line).await?;
        Ok(line)
    }

    /// Serves until the connection breaks; `Ok` once nobody holds the presence any more.
    async fn serve(&mut self, mut line: Line) -> Result<(), Broken> {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(shared) = self.shared.upgrade() {
            tokio::select! {
                push = line.pushes.recv() => {
                    let push = push.ok_or(Broken::Closed)?;
                    self.hear(&shared, &mut line, push).await?;
                }
                () = shared.unwritten.notified() => self.write(&shared, &mut line).await?,
                _ = beat.tick() => self.beat(&shared, &mut line).await?,
            }
        }
        Ok(())
    }

    async fn write(&mut self, shared: &Shared, line: &mut Line) -> Result<(), Broken> {
        let Some(changes) = shared.with(Picture::take_unwritten) else {
            return self.write_all(shared, line).await;
        };
        if changes.is_empty() {
            return Ok(());
        }
        let changes = changes.iter().map(|PresenceChange { member, online }| {
            let sign = if *online { '+' } else { '-' };
            format!("{sign}{member}")
        });
        let answer = self.change(line, "some", changes.collect()).await?;
        match answer.as_str() {
            "OK" => Ok(()),
            // Redis was emptied or is an older copy.
            "LOST" => self.write_all(shared, line).await,
            _ => Err(Broken::Fenced),
        }
    }

    async fn write_all(&mut self, shared: &Shared, line: &mut Line) -> Result<(), Broken> {
        let members = shared.with(Picture::take_here);
        let members = members.iter().map(ToString::to_string).collect();
        match self.change(line, "all", members).await?.as_str() {
            "OK" => Ok(()),
            _ => Err(Broken::Fenced),
        }
    }

    async fn change(
        &mut self,
        line: &mut Line,
        how: &str,
        what: Vec<String>,
    ) -> Result<String, Broken> {
        self.version += 1;
        let names = &self.names;
        let answer = CHANGE
            .key(&names.leases)
            .key(&names.versions)
            .key(names.members_of(&self.process))
            .arg(&self.process)
            .arg(self.version)
            .arg(millis(LEASE))
            .arg(millis(LIFE))
            .arg(line.publish)
            .arg(&names.channel)
            .arg(how)
            .arg(what)
            .invoke_async(&mut line.connection)
            .await?;
        Ok(answer)
    }

    /// Says that this process is there, takes in what it missed of the others, and lets go of those
    /// whose lease has run out.
    async fn beat(&mut self, shared: &Shared, line: &mut Line) -> Result<(), Broken> {
        let names = &self.names;
        let answer: Vec<String> = BEAT
            .key(&names.leases)
            .key(&names.versions)
            .key(names.members_of(&self.process))
            .arg(&self.process)
            .arg(self.version)
            .arg(millis(LEASE))
            .arg(millis(LIFE))
            .invoke_async(&mut line.connection)
            .await?;
        let Some((status, processes)) = answer.split_first() else {
            return Err(Broken::Unexpected);
        };
        if status != "OK" {
            return self.write_all(shared, line).await;
        }
        let mut alive = BTreeSet::new();
        for process in processes.chunks_exact(3) {
            let [name, version, is_alive] = process else {
                return Err(Broken::Unexpected);
            };
            if *name == self.process || is_alive != "1" {
                continue;
            }
            alive.insert(name.as_str());
            let known = shared.with(|picture| picture.version_of(name));
            if known != Some(number(version)?) {
                self.read(shared, line, name).await?;
            }
        }
        if line.opened_at.elapsed() >= LEASE {
            for process in shared.with(|picture| picture.keep(|name| alive.contains(name))) {
                tracing::info!(%process, "another process of this server is gone");
            }
        }
        Ok(())
    }

    async fn read(&self, shared: &Shared, line: &mut Line, process: &str) -> Result<(), Broken> {
        let names = &self.names;
        let answer: Vec<String> = READ
            .key(&names.versions)
            .key(names.members_of(process))
            .arg(process)
            .invoke_async(&mut line.connection)
            .await?;
        // None if it is gone since: the next beat says so.
        if let Some((version, members)) = answer.split_first() {
            let version = number(version)?;
            let members: BTreeSet<MemberId> =
                members.iter().filter_map(|id| id.parse().ok()).collect();
            shared.with(|picture| picture.replace(process, version, members));
        }
        Ok(())
    }

    async fn hear(
        &mut self,
        shared: &Shared,
        line: &mut Line,
        push: PushInfo,
    ) -> Result<(), Broken> {
        let Some(payload) = told(&push)? else {
            return Ok(());
        };
        let Some(news) = Told::parse(payload) else {
            tracing::error!("what came on the channel is no presence, does another program write?");
            return Ok(());
        };
        if news.process == self.process {
            return Ok(());
        }
        let is_known = match news.changes {
            Some(changes) => {
                shared.with(|picture| picture.follow(news.process, news.version, changes))
            }
            None => false,
        };
        if is_known {
            return Ok(());
        }
        self.read(shared, line, news.process).await
    }
}

impl Names {
    fn members_of(&self, process: &str) -> String {
        format!("{}{process}", self.members)
    }
}

/// What a process says on the channel: its name, a version, and `=` or changes with signs.
struct Told<'a> {
    process: &'a str,
    version: u64,
    /// `None` if all is to be read anew.
    changes: Option<Vec<PresenceChange>>,
}

impl<'a> Told<'a> {
    fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut words = str::from_utf8(payload).ok()?.split(' ');
        let process = words.next()?;
        let version = words.next()?.parse().ok()?;
        let changes: Vec<&str> = words.take(WRITTEN_AT_ONCE + 1).collect();
        if changes == ["="] {
            return Some(Self {
                process,
                version,
                changes: None,
            });
        }
        let changes = changes.into_iter().map(|change| {
            let online = match change.chars().next()? {
                '+' => true,
                '-' => false,
                _ => return None,
            };
            Some(PresenceChange {
                member: change[1..].parse().ok()?,
                online,
            })
        });
        Some(Self {
            process,
            version,
            changes: Some(changes.collect::<Option<_>>()?),
        })
    }
}
