//! Several signaling processes and several SFUs of one server: nobody can tell who serves whom.

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::event::Event;
use gryt_proto::client::v1::{ChannelKind, VoiceEnd};
use gryt_signaling::Limits;

use crate::client::{Client, channel};
use crate::sfu::{Call, Sfu};
use crate::voice::{answer, joined, leave, participant_joined, participant_left, voice_ended};
use crate::world::World;

fn deafen() -> Request {
    Request::SetVoiceState(wire::SetVoiceState {
        muted: true,
        deafened: true,
    })
}

fn seats(sfus: &[Sfu]) -> Vec<usize> {
    sfus.iter().map(|sfu| sfu.seats().len()).collect()
}

/// Two processes, and the SFUs that both watch.
async fn two(sfus: usize) -> (World, World, Vec<Sfu>) {
    let mut started = Vec::new();
    for _ in 0..sfus {
        started.push(Sfu::start());
    }
    let all: Vec<_> = started.iter().map(|(sfu, _)| sfu.clone()).collect();
    let here = World::on(Limits::default(), started).await;
    let there = here.replica().await;
    for sfu in &all {
        here.until("both watch it", |_| sfu.watches() >= 2).await;
    }
    (here, there, all)
}

#[tokio::test]
async fn people_on_two_processes_meet_in_one_room_and_see_each_other_change() {
    let (here, there, sfus) = two(2).await;
    let (mut ada, welcome) = Client::enter(&here, "ada").await;
    let (mut bob, _) = Client::enter(&there, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);

    let of_ada = joined(&mut ada, &lounge).await.participant_id;
    assert_eq!(participant_joined(&mut bob).await.participant_id, of_ada);
    let of_bob = joined(&mut bob, &lounge).await.participant_id;
    assert_ne!(of_ada, of_bob);
    let mut there_are = seats(&sfus);
    there_are.sort_unstable();
    assert_eq!(there_are, [0, 2], "one room is on one SFU");

    bob.done(deafen()).await;
    let seen = ada
        .event(|event| match event {
            Event::ParticipantUpdated(participant) => Some(participant.clone()),
            _ => None,
        })
        .await;
    assert_eq!((seen.participant_id, seen.deafened), (of_bob, true));

    bob.done(leave()).await;
    assert_eq!(participant_left(&mut ada).await, of_bob);
}

#[tokio::test]
async fn two_who_come_first_by_two_processes_at_once_both_get_in() {
    let (here, there, sfus) = two(2).await;
    let (mut ada, welcome) = Client::enter(&here, "ada").await;
    let (mut bob, _) = Client::enter(&there, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    for _ in 0..20 {
        let (of_ada, of_bob) = tokio::join!(joined(&mut ada, &lounge), joined(&mut bob, &lounge));
        assert_ne!(of_ada.participant_id, of_bob.participant_id);
        tokio::join!(
            ada.done(answer(&lounge, 1, "fine")),
            bob.done(answer(&lounge, 1, "fine")),
        );
        let mut there_are = seats(&sfus);
        there_are.sort_unstable();
        assert_eq!(there_are, [0, 2]);
        tokio::join!(ada.done(leave()), bob.done(leave()));
        here.until("the room is empty", |_| seats(&sfus) == [0, 0])
            .await;
    }
}

#[tokio::test]
async fn a_place_comes_along_to_another_process() {
    let (mut here, there, sfus) = two(1).await;
    let (mut ada, welcome) = Client::enter(&here, "ada").await;
    let (mut bob, _) = Client::enter(&there, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let of_ada = joined(&mut ada, &lounge).await.participant_id;
    participant_joined(&mut bob).await;
    here.stop().await;

    let (mut ada, again) = Client::enter_again(&there, "ada", None, &welcome.session_id).await;

    let live = again.live.as_ref().unwrap();
    assert_eq!(live.participants[0].participant_id, of_ada);
    ada.done(answer(&lounge, 1, "fine")).await;
    ada.done(deafen()).await;
    let first_news = bob
        .event(|event| match event {
            Event::ParticipantUpdated(_) | Event::ParticipantLeft(_) => Some(event.clone()),
            _ => None,
        })
        .await;
    assert!(
        matches!(&first_news, Event::ParticipantUpdated(p) if p.deafened),
        "bob sees nothing of the change of process: {first_news:?}"
    );
    let given_up = |call: &Call| matches!(call, Call::Leave(_));
    assert!(!sfus[0].calls().iter().any(given_up));
}

#[tokio::test]
async fn a_member_who_joins_by_another_process_leaves_the_place_before() {
    let (here, there, sfus) = two(2).await;
    let (mut ada, welcome) = Client::enter(&here, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    joined(&mut ada, &lounge).await;
    let (mut phone, _) = Client::enter(&there, "ada").await;

    let latest = joined(&mut phone, &lounge).await.participant_id;

    assert_eq!(voice_ended(&mut ada).await, VoiceEnd::Replaced);
    here.until("one place is left", |_| {
        seats(&sfus).iter().sum::<usize>() == 1
    })
    .await;
    let left: Vec<_> = sfus.iter().flat_map(Sfu::seats).collect();
    assert_eq!(left, [(lounge, latest)]);
}

#[tokio::test]
async fn rooms_of_a_dead_node_are_placed_on_another_one_at_once() {
    let (here, there, sfus) = two(2).await;
    let (mut ada, welcome) = Client::enter(&here, "ada").await;
    let (mut bob, _) = Client::enter(&there, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    joined(&mut ada, &lounge).await;
    joined(&mut bob, &lounge).await;
    let dead = usize::from(sfus[0].seats().is_empty());

    sfus[dead].kill();

    assert_eq!(voice_ended(&mut ada).await, VoiceEnd::NodeLost);
    assert_eq!(voice_ended(&mut bob).await, VoiceEnd::NodeLost);
    joined(&mut ada, &lounge).await;
    joined(&mut bob, &lounge).await;
    assert_eq!(sfus[1 - dead].seats().len(), 2);
}

#[tokio::test]
async fn a_node_that_two_addresses_lead_to_counts_once() {
    let (sfu, channel_to_it) = Sfu::start();
    let twins = vec![
        (sfu.clone(), channel_to_it.clone()),
        (sfu.clone(), channel_to_it),
    ];
    let world = World::on(Limits::default(), twins).await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);

    let of_ada = joined(&mut ada, &lounge).await.participant_id;

    assert_eq!(participant_joined(&mut bob).await.participant_id, of_ada);
    joined(&mut bob, &lounge).await;
    assert_eq!(participant_joined(&mut ada).await.participant_id, of_ada);
    ada.done(leave()).await;
    assert_eq!(participant_left(&mut bob).await, of_ada);
    world
        .until("one place is left", |_| sfu.seats().len() == 1)
        .await;
}
