//! Breaks a part and mends it, and measures what only shows meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::future::{join_all, try_join_all};
use gryt_proto::client::v1::Reason;
use gryt_tests::account::Site;
use gryt_tests::clock;
use gryt_tests::wait::{PATIENCE, until_answered};
use nix::sys::signal::Signal;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::calls::hears_somebody;
use crate::crowd::Crowd;
use crate::fault::Fault;
use crate::person::{Past, Person};
use crate::visit::{self, Entrance};
use crate::world::{Key, World};

/// How long a part is away that is not killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause(pub(crate) Duration);

/// A part that was killed and has to be started again.
#[derive(Debug, Clone, Copy)]
enum Part {
    Signaling(usize),
    Sfu(usize),
}

/// What happened; instants since the start of the run.
#[derive(Debug, Default)]
pub(super) struct Struck {
    pub(super) struck_at: Duration,
    /// When nothing was broken any more but what others make up for.
    pub(super) healed_at: Duration,
    pub(super) killed_media_port: Option<u16>,
    /// For each caller of the killed SFU: how long they heard nobody.
    pub(super) voice_back: Vec<Duration>,
    /// How long after the issuer's return a token by its new key was good everywhere.
    pub(super) sign_in_back: Option<Duration>,
    pub(super) failures: Vec<String>,
    killed: Option<Part>,
}

pub(super) async fn strike(
    fault: Fault,
    pause: Pause,
    world: &mut World,
    crowd: &Crowd,
) -> Result<Struck> {
    let mut struck = Struck {
        struck_at: crowd.setting.now(),
        ..Struck::default()
    };
    struck.healed_at = struck.struck_at;
    match fault {
        Fault::SignalingKilled => {
            struck.killed = Some(Part::Signaling(world.kill_busiest_signaling()));
        }
        // A program is started and waited for: no other task may have to run on this thread.
        Fault::RedisKilled => block_in_place(|| {
            world.redis.kill();
            world.redis.start_again();
        }),
        Fault::RedisEmptied => block_in_place(|| {
            world.redis.kill();
            world.redis.start_again_empty();
        }),
        Fault::RedisPaused => {
            world.redis.pause();
            sleep(pause.0).await;
            world.redis.go_on();
            struck.healed_at = crowd.setting.now();
        }
        Fault::DatabasePaused => {
            world.signal_database(Signal::SIGSTOP)?;
            sleep(pause.0).await;
            world.signal_database(Signal::SIGCONT)?;
            struck.healed_at = crowd.setting.now();
        }
        Fault::SfuKilled => kill_sfu(world, crowd, &mut struck).await?,
        Fault::IssuerGone => leave_without_issuer(pause, world, crowd, &mut struck).await?,
    }
    Ok(struck)
}

impl Struck {
    /// Starts again what was killed.
    pub(super) async fn mend(&self, world: &mut World) -> Result<()> {
        match self.killed {
            Some(Part::Signaling(number)) => world.start_signaling_again(number).await,
            Some(Part::Sfu(number)) => world.start_sfu_again(number).await,
            None => Ok(()),
        }
    }

    /// How long after the fault, or its end, the last session was there again that was lost.
    pub(super) fn sessions_back(&self, past: &[Past]) -> Duration {
        let back = past.iter().flat_map(|past| {
            past.losses.iter().filter_map(|lost_at| {
                let greetings = past.greetings.iter().map(|(at, _)| *at);
                greetings.filter(|at| at >= lost_at).min()
            })
        });
        let last = back.max().unwrap_or_default();
        last.saturating_sub(self.healed_at)
    }
}

/// Kills the SFU with the most callers, and waits until each of them hears somebody again.
async fn kill_sfu(world: &mut World, crowd: &Crowd, struck: &mut Struck) -> Result<()> {
    let mut on: BTreeMap<u16, Vec<(&Person, u32)>> = BTreeMap::new();
    for (_, person) in crowd.callers() {
        if let Some(seat) = &person.record().seat {
            on.entry(seat.media_port)
                .or_default()
                .push((person, seat.number));
        }
    }
    let most = on.into_iter().max_by_key(|(_, callers)| callers.len());
    let (port, callers) = most.context("nobody is in a call")?;
    let sfu = world.sfus.iter().position(|sfu| sfu.media_port == port);
    let sfu = sfu.context("calls are on no SFU of ours")?;
    struck.killed = Some(Part::Sfu(sfu));
    struck.killed_media_port = Some(port);
    let killed_at = clock::now();
    world.kill_sfu(sfu);
    let back = callers.into_iter().map(|(person, number)| async move {
        let is_back = || async {
            let seat = person.record().seat.as_ref().map(|seat| seat.number);
            (seat != Some(number) && hears_somebody(person)).then_some(clock::now())
        };
        until_answered("a caller hears somebody again", is_back).await
    });
    for back in join_all(back).await {
        match back {
            Ok(at) => struck.voice_back.push(at - killed_at),
            Err(error) => struck.failures.push(error.to_string()),
        }
    }
    Ok(())
}

/// While the issuer is gone, known keys are good and unknown ones are refused for that reason; when
/// it is back they are good, too.
async fn leave_without_issuer(
    pause: Pause,
    world: &mut World,
    crowd: &Crowd,
    struck: &mut Struck,
) -> Result<()> {
    world.issuer.go();
    let sites = world.sites()?;
    let known = world.token("somebody new", Key::Current)?;
    let unknown = world.token("somebody newer", Key::Next)?;
    for site in &sites {
        expect(site, &known, Entrance::LetIn, struck).await?;
        let unavailable = Entrance::Refused(Reason::IssuerUnavailable);
        expect(site, &unknown, unavailable, struck).await?;
    }
    let away = crowd.setting.now() - struck.struck_at;
    sleep(pause.0.saturating_sub(away)).await;
    world.issuer.come_back().await?;
    struck.healed_at = crowd.setting.now();
    let back_at = clock::now();
    try_join_all(sites.iter().map(|site| until_let_in(site, &unknown))).await?;
    struck.sign_in_back = Some(clock::now() - back_at);
    Ok(())
}

async fn expect(site: &Site, token: &str, expected: Entrance, struck: &mut Struck) -> Result<()> {
    let entrance = visit::enter(site, token).await?;
    if entrance != expected {
        let failure = format!("without the issuer: {entrance:?} instead of {expected:?}");
        struck.failures.push(failure);
    }
    Ok(())
}

/// A set of keys is not fetched more often than every half minute.
async fn until_let_in(site: &Site, token: &str) -> Result<()> {
    let deadline = clock::now() + PATIENCE;
    while visit::enter(site, token).await? != Entrance::LetIn {
        if clock::now() > deadline {
            bail!("the issuer is back, and nobody is let in by its new key");
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
