//! A mute by the owner is the server's work: the client that is muted may send what it likes.

use std::time::Duration;

use anyhow::Result;
use gryt_proto::client::v1::{self as wire, client_frame};

use crate::party::{Party, assert_clean, hears};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_muted_member_that_keeps_sending_is_not_heard() -> Result<()> {
    let party = Party::start().await?;
    let people = party.join(0..4).await?;
    let (talker, listeners) = (&people[0], &people[1..]);
    let tag = talker.voice.tag();
    let first = talker.voice.speak(20).await?;
    for listener in listeners {
        hears(listener, talker, first + 25).await?;
    }
    let before = party.scrape().await?.discarded("not_allowed")?;

    mute(&party, talker.client.member_id(), true).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let heard: Vec<u64> = received(&people, tag);
    let muted_at = talker.voice.spoken().await?;
    talker.voice.spoken_to(muted_at + 100).await?;
    assert_eq!(
        received(&people, tag),
        heard,
        "packets of a muted member came through"
    );
    let after = party.scrape().await?.discarded("not_allowed")?;
    assert!(
        after >= before + 90,
        "{before} to {after} while 100 packets were sent"
    );

    mute(&party, talker.client.member_id(), false).await?;
    let unmuted_at = talker.voice.spoken().await?;
    for listener in listeners {
        hears(listener, talker, unmuted_at + 25).await?;
    }
    assert_clean(&people, &people.iter().collect::<Vec<_>>());
    Ok(())
}

fn received(people: &[gryt_tests::client::Participant], tag: u32) -> Vec<u64> {
    people
        .iter()
        .map(|person| person.voice.reception().received_of(tag))
        .collect()
}

async fn mute(party: &Party, member_id: &str, muted: bool) -> Result<()> {
    let mute = wire::MuteMember {
        member_id: member_id.to_owned(),
        muted,
    };
    party
        .owner
        .socket
        .do_it(client_frame::Request::MuteMember(mute))
        .await
}
