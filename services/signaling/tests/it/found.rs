//! A process that starts beside calls: they go on, with what the store says today.

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::ChannelKind;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::sfu::v1 as sfu;

use crate::client::{Client, channel, me};
use crate::sfu::Call;
use crate::voice::{answer, joined};
use crate::world::{World, server_id};

fn ids(welcome: &wire::Welcome) -> Vec<u32> {
    let live = welcome.live.as_ref().unwrap();
    live.participants.iter().map(|p| p.participant_id).collect()
}

#[tokio::test]
async fn a_call_goes_on_over_a_restart_and_its_session_finds_its_place() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let offer = joined(&mut ada, &lounge).await;
    let seat = (lounge.clone(), offer.participant_id);
    ada.close().await;

    let mut session_id = welcome.session_id.clone();
    let mut world = world;
    // Twice: the second process gets from the node what the first one told it.
    for revision in [1, 1] {
        world = world.restart().await;
        let resume = welcome.cursor.clone();
        let (mut ada, again) = Client::enter_again(&world, "ada", resume, &session_id).await;
        assert_eq!(ids(&again), [offer.participant_id]);
        let there = &again.live.as_ref().unwrap().participants[0];
        assert!(there.muted, "what the others saw before");
        ada.done(answer(&lounge, revision, "fine")).await;
        session_id.clone_from(&again.session_id);
        world
            .until("the node knows who holds the place", |world| {
                let holder = world.sfu.holder(&seat);
                holder.is_some_and(|holder| holder.session_id == session_id)
            })
            .await;
        ada.close().await;
    }
    let left = |call: &Call| matches!(call, Call::Leave(_));
    assert!(!world.sfu.calls().iter().any(left));
}

#[tokio::test]
async fn a_place_is_not_given_to_another_member_after_a_restart() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    joined(&mut ada, &lounge).await;
    ada.close().await;
    let world = world.restart().await;

    let (mut eve, _) = Client::enter_again(&world, "eve", None, &welcome.session_id).await;

    let refused = eve.refused(answer(&lounge, 1, "fine")).await;
    assert_eq!(refused, wire::Reason::NotInRoom);
    let (mut ada, _) = Client::enter_again(&world, "ada", None, &welcome.session_id).await;
    ada.done(answer(&lounge, 1, "fine")).await;
}

#[tokio::test]
async fn a_late_node_keeps_nobody_from_the_server_and_is_compared_when_it_comes() {
    let world = World::start().await;
    let (mut owner, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, bob_welcome) = Client::enter(&world, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let offer = joined(&mut bob, &lounge).await;
    let Some(Call::Seat(unmuted)) = world.sfu.calls().into_iter().next() else {
        panic!("no seat");
    };
    owner.done(mute(&bob_welcome)).await;
    world.sfu.seat_somebody(unmuted);
    let before = world.sfu.calls().len();

    world.sfu.be_late(true);
    let world = world.restart().await;
    let (_bob, again) = Client::enter_again(&world, "bob", None, &bob_welcome.session_id).await;
    assert!(ids(&again).is_empty(), "nobody knows yet");
    world.sfu.be_late(false);

    world
        .until("the mute reaches the node", |world| {
            let since = world.sfu.calls().split_off(before);
            since.iter().any(|call| silences(call, &offer))
        })
        .await;
}

fn mute(whom: &wire::Welcome) -> Request {
    Request::MuteMember(wire::MuteMember {
        member_id: me(whom),
        muted: true,
    })
}

/// Whether it is the call that mutes who got the offer.
fn silences(call: &Call, offer: &wire::VoiceOffer) -> bool {
    match call {
        Call::SetCapabilities(sfu::SetCapabilitiesRequest {
            participant_id,
            capabilities,
            ..
        }) => *participant_id == offer.participant_id && !capabilities.unwrap().may_speak,
        _ => false,
    }
}

#[tokio::test]
async fn a_found_call_obeys_the_store_and_one_without_a_channel_ends() {
    let world = World::start().await;
    let (mut owner, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, bob_welcome) = Client::enter(&world, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let offer = joined(&mut bob, &lounge).await;
    owner.done(mute(&bob_welcome)).await;
    let Some(Call::Seat(seat)) = world.sfu.calls().into_iter().next() else {
        panic!("no seat");
    };
    // As if the process before had ended between the store and the calls to its node.
    world.sfu.seat_somebody(seat.clone());
    let gone = "g".repeat(26);
    let mut nowhere = seat.clone();
    let room = nowhere.context.as_mut().unwrap().room.as_mut().unwrap();
    room.channel_id.clone_from(&gone);
    nowhere.holder.as_mut().unwrap().session_id = "h".repeat(26);
    assert_eq!(room.server_id, server_id().to_string());
    world.sfu.seat_somebody(nowhere);
    let before = world.sfu.calls().len();

    let world = world.restart().await;

    let since = |world: &World| world.sfu.calls().split_off(before);
    let unseated = |call: &Call| match call {
        Call::Leave(leave) => {
            let room = leave.context.as_ref().and_then(|c| c.room.as_ref());
            room.is_some_and(|room| room.channel_id == gone)
        }
        _ => false,
    };
    world
        .until("the mute reaches the node", |world| {
            since(world).iter().any(|call| silences(call, &offer))
        })
        .await;
    world
        .until("the deleted channel is empty", |world| {
            since(world).iter().any(unseated)
        })
        .await;
    assert_eq!(world.sfu.seats(), [(lounge, offer.participant_id)]);
}
