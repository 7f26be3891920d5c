//! One round: people write, a part breaks and is mended, and everything that was promised is checked.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gryt_tests::clock;
use gryt_tests::evidence::{Evidence, Sent, Written, check};
use gryt_tests::wait;
use tokio::time::sleep;

use crate::crowd::Crowd;
use crate::fault::Fault;
use crate::person::{Greeting, Part, Past};
use crate::progress::Progress;
use crate::report::Figures;
use crate::visit;
use crate::world::{Key, World};

mod calls;
mod strike;

use calls::Calls;
pub(crate) use strike::Pause;
use strike::{Struck, strike};

/// How one round went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) fault: Fault,
    pub(crate) figures: Figures,
    pub(crate) failures: Vec<String>,
}

/// Load before anything breaks, and after all is well again.
const STEADY: Duration = Duration::from_secs(3);
/// Callers who were not on the killed SFU may not notice a thing; this machine may be busy.
const LONGEST_SILENCE: Duration = Duration::from_secs(2);
/// What is promised for calls of an SFU that died, at the 95th percentile.
const VOICE_BACK: Duration = Duration::from_secs(5);
/// The presence lease and the time that it takes to be told of its end.
const PRESENCE_RIGHT: Duration = Duration::from_secs(15);

/// Runs a round.
///
/// # Errors
/// When it can't be told how it went. What was broken may be broken still.
pub(crate) async fn run(
    fault: Fault,
    pause: Pause,
    world: &mut World,
    crowd: &mut Crowd,
    progress: Progress,
) -> Result<Outcome> {
    let mut failures = Vec::new();
    let before = newest_message(world, crowd).await?;
    crowd
        .people
        .iter()
        .for_each(|person| drop(person.take_past()));
    crowd.begin_load();
    sleep(STEADY).await;
    let calls = Calls::note(crowd).await?;

    progress.say("       everybody writes, all calls are heard: it breaks");
    let struck = strike(fault, pause, world, crowd).await?;
    progress.say("       it is mended, or made up for");
    if let Err(error) = crowd.until_caught_up(struck.healed_at).await {
        failures.push(format!("{error:#}"));
    }
    progress.say("       everybody has a session and the answers to what was due by then");
    sleep(STEADY).await;
    crowd.end_load();
    if let Err(error) = crowd.until_quiet().await {
        failures.push(format!("{error:#}"));
    }
    progress.say("       all is quiet: the checks");
    let silence = calls
        .longest_silence(crowd, struck.killed_media_port)
        .await?;
    struck.mend(world).await?;

    failures.extend(presence(crowd).await);
    let histories = histories(world, crowd, before).await?;
    // Whatever was told late came before the histories did, by seconds.
    let past: Vec<Past> = crowd
        .people
        .iter()
        .map(|person| person.take_past())
        .collect();
    let figures = figures(&struck, &past, silence);
    failures.extend(judged(fault, &struck, &figures));
    failures.extend(complaints(fault, &past));
    let evidence = evidence(past, histories, crowd);
    let violations = check(&evidence);
    failures.extend(violations.iter().map(ToString::to_string));
    Ok(Outcome {
        fault,
        figures,
        failures,
    })
}

/// The id of the newest message.
async fn newest_message(world: &World, crowd: &Crowd) -> Result<u64> {
    let token = world.token("reader 0", Key::Current)?;
    let newest = visit::history(&world.site, &token, &crowd.setting.text_channel, None).await?;
    Ok(newest.last().map_or(0, |message| message.message_id))
}

/// The round's history as each process tells it.
async fn histories(world: &World, crowd: &Crowd, after: u64) -> Result<Vec<Vec<Written>>> {
    let mut histories = Vec::new();
    for (number, site) in world.sites()?.iter().enumerate() {
        let token = world.token(&format!("reader {number}"), Key::Current)?;
        let channel = &crowd.setting.text_channel;
        let history = visit::history(site, &token, channel, Some(after)).await;
        histories.push(history.with_context(|| format!("at process {number}"))?);
    }
    Ok(histories)
}

