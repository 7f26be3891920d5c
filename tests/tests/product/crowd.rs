//! A full room: nothing is lost, nobody is taken for another, and a newcomer disturbs nobody.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;
use gryt_proto::client::v1::event;
use gryt_tests::client::Participant;

use crate::party::{Party, assert_clean, hears, told_silent};

const LEVEL: u8 = 25;
/// Three seconds of each speaker.
const PACKETS: u64 = 150;

/// Ten at a time may be heard, so there are 16 slots for 25 people: slots change owners.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listener_has_every_packet_of_ten_speakers_under_the_right_name() -> Result<()> {
    let party = Party::start().await?;
    party.set_audible_limit(10).await?;
    let people = party.join(0..25).await?;

    for turn in [0..10, 10..20, 15..25] {
        speak_in_turn(&people, &people[turn].iter().collect::<Vec<_>>()).await?;
    }

    assert_clean(&people, &people.iter().collect::<Vec<_>>());
    for listener in &people {
        let reception = listener.voice.reception();
        let changes: usize = reception
            .slots()
            .values()
            .map(|slot| slot.owners.len() - 1)
            .sum();
        assert!(reception.slots().len() <= 16, "{:?}", reception.slots());
        assert!(
            changes > 0,
            "no slot changed its owner at \"{}\"",
            listener.client.name
        );
    }
    newcomer_costs_no_sdp(&party, &people).await
}

/// Lets some people speak at once and checks that all others have each of their packets.
async fn speak_in_turn(people: &[Participant], speakers: &[&Participant]) -> Result<()> {
    let mark = people[0].client.socket.event_count();
    let firsts = try_join_all(speakers.iter().map(|one| one.voice.speak(LEVEL))).await?;
    for (speaker, first) in speakers.iter().zip(&firsts) {
        speaker.voice.spoken_to(first + PACKETS).await?;
    }
    let ends = try_join_all(speakers.iter().map(|one| one.voice.hush())).await?;

    let mut lost = Vec::new();
    for ((speaker, first), end) in speakers.iter().zip(firsts).zip(ends) {
        let tag = speaker.voice.tag();
        for listener in people.iter().filter(|person| person.voice.tag() != tag) {
            hears(listener, speaker, end - 1).await?;
            let missing = listener.voice.reception().missing_of(tag, first..end);
            if !missing.is_empty() {
                lost.push(format!("{tag} to {}: {missing:?}", listener.client.name));
            }
            assert_eq!(listener.voice.reception().repeats_of(tag), 0);
        }
    }
    assert!(lost.is_empty(), "packets are missing:\n{}", lost.join("\n"));
    told_silent(&people[0], mark, speakers).await?;
    // The server tells it 400 ms after the last voiced packet, and holds the place for 450.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}

async fn newcomer_costs_no_sdp(party: &Party, people: &[Participant]) -> Result<()> {
    let offers: Vec<usize> = people.iter().map(Participant::later_offers).collect();
    let mark = people[0].client.socket.event_count();

    let newcomer = party.join_one(25).await?;
    let id = newcomer.participant_id;
    people[0]
        .client
        .socket
        .event("the newcomer's arrival", mark, |event| {
            let joined =
                matches!(event, event::Event::ParticipantJoined(one) if one.participant_id == id);
            joined.then_some(())
        })
        .await?;
    let first = newcomer.voice.speak(LEVEL).await?;
    for listener in people {
        hears(listener, &newcomer, first + 10).await?;
    }

    let after: Vec<usize> = people.iter().map(Participant::later_offers).collect();
    assert_eq!(offers, after, "a join cost the others SDP");
    let ids: BTreeSet<u32> = people.iter().map(|person| person.participant_id).collect();
    assert_eq!((ids.len(), ids.contains(&id)), (25, false));
    println!("26 people; offers to each after its first: {after:?}");
    Ok(())
}
