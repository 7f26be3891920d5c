//! Above the audible limit the loudest are heard, and a louder one gets in.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use gryt_tests::client::Participant;
use gryt_tests::{clock, wait};

use crate::party::{Party, assert_clean};

/// In -dBov.
const SOFT: u8 = 50;
const LOUD: u8 = 30;
const LOUDER: u8 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_of_twelve_are_heard_and_a_loud_ninth_gets_in() -> Result<()> {
    let party = Party::start().await?;
    party.set_audible_limit(8).await?;
    let people = party.join(0..14).await?;
    let (speakers, listeners) = people.split_at(12);
    let (loud, soft) = speakers.split_at(8);
    try_join_all(loud.iter().map(|speaker| speaker.voice.speak(LOUD))).await?;
    try_join_all(soft.iter().map(|speaker| speaker.voice.speak(SOFT))).await?;

    // The choice settles, then holds.
    let expected: BTreeSet<u32> = (0..8).collect();
    for listener in listeners {
        settle(speakers, listener, &expected).await?;
    }
    assert_eq!(
        heard_in_a_second(speakers, listeners).await?,
        [expected.clone(), expected]
    );

    let ninth = &soft[0];
    let shouted_at = clock::now();
    let number = ninth.voice.speak(LOUDER).await?;
    for listener in &people {
        let tag = ninth.voice.tag();
        if listener.voice.tag() != tag {
            let heard = || listener.voice.reception().first_from(tag, number);
            let delay = wait::until("the ninth", heard).await? - shouted_at;
            assert!(
                delay < Duration::from_millis(500),
                "{delay:?} to {}",
                listener.client.name
            );
        }
    }
    for listener in listeners {
        let heard = || async {
            let heard = heard_in_a_second(speakers, std::slice::from_ref(listener))
                .await
                .ok()?;
            (heard[0].len() == 8 && heard[0].contains(&ninth.voice.tag())).then_some(())
        };
        wait::until_answered("eight with the ninth", heard).await?;
    }
    assert_clean(&people, &people.iter().collect::<Vec<_>>());
    Ok(())
}

async fn settle(
    speakers: &[Participant],
    listener: &Participant,
    expected: &BTreeSet<u32>,
) -> Result<()> {
    let heard = || async {
        let heard = heard_in_a_second(speakers, std::slice::from_ref(listener))
            .await
            .ok()?;
        (heard[0] == *expected).then_some(())
    };
    wait::until_answered("the loudest eight", heard).await
}

/// Whom each listener hears while all speakers say 50 packets more.
async fn heard_in_a_second(
    speakers: &[Participant],
    listeners: &[Participant],
) -> Result<Vec<BTreeSet<u32>>> {
    let since = clock::now();
    let now = try_join_all(speakers.iter().map(|speaker| speaker.voice.spoken())).await?;
    for (speaker, now) in speakers.iter().zip(now) {
        speaker.voice.spoken_to(now + 50).await?;
    }
    let heard = |listener: &Participant| listener.voice.reception().speakers_since(since);
    Ok(listeners.iter().map(heard).collect())
}
