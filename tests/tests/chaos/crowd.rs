//! All scripted people of a run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gryt_proto::client::v1::{Channel, ChannelKind};
use gryt_tests::clock;
use gryt_tests::wait;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;

use crate::person::{Part, Person, Setting};
use crate::visit;
use crate::world::{Key, World};

/// How many there are of whom, and how much they write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Who write.
    pub(crate) writers: u32,
    /// How many of them talk, two to a room.
    pub(crate) callers: u32,
    /// Messages per second of all of them together.
    pub(crate) rate: f64,
}

/// Who note every event.
const LISTENERS: u32 = 4;
/// Sign-ins at the same time: each new member is told to all others.
const ENTER_AT_ONCE: usize = 8;
/// A machine that is busy with a failure takes its time to recover.
const RECOVER_WITHIN: Duration = Duration::from_secs(120);

pub(crate) struct Crowd {
    /// Listeners first, then who write.
    pub(crate) people: Vec<Person>,
    pub(crate) setting: Arc<Setting>,
    load: watch::Sender<Option<Duration>>,
    interval: Duration,
}

impl Crowd {
    /// Signs everybody in.
    pub(crate) async fn enter(world: &World, size: Size, seed: u64) -> Result<Self> {
        let owner = world.token("owner", Key::Current)?;
        let channels = visit::furnish(&world.site, &owner, size.callers.div_ceil(2)).await?;
        let of_kind = |kind| {
            channels
                .iter()
                .filter(move |channel| channel.kind() == kind)
        };
        let text = of_kind(ChannelKind::Text).next();
        let rooms: Vec<&Channel> = of_kind(ChannelKind::Voice).collect();
        let (load, loads) = watch::channel(None);
        let setting = Arc::new(Setting {
            site: world.site.clone(),
            text_channel: text.context("no text channel")?.channel_id.clone(),
            began: clock::now(),
            load: loads,
        });
        let mut crowd = Self {
            people: Vec::new(),
            setting,
            load,
            interval: Duration::from_secs_f64(f64::from(size.writers) / size.rate),
        };
        let mut dice = StdRng::seed_from_u64(seed);
        for number in 0..LISTENERS + size.writers {
            let part = match number.checked_sub(LISTENERS) {
                None => Part::Listener,
                Some(writer) if writer < size.callers => {
                    let room = rooms[usize::try_from(writer / 2)?];
                    Part::Caller(room.channel_id.clone())
                }
                Some(_) => Part::Writer,
            };
            let token = world.token(&format!("person {number}"), Key::Current)?;
            let setting = Arc::clone(&crowd.setting);
            let person = Person::enter(number, part, token, setting, dice.random());
            crowd.people.push(person);
            crowd.until_fewer_are_away(ENTER_AT_ONCE).await?;
        }
        crowd.until_fewer_are_away(1).await?;
        Ok(crowd)
    }

    pub(crate) fn listeners(&self) -> impl Iterator<Item = &Person> {
        self.people
            .iter()
            .filter(|person| person.part == Part::Listener)
    }

    /// Those who talk, with their place among all people.
    pub(crate) fn callers(&self) -> impl Iterator<Item = (usize, &Person)> {
        let is_caller = |(_, person): &(usize, &Person)| matches!(person.part, Part::Caller(_));
        self.people.iter().enumerate().filter(is_caller)
    }

    pub(crate) fn begin_load(&self) {
        self.load.send_replace(Some(self.interval));
    }

    /// What was sent is sent until it is acknowledged.
    pub(crate) fn end_load(&self) {
        self.load.send_replace(None);
    }

    /// Waits until everybody has a session and everything that was due by then is acknowledged.
    ///
    /// # Errors
    /// Says who has not.
    pub(crate) async fn until_caught_up(&self, by: Duration) -> Result<()> {
        self.until("caught up", |person| {
            let record = person.record();
            record.is_connected && record.oldest_due.is_none_or(|due| due > by)
        })
        .await
    }

    /// Waits until everybody has a session and nobody waits for an answer.
    ///
    /// # Errors
    /// Says who has not.
    pub(crate) async fn until_quiet(&self) -> Result<()> {
        let is_quiet = |person: &Person| {
            let record = person.record();
            record.is_connected && record.oldest_due.is_none()
        };
        self.until("quiet", is_quiet).await?;
        let acknowledged = self.people.iter().filter_map(|person| {
            let last = person.record().sent.last().copied();
            Some(last?.acknowledged?.message_id)
        });
        let acknowledged: BTreeSet<u64> = acknowledged.collect();
        self.until("told of every message", |person| {
            person.part != Part::Listener
                || person.record().heard.messages.is_superset(&acknowledged)
        })
        .await
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Person) -> bool) -> Result<()> {
        let deadline = clock::now() + RECOVER_WITHIN;
        loop {
            let mut others = self
                .people
                .iter()
                .enumerate()
                .filter(|(_, person)| !is_so(person));
            let Some((number, person)) = others.next() else {
                return Ok(());
            };
            if clock::now() > deadline {
                let (more, now) = (others.count(), self.setting.now());
                bail!(
                    "person {number} is not {what} after {RECOVER_WITHIN:?}, nor are {more} more; at \
                     {now:?}: {}",
                    person.record().state()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_fewer_are_away(&self, most: usize) -> Result<()> {
        let away = |person: &&Person| !person.record().is_connected;
        wait::until("people are let in", || {
            (self.people.iter().filter(away).count() < most).then_some(())
        })
        .await
    }
}
