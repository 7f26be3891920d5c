//! Voice: from the request to the SFU's call, and back from its stream to the sessions.

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::event::Event;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::{ChannelKind, Reason, VoiceEnd};
use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::watch_response::Event as NodeEvent;

use crate::client::{Client, channel, me, ping};
use crate::sfu::{Call, OFFER};
use crate::world::{World, server_id};

fn join(channel: &str) -> Request {
    Request::JoinVoice(wire::JoinVoice {
        channel_id: channel.to_owned(),
        listen_only: false,
        muted: true,
        deafened: false,
    })
}

pub(crate) async fn joined(client: &mut Client, channel: &str) -> wire::VoiceOffer {
    match client.ask(join(channel)).await {
        Reply::VoiceOffer(offer) => offer,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn answer(channel: &str, revision: u32, sdp: &str) -> Request {
    Request::AnswerOffer(wire::AnswerOffer {
        channel_id: channel.to_owned(),
        revision,
        sdp: sdp.to_owned(),
    })
}

pub(crate) fn leave() -> Request {
    Request::LeaveVoice(wire::LeaveVoice {})
}

fn room(channel: &str) -> Option<sfu::Room> {
    Some(sfu::Room {
        server_id: server_id().to_string(),
        channel_id: channel.to_owned(),
    })
}

pub(crate) async fn participant_joined(client: &mut Client) -> wire::Participant {
    client
        .event(|event| match event {
            Event::ParticipantJoined(participant) => Some(participant.clone()),
            _ => None,
        })
        .await
}

pub(crate) async fn participant_left(client: &mut Client) -> u32 {
    client
        .event(|event| match event {
            Event::ParticipantLeft(left) => Some(left.participant_id),
            _ => None,
        })
        .await
}

pub(crate) async fn voice_ended(client: &mut Client) -> VoiceEnd {
    client
        .event(|event| match event {
            Event::VoiceEnded(ended) => Some(ended.end()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn join_brings_the_offer_and_tells_everyone() {
    let world = World::start().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);

    let offer = joined(&mut ada, &lounge).await;

    assert_eq!(offer.sdp, OFFER);
    let participant = participant_joined(&mut bob).await;
    assert_eq!(
        participant,
        wire::Participant {
            participant_id: offer.participant_id,
            member_id: me(&welcome),
            channel_id: lounge.clone(),
            muted: true,
            deafened: false,
            listen_only: false,
        }
    );
    ada.done(answer(&lounge, 1, "fine")).await;
    assert_eq!(
        ada.refused(answer(&lounge, 1, "broken")).await,
        Reason::BadAnswer
    );
    assert_eq!(
        ada.refused(answer(&lounge, 2, "late")).await,
        Reason::StaleOffer
    );
    let (_, carol) = Client::enter(&world, "carol").await;
    assert_eq!(carol.live.unwrap().participants, [participant]);

    ada.done(leave()).await;
    assert_eq!(participant_left(&mut bob).await, offer.participant_id);
    world
        .until("the seat is given up", |world| world.sfu.seats().is_empty())
        .await;
    ada.done(leave()).await;
    let (_, dave) = Client::enter(&world, "dave").await;
    assert!(dave.live.unwrap().participants.is_empty());
}

#[tokio::test]
async fn calls_carry_the_room_capabilities_and_limit() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let offer = joined(&mut ada, &lounge).await;
    ada.done(Request::AnswerOffer(wire::AnswerOffer {
        channel_id: lounge.clone(),
        revision: 1,
        sdp: "fine".to_owned(),
    }))
    .await;
    let calls = world.sfu.calls();
    let [Call::Seat(seat), Call::Answer(answer)] = &calls[..] else {
        panic!("{calls:?}");
    };
    assert_eq!(seat.audible_limit, 25);
    assert!(seat.capabilities.unwrap().may_speak);
    assert_eq!(answer.participant_id, offer.participant_id);
    let (a, b) = (
        seat.context.as_ref().unwrap(),
        answer.context.as_ref().unwrap(),
    );
    assert_ne!(a.request_id, b.request_id);
    assert_eq!(a.room, room(&lounge));
    assert!(a.epoch > 0 && a.epoch == b.epoch);
}

#[tokio::test]
async fn voice_state_is_seen_by_the_others() {
    let world = World::start().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    joined(&mut ada, &channel(&welcome, ChannelKind::Voice)).await;
    let state = Request::SetVoiceState(wire::SetVoiceState {
        muted: false,
        deafened: true,
    });
    ada.done(state).await;
    let seen = bob
        .event(|event| match event {
            Event::ParticipantUpdated(participant) => Some(participant.clone()),
            _ => None,
        })
        .await;
    assert!(!seen.muted && seen.deafened);
}

#[tokio::test]
async fn second_tab_in_the_same_channel_replaces_the_first() {
    let world = World::start().await;
    let (mut first, welcome) = Client::enter(&world, "ada").await;
    let (mut second, _) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let old = joined(&mut first, &lounge).await;
    let new = joined(&mut second, &lounge).await;

    assert_eq!(voice_ended(&mut first).await, VoiceEnd::Replaced);
    let seat = (lounge, new.participant_id);
    world
        .until("one seat is left", |world| {
            world.sfu.seats() == [seat.clone()]
        })
        .await;
    assert_ne!(old.participant_id, new.participant_id);
    let left = second
        .event(|event| match event {
            Event::VoiceEnded(_) => Some(None),
            Event::ParticipantLeft(left) => Some(Some(left.participant_id)),
            _ => None,
        })
        .await;
    assert_eq!(
        left,
        Some(old.participant_id),
        "told of an end that is another session's"
    );
}

#[tokio::test]
async fn lost_socket_keeps_its_place_for_the_session_that_goes_on() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let offer = joined(&mut ada, &lounge).await;
    drop(ada);

    let resume = welcome.cursor.clone();
    let (mut ada, again) = Client::enter_again(&world, "ada", resume, &welcome.session_id).await;

    assert_ne!(again.session_id, welcome.session_id);
    let ids: Vec<_> = again
        .live
        .unwrap()
        .participants
        .iter()
        .map(|p| p.participant_id)
        .collect();
    assert_eq!(ids, [offer.participant_id]);
    ada.done(answer(&lounge, 1, "fine")).await;
    assert_eq!(world.sfu.seats().len(), 1);
}

async fn voice_offer(client: &mut Client) -> (u32, String) {
    client
        .event(|event| match event {
            Event::VoiceOffer(offer) => Some((offer.revision, offer.sdp.clone())),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn offer_of_the_time_without_a_socket_comes_again_until_it_is_answered() {
    let world = World::start().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let participant_id = joined(&mut ada, &lounge).await.participant_id;
    ada.done(answer(&lounge, 1, "fine")).await;
    ada.close().await;
    world.sfu.say(&NodeEvent::OfferReady(sfu::OfferReady {
        room: room(&lounge),
        offer: Some(sfu::Offer {
            participant_id,
            revision: 2,
            sdp: "more slots".to_owned(),
        }),
    }));
    world.sfu.say(&speaking(&lounge, participant_id, true));
    bob.event(|event| matches!(event, Event::SpeakingChanged(_)).then_some(()))
        .await;

    let lost = (2, "more slots".to_owned());
    let resume = welcome.cursor.clone();
    let (mut ada, again) =
        Client::enter_again(&world, "ada", resume.clone(), &welcome.session_id).await;
    assert_eq!(voice_offer(&mut ada).await, lost);
    ada.close().await;
    let (mut ada, again) =
        Client::enter_again(&world, "ada", resume.clone(), &again.session_id).await;
    assert_eq!(voice_offer(&mut ada).await, lost);
    world.sfu.take_answers_to(2);
    ada.done(answer(&lounge, 2, "fine")).await;
    ada.close().await;
    let (mut ada, _) = Client::enter_again(&world, "ada", resume, &again.session_id).await;
    world.sfu.say(&speaking(&lounge, participant_id, false));
    ada.event(|event| match event {
        Event::VoiceOffer(_) => panic!("it was answered"),
        Event::SpeakingChanged(_) => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn session_that_goes_on_ends_the_half_dead_socket_and_strangers_get_nothing() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    joined(&mut ada, &lounge).await;

    let (mut eve, _) = Client::enter_again(&world, "eve", None, &welcome.session_id).await;
    assert_eq!(
        eve.refused(answer(&lounge, 1, "fine")).await,
        Reason::NotInRoom
    );
    ada.done(ping()).await;

    let (mut again, _) = Client::enter_again(&world, "ada", None, &welcome.session_id).await;
    assert_eq!(ada.end().await.0, Reason::GoingAway);
    again.done(answer(&lounge, 1, "fine")).await;
}

#[tokio::test]
async fn server_mute_reaches_the_sfu_and_only_higher_roles_may() {
    let world = World::start().await;
    let (mut owner, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, bob_welcome) = Client::enter(&world, "bob").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let offer = joined(&mut bob, &lounge).await;
    let mute =
        |member_id: String, muted| Request::MuteMember(wire::MuteMember { member_id, muted });
    assert_eq!(
        bob.refused(mute(me(&welcome), true)).await,
        Reason::Forbidden
    );

    owner.done(mute(me(&bob_welcome), true)).await;

    let muted = |world: &World| {
        world.sfu.calls().iter().any(|call| match call {
            Call::SetCapabilities(call) => {
                call.participant_id == offer.participant_id && !call.capabilities.unwrap().may_speak
            }
            _ => false,
        })
    };
    world.until("the SFU mutes", muted).await;
    // Whoever comes again comes muted.
    joined(&mut bob, &lounge).await;
    let Some(Call::Seat(seat)) = world
        .sfu
        .calls()
        .into_iter()
        .rfind(|call| matches!(call, Call::Seat(_)))
    else {
        panic!("no seat");
    };
    assert!(!seat.capabilities.unwrap().may_speak);
}

#[tokio::test]
async fn audible_limit_and_deletion_of_a_channel_reach_its_room() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    joined(&mut ada, &lounge).await;
    let update = Request::UpdateChannel(wire::UpdateChannel {
        channel_id: lounge.clone(),
        name: None,
        audible_limit: Some(8),
    });
    assert!(matches!(ada.ask(update).await, Reply::Channel(_)));
    let limited = |world: &World| {
        let is_eight =
            |call: &Call| matches!(call, Call::SetAudibleLimit(c) if c.audible_limit == 8);
        world.sfu.calls().iter().any(is_eight)
    };
    world.until("the SFU has the limit", limited).await;

    ada.done(Request::DeleteChannel(wire::DeleteChannel {
        channel_id: lounge,
    }))
    .await;

    assert_eq!(voice_ended(&mut ada).await, VoiceEnd::ChannelDeleted);
    world
        .until("the seat is given up", |world| world.sfu.seats().is_empty())
        .await;
}

#[tokio::test]
async fn refused_seats_have_a_reason_and_leave_nothing_behind() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    for (refusal, reason) in [
        (sfu::Refusal::Full, Reason::RoomFull),
        (sfu::Refusal::Draining, Reason::NoNode),
        (sfu::Refusal::StaleEpoch, Reason::NoNode),
    ] {
        world.sfu.refuse_seats(refusal);
        assert_eq!(ada.refused(join(&lounge)).await, reason);
    }
    let (_, bob) = Client::enter(&world, "bob").await;
    assert!(bob.live.unwrap().participants.is_empty());
}

#[tokio::test]
async fn a_draining_sfu_keeps_its_rooms_and_is_asked_for_no_new_ones() {
    let world = World::start().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let participant_id = joined(&mut ada, &lounge).await.participant_id;
    let draining = NodeEvent::Draining(sfu::NodeDraining {});
    world.sfu.say(&draining);
    world.sfu.say(&speaking(&lounge, participant_id, true));
    ada.event(|event| matches!(event, Event::SpeakingChanged(_)).then_some(()))
        .await;

    joined(&mut bob, &lounge).await;
    for client in [&mut ada, &mut bob] {
        assert!(matches!(client.ask(leave()).await, Reply::Done(_)));
    }

    assert_eq!(ada.refused(join(&lounge)).await, Reason::NoNode);
}

#[tokio::test]
async fn what_the_sfu_says_reaches_those_it_concerns() {
    let world = World::start().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let participant_id = joined(&mut ada, &lounge).await.participant_id;

    world.sfu.say(&NodeEvent::OfferReady(sfu::OfferReady {
        room: room(&lounge),
        offer: Some(sfu::Offer {
            participant_id,
            revision: 2,
            sdp: "more slots".to_owned(),
        }),
    }));
    world.sfu.say(&speaking(&lounge, participant_id, true));

    let offer = ada
        .event(|event| match event {
            Event::VoiceOffer(offer) => Some(offer.clone()),
            _ => None,
        })
        .await;
    assert_eq!((offer.revision, offer.sdp.as_str()), (2, "more slots"));
    let speaking = bob
        .event(|event| match event {
            Event::VoiceOffer(_) => panic!("an offer for somebody else"),
            Event::SpeakingChanged(change) => Some(change.speaking),
            _ => None,
        })
        .await;
    assert!(speaking);

    world.sfu.lose(&(lounge.clone(), participant_id));
    assert_eq!(voice_ended(&mut ada).await, VoiceEnd::MediaLost);
    assert_eq!(participant_left(&mut bob).await, participant_id);
}

fn speaking(channel: &str, participant_id: u32, speaking: bool) -> NodeEvent {
    NodeEvent::SpeakingChanged(sfu::SpeakingChanged {
        room: room(channel),
        participant_id,
        speaking,
    })
}

#[tokio::test]
async fn watch_stream_is_opened_again_and_brings_both_sides_together() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let lounge = channel(&welcome, ChannelKind::Voice);
    let participant_id = joined(&mut ada, &lounge).await.participant_id;
    world.sfu.hang_up();
    world
        .until("it is watched again", |world| world.sfu.watches() == 2)
        .await;
    world.sfu.skip_a_number();
    world.sfu.say(&speaking(&lounge, participant_id, true));
    world
        .until("a gap means: watch again", |world| world.sfu.watches() == 3)
        .await;
    assert_eq!(world.sfu.seats().len(), 1, "the call went on");
    ada.done(answer(&lounge, 1, "fine")).await;

    world.sfu.begin_anew();
    assert_eq!(voice_ended(&mut ada).await, VoiceEnd::NodeLost);
}
