//! Messages, channels and members over the socket.

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::event::Event;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::{ChannelKind, Reason, Role};

use crate::client::{Client, channel, me, message, page, ping};
use crate::world::World;

fn sent(reply: Reply) -> wire::Message {
    match reply {
        Reply::SentMessage(sent) => sent.message.unwrap(),
        other => panic!("{other:?}"),
    }
}

async fn history(client: &mut Client, channel: &str) -> Vec<String> {
    match client.ask(page(channel)).await {
        Reply::MessagePage(page) => page.messages.into_iter().map(|m| m.text).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn first_member_is_owner_and_finds_a_place_to_write_and_one_to_talk() {
    let world = World::start().await;
    let (_, ada) = Client::enter(&world, "ada").await;
    let (_, bob) = Client::enter(&world, "bob").await;

    assert_eq!(ada.me.as_ref().unwrap().role(), Role::Owner);
    assert_eq!(bob.me.as_ref().unwrap().role(), Role::Member);
    assert_eq!(ada.server.as_ref().unwrap().name, "Test");
    let channels = ada.snapshot.unwrap().channels;
    let names: Vec<_> = channels
        .iter()
        .map(|c| (c.name.as_str(), c.kind()))
        .collect();
    assert_eq!(
        names,
        [
            ("general", ChannelKind::Text),
            ("Lounge", ChannelKind::Voice)
        ]
    );
}

#[tokio::test]
async fn message_reaches_everyone_and_its_nonce_makes_it_one() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let general = channel(&welcome, ChannelKind::Text);

    let first = sent(ada.ask(message(&general, " hello ", "n1")).await);
    let again = sent(ada.ask(message(&general, "hello", "n1")).await);

    assert_eq!(first, again);
    assert_eq!(first.text, "hello");
    let got = bob
        .event(|event| match event {
            Event::MessageCreated(message) => Some(message.clone()),
            _ => None,
        })
        .await;
    assert_eq!(got, first);
    assert_eq!(history(&mut bob, &general).await, ["hello"]);
    assert_eq!(
        ada.refused(message(&general, "other", "n1")).await,
        Reason::NonceReused
    );
}

#[tokio::test]
async fn only_the_author_edits_and_moderators_delete() {
    let world = World::start().await;
    let (mut owner, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let general = channel(&welcome, ChannelKind::Text);
    let by_owner = sent(owner.ask(message(&general, "mine", "1")).await);
    let by_bob = sent(bob.ask(message(&general, "bobs", "2")).await);
    let edit = |message: &wire::Message, text: &str| {
        Request::EditMessage(wire::EditMessage {
            channel_id: general.clone(),
            message_id: message.message_id,
            text: text.to_owned(),
        })
    };
    let delete = |message: &wire::Message| {
        Request::DeleteMessage(wire::DeleteMessage {
            channel_id: general.clone(),
            message_id: message.message_id,
        })
    };

    assert_eq!(bob.refused(edit(&by_owner, "x")).await, Reason::Forbidden);
    assert_eq!(owner.refused(edit(&by_bob, "x")).await, Reason::Forbidden);
    assert_eq!(bob.refused(delete(&by_owner)).await, Reason::Forbidden);

    let edited = sent(bob.ask(edit(&by_bob, "better")).await);
    assert!(edited.edited_at_ms > 0);
    owner.done(delete(&by_bob)).await;
    // Once more is no error: the first reply may have been lost.
    owner.done(delete(&by_bob)).await;
    assert_eq!(history(&mut bob, &general).await, ["mine"]);
    let better = bob
        .event(|event| match event {
            Event::MessageEdited(message) => Some(message.text.clone()),
            _ => None,
        })
        .await;
    assert_eq!(better, "better");
    let gone = bob
        .event(|event| match event {
            Event::MessageDeleted(gone) => Some(gone.message_id),
            _ => None,
        })
        .await;
    assert_eq!(gone, by_bob.message_id);
}

#[tokio::test]
async fn bad_requests_get_one_clear_reason_and_disturb_nothing() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let general = channel(&welcome, ChannelKind::Text);
    let lounge = channel(&welcome, ChannelKind::Voice);
    let unknown = "a".repeat(26);
    let join = |channel: &str| {
        Request::JoinVoice(wire::JoinVoice {
            channel_id: channel.to_owned(),
            ..wire::JoinVoice::default()
        })
    };
    let fetch = |limit| {
        Request::FetchMessages(wire::FetchMessages {
            channel_id: general.clone(),
            before_message_id: 0,
            limit,
        })
    };
    let table = [
        (message(&unknown, "hi", "1"), Reason::UnknownChannel),
        (message("../../etc", "hi", "1"), Reason::Malformed),
        (message(&lounge, "hi", "1"), Reason::WrongChannelKind),
        (message(&general, " \n ", "1"), Reason::EmptyText),
        (
            message(&general, &"x".repeat(4001), "1"),
            Reason::TextTooLong,
        ),
        (message(&general, "hi", ""), Reason::Malformed),
        (message(&general, "hi", "ä"), Reason::Malformed),
        (fetch(0), Reason::Malformed),
        (fetch(101), Reason::Malformed),
        (join(&unknown), Reason::UnknownChannel),
        (join(&general), Reason::WrongChannelKind),
        (
            Request::AnswerOffer(wire::AnswerOffer {
                channel_id: lounge.clone(),
                revision: 1,
                sdp: String::new(),
            }),
            Reason::NotInRoom,
        ),
        (
            Request::AnswerOffer(wire::AnswerOffer {
                channel_id: lounge.clone(),
                revision: 1,
                sdp: "x".repeat(50_000),
            }),
            Reason::TooLarge,
        ),
        (
            Request::SetVoiceState(wire::SetVoiceState::default()),
            Reason::NotInRoom,
        ),
        (
            Request::MuteMember(wire::MuteMember {
                member_id: unknown.clone(),
                muted: true,
            }),
            Reason::UnknownMember,
        ),
        (
            Request::MuteMember(wire::MuteMember {
                member_id: me(&welcome),
                muted: true,
            }),
            Reason::Forbidden,
        ),
        (
            Request::CreateChannel(wire::CreateChannel {
                name: "x".to_owned(),
                kind: 0,
            }),
            Reason::Malformed,
        ),
        (
            Request::UpdateChannel(wire::UpdateChannel {
                channel_id: lounge.clone(),
                name: None,
                audible_limit: Some(33),
            }),
            Reason::Malformed,
        ),
        (
            Request::UpdateChannel(wire::UpdateChannel {
                channel_id: general.clone(),
                name: None,
                audible_limit: Some(3),
            }),
            Reason::WrongChannelKind,
        ),
        (
            Request::Hello(wire::Hello {
                protocol_version: 1,
                ..wire::Hello::default()
            }),
            Reason::Malformed,
        ),
        (
            Request::RenewToken(wire::RenewToken {
                token: "nonsense".to_owned(),
            }),
            Reason::Unauthenticated,
        ),
    ];
    for (request, reason) in table {
        assert_eq!(ada.refused(request.clone()).await, reason, "{request:?}");
    }
    ada.done(ping()).await;
}

#[tokio::test]
async fn channels_are_made_changed_and_deleted_by_those_who_may() {
    let world = World::start().await;
    let (mut owner, welcome) = Client::enter(&world, "ada").await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let create = Request::CreateChannel(wire::CreateChannel {
        name: "music".to_owned(),
        kind: ChannelKind::Voice.into(),
    });
    assert_eq!(bob.refused(create.clone()).await, Reason::Forbidden);
    let Reply::Channel(made) = owner.ask(create).await else {
        panic!("no channel");
    };
    let update = Request::UpdateChannel(wire::UpdateChannel {
        channel_id: made.channel_id.clone(),
        name: Some("jam".to_owned()),
        audible_limit: Some(8),
    });
    let Reply::Channel(changed) = owner.ask(update).await else {
        panic!("no channel");
    };
    assert_eq!((changed.name.as_str(), changed.audible_limit), ("jam", 8));
    let delete = Request::DeleteChannel(wire::DeleteChannel {
        channel_id: made.channel_id.clone(),
    });
    owner.done(delete).await;

    let kinds = [
        bob.durable_event().await,
        bob.durable_event().await,
        bob.durable_event().await,
    ]
    .map(|event| event.event.unwrap());
    assert_eq!(
        kinds,
        [
            Event::ChannelCreated(made.clone()),
            Event::ChannelUpdated(changed),
            Event::ChannelDeleted(wire::ChannelDeleted {
                channel_id: made.channel_id
            }),
        ]
    );
    let general = channel(&welcome, ChannelKind::Text);
    assert!(history(&mut bob, &general).await.is_empty());
}