/// Says which listeners do not know in the end who is online.
async fn presence(crowd: &Crowd) -> Vec<String> {
    let members = crowd
        .people
        .iter()
        .map(|person| person.record().member_id.clone());
    let everybody: BTreeSet<String> = members.collect();
    let deadline = clock::now() + PRESENCE_RIGHT;
    let wrong = || {
        let listeners = crowd.listeners().enumerate();
        let wrong = listeners.filter_map(|(number, listener)| {
            let online = &listener.record().online;
            let (missing, more) = (everybody.difference(online), online.difference(&everybody));
            let (missing, more) = (missing.count(), more.count());
            (missing + more > 0).then(|| {
                format!(
                    "listener {number} misses {missing} who are online, and has {more} who are not"
                )
            })
        });
        wrong.collect::<Vec<String>>()
    };
    loop {
        let wrong = wrong();
        if wrong.is_empty() || clock::now() > deadline {
            return wrong;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn figures(struck: &Struck, past: &[Past], silence: Option<Duration>) -> Figures {
    let sent: Vec<&Sent> = past.iter().flat_map(|past| &past.sent).collect();
    let greetings = past.iter().flat_map(|past| &past.greetings);
    let count = |kind| {
        greetings
            .clone()
            .filter(|(_, greeting)| *greeting == kind)
            .count()
    };
    let of_before = sent.iter().filter(|sent| sent.due <= struck.healed_at);
    let answers = of_before.filter_map(|sent| Some(sent.acknowledged?.at));
    let last_answer = answers.max().unwrap_or_default();
    let mut answered: Vec<Duration> = sent
        .iter()
        .filter_map(|s| Some(s.acknowledged?.at))
        .collect();
    answered.sort();
    let gaps = answered.windows(2).map(|two| two[1] - two[0]);
    let delays = sent
        .iter()
        .filter_map(|sent| Some(sent.acknowledged?.at - sent.due));
    Figures {
        acknowledged: answered.len(),
        sent_again: sent.iter().filter(|sent| sent.tries > 1).count(),
        lost_sessions: past.iter().map(|past| past.losses.len()).sum(),
        resumed: count(Greeting::Resumed),
        snapshots: count(Greeting::Snapshot),
        delays: delays.collect(),
        longest_outage: gaps.max().unwrap_or_default(),
        caught_up: last_answer.saturating_sub(struck.healed_at),
        sessions_back: struck.sessions_back(past),
        voice_back: struck.voice_back.clone(),
        voice_silence: silence,
        sign_in_back: struck.sign_in_back,
    }
}

/// What is promised about times, and about calls.
fn judged(fault: Fault, struck: &Struck, figures: &Figures) -> Vec<String> {
    let mut failures = struck.failures.clone();
    if let Some(silence) = figures.voice_silence
        && silence > LONGEST_SILENCE
    {
        failures.push(match silence {
            Duration::MAX => "a call that nothing happened to was lost".to_owned(),
            silence => format!("a call that nothing happened to was silent for {silence:?}"),
        });
    }
    if fault == Fault::SfuKilled {
        match figures.voice_back_p95() {
            None => failures.push("nobody was in a call on the killed SFU".to_owned()),
            Some(p95) if p95 > VOICE_BACK => failures.push(format!("voice was back after {p95:?}")),
            Some(_) => {}
        }
    }
    if fault == Fault::SignalingKilled && figures.lost_sessions == 0 {
        failures.push("the killed process had no session".to_owned());
    }
    failures
}

fn complaints(fault: Fault, past: &[Past]) -> Vec<String> {
    let mut failures = Vec::new();
    for (number, past) in past.iter().enumerate() {
        let by_person = |text: String| format!("person {number}: {text}");
        failures.extend(past.violations.iter().map(|v| by_person(v.to_string())));
        failures.extend(past.complaints.iter().cloned().map(by_person));
        let snapshots = past
            .greetings
            .iter()
            .filter(|(_, g)| *g == Greeting::Snapshot);
        if !fault.loses_the_log() && snapshots.count() > 0 {
            failures.push(by_person(
                "began with a snapshot and did not resume".to_owned(),
            ));
        }
    }
    failures
}

fn evidence(past: Vec<Past>, histories: Vec<Vec<Written>>, crowd: &Crowd) -> Evidence {
    let mut evidence = Evidence {
        histories,
        ..Evidence::default()
    };
    for (past, person) in past.into_iter().zip(&crowd.people) {
        evidence.sent.extend(past.sent);
        if person.part == Part::Listener {
            evidence.listeners.push(past.heard);
        }
    }
    evidence
}

/// Waits as long as for anything that comes soon, and says what did not.
async fn until(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    wait::until(what, || is_so().then_some(())).await
}
