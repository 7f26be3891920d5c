//! Going on where one stopped: nothing is lost and nothing comes twice.

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::ChannelKind;
use gryt_proto::client::v1::event::Event;

use crate::client::{Client, channel, message};
use crate::world::World;

fn cursor(welcome: &wire::Welcome, event_id: u64) -> wire::Cursor {
    wire::Cursor {
        event_id,
        ..welcome.cursor.clone().unwrap()
    }
}

fn text(event: &wire::Event) -> &str {
    match event.event.as_ref().unwrap() {
        Event::MessageCreated(message) => &message.text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn resumed_session_gets_what_it_missed_and_then_what_happens() {
    let world = World::start().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    let (ada, welcome) = Client::enter(&world, "ada").await;
    let general = channel(&welcome, ChannelKind::Text);
    let stopped_at = welcome.cursor.clone().unwrap();
    ada.close().await;
    for n in 0..3 {
        bob.ask(message(&general, &format!("missed {n}"), &n.to_string()))
            .await;
    }

    let resume = Some(stopped_at.clone());
    let (mut ada, welcome) = Client::enter_again(&world, "ada", resume, "").await;
    bob.ask(message(&general, "live", "9")).await;

    assert!(welcome.resumed && welcome.snapshot.is_none());
    assert_eq!(welcome.cursor, Some(stopped_at));
    let mut texts = Vec::new();
    for _ in 0..4 {
        texts.push(text(&ada.durable_event().await).to_owned());
    }
    assert_eq!(texts, ["missed 0", "missed 1", "missed 2", "live"]);
}

#[tokio::test]
async fn cursor_of_another_log_means_a_snapshot() {
    let world = World::start().await;
    let (_, welcome) = Client::enter(&world, "ada").await;
    let foreign = wire::Cursor {
        epoch: "another".to_owned(),
        event_id: 1,
    };
    let ahead = cursor(&welcome, 1_000_000);
    for resume in [foreign, ahead] {
        let (_, welcome) = Client::enter_again(&world, "ada", Some(resume), "").await;
        assert!(!welcome.resumed);
        assert!(welcome.snapshot.is_some());
    }
}

#[tokio::test]
async fn no_event_is_lost_or_repeated_while_others_keep_writing() {
    const MESSAGES: u64 = 200;
    let world = World::start().await;
    let (reader, welcome) = Client::enter(&world, "reader").await;
    let general = channel(&welcome, ChannelKind::Text);
    let mut writers = Vec::new();
    for w in 0..4 {
        writers.push(Client::enter(&world, &format!("writer{w}")).await.0);
    }
    let start = cursor(&welcome, welcome.cursor.as_ref().unwrap().event_id);
    reader.close().await;

    let writing = async {
        for n in 0..MESSAGES / 4 {
            for (w, writer) in writers.iter_mut().enumerate() {
                writer
                    .ask(message(&general, "x", &format!("{w}-{n}")))
                    .await;
            }
        }
    };
    let reading = async {
        let mut last = start.event_id;
        let mut messages = 0;
        while messages < MESSAGES {
            let resume = Some(wire::Cursor {
                event_id: last,
                ..start.clone()
            });
            let (mut reader, welcome) = Client::enter_again(&world, "reader", resume, "").await;
            assert!(welcome.resumed);
            for _ in 0..7 {
                let event = reader.durable_event().await;
                assert_eq!(event.event_id, last + 1, "lost or repeated");
                last = event.event_id;
                messages += u64::from(matches!(event.event, Some(Event::MessageCreated(_))));
                if messages == MESSAGES {
                    break;
                }
            }
            reader.close().await;
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn session_resumes_over_a_restart_of_the_server() {
    let world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    let general = channel(&welcome, ChannelKind::Text);
    ada.ask(message(&general, "before", "1")).await;
    let stopped_at = cursor(&welcome, ada.durable_event().await.event_id);

    let world = world.restart().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    bob.ask(message(&general, "after", "1")).await;
    let (mut ada, welcome) = Client::enter_again(&world, "ada", Some(stopped_at), "").await;

    assert!(welcome.resumed);
    let joined = ada.durable_event().await;
    assert!(matches!(joined.event, Some(Event::MemberUpdated(_))));
    assert_eq!(text(&ada.durable_event().await), "after");
}

#[tokio::test]
async fn long_replay_waits_for_its_reader_instead_of_ending_it() {
    let limits = gryt_signaling::Limits {
        outbox_frames: 16,
        ..gryt_signaling::Limits::default()
    };
    let world = World::with_limits(limits).await;
    let (ada, welcome) = Client::enter(&world, "ada").await;
    let general = channel(&welcome, ChannelKind::Text);
    ada.close().await;
    let (mut bob, _) = Client::enter(&world, "bob").await;
    for n in 0..50 {
        bob.ask(message(&general, &n.to_string(), &n.to_string()))
            .await;
    }
    let (mut ada, _) = Client::enter_again(&world, "ada", welcome.cursor.clone(), "").await;
    let joined = ada.durable_event().await;
    assert!(matches!(joined.event, Some(Event::MemberUpdated(_))));
    for n in 0..50 {
        assert_eq!(text(&ada.durable_event().await), n.to_string());
    }
}
