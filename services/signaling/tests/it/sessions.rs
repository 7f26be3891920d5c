//! The life of a socket: handshake, hello, limits, presence, token, end.

use std::time::Duration;

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::event::Event;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::{ChannelKind, server_frame::Frame};
use gryt_signaling::Limits;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, channel, handshake, me, message, page, ping};
use crate::issuer::Issuer;
use crate::world::{World, server_id};

fn hello(protocol_version: u32) -> Request {
    Request::Hello(wire::Hello {
        protocol_version,
        ..wire::Hello::default()
    })
}

async fn presence(client: &mut Client) -> (String, bool) {
    client
        .event(|event| match event {
            Event::PresenceChanged(change) => Some((change.member_id.clone(), change.online)),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn handshake_selects_the_protocol_and_never_echoes_the_token() {
    let world = World::start().await;
    let token = world.token("ada");
    let protocols = format!("gryt.v1, bearer.{token}");
    let (_, response) = handshake(&world, &protocols, Some("http://localhost:5173"))
        .await
        .unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "gryt.v1");
    assert!(!format!("{response:?}").contains(&token));
}

#[tokio::test]
async fn handshake_that_a_page_cannot_mend_is_refused_by_status() {
    let world = World::start().await;
    let good = format!("gryt.v1, bearer.{}", world.token("ada"));
    let table = [
        (
            good.as_str(),
            Some("https://evil.example"),
            403,
            "ORIGIN_FORBIDDEN",
        ),
        (good.as_str(), Some("null"), 403, "ORIGIN_FORBIDDEN"),
        ("gryt.v1", None, 401, "UNAUTHENTICATED"),
        ("gryt.v9, bearer.x", None, 400, "MALFORMED"),
    ];
    for (protocols, origin, status, code) in table {
        let Err(refused) = handshake(&world, protocols, origin).await else {
            panic!("let in with {origin:?}");
        };
        assert_eq!(refused.status, status);
        assert_eq!(refused.body["code"], code);
        assert!(refused.body["request_id"].is_string());
    }
}

#[tokio::test]
async fn bad_token_is_said_over_the_socket_because_browsers_hide_statuses() {
    let world = World::start().await;
    let id = server_id();
    let with = |field: &str, value| {
        let mut claims = Issuer::claims("ada", id.as_str(), 300);
        claims[field] = value;
        world.issuer.sign(&claims)
    };
    let foreign = Issuer::start().await;
    let table = [
        ("nonsense".to_owned(), Reason::Unauthenticated),
        (
            with("aud", json!("another server")),
            Reason::Unauthenticated,
        ),
        (
            with("iss", json!("https://evil.example")),
            Reason::Unauthenticated,
        ),
        (
            foreign.sign(&Issuer::claims("ada", id.as_str(), 300)),
            Reason::Unauthenticated,
        ),
        (world.token_for("ada", -3600), Reason::TokenExpired),
    ];
    for (token, reason) in table {
        let mut client = Client::with_token(&world, &token).await;
        let code = u16::try_from(i32::from(reason)).unwrap() + 4000;
        assert_eq!(client.end().await, (reason, code));
    }
}

#[tokio::test]
async fn hello_comes_first_and_every_request_has_one_reply() {
    let world = World::start().await;
    let mut client = Client::with_token(&world, &world.token("ada")).await;
    assert_eq!(client.refused(ping()).await, Reason::HelloRequired);
    client.hello(None, "").await;
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(client.send(ping()).await);
    }
    for id in ids {
        assert_eq!(client.reply(id).await, Reply::Done(wire::Done {}));
    }
}

#[tokio::test]
async fn old_client_is_told_to_reload() {
    let world = World::start().await;
    let mut client = Client::with_token(&world, &world.token("ada")).await;
    assert_eq!(client.refused(hello(0)).await, Reason::ClientTooOld);
    assert_eq!(client.end().await, (Reason::ClientTooOld, 4004));
}

#[tokio::test]
async fn unreadable_frames_end_the_socket_with_a_reason() {
    let world = World::start().await;
    let table = [
        (Message::Text("hello".into()), Reason::Malformed),
        (Message::Binary(vec![0xff; 40].into()), Reason::Malformed),
        (
            Message::Binary(vec![0; 64 * 1024 + 1].into()),
            Reason::TooLarge,
        ),
    ];
    for (frame, reason) in table {
        let (mut client, _) = Client::enter(&world, "ada").await;
        client.send_raw(frame).await;
        assert_eq!(client.end().await.0, reason);
    }
}

#[tokio::test]
async fn request_of_a_newer_client_or_without_id_is_refused_and_the_socket_stays() {
    let world = World::start().await;
    let (mut client, _) = Client::enter(&world, "ada").await;
    // Field 99, length 0; and request id 1000.
    client
        .send_raw(Message::Binary(vec![8, 0xe8, 7, 0x9a, 6, 0].into()))
        .await;
    let Reply::Refusal(refusal) = client.reply(1000).await else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason(), Reason::Malformed);
    // A ping without an id.
    client.send_raw(Message::Binary(vec![0x22, 0].into())).await;
    let Reply::Refusal(refusal) = client.reply(0).await else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason(), Reason::Malformed);
    client.done(ping()).await;
}

#[tokio::test]
async fn member_with_several_sessions_is_online_once() {
    let world = World::start().await;
    let (mut bob, bob_welcome) = Client::enter(&world, "bob").await;
    assert_eq!(presence(&mut bob).await, (me(&bob_welcome), true));
    let (ada1, welcome) = Client::enter(&world, "ada").await;
    let ada = me(&welcome);
    let mut online = welcome.live.unwrap().online_member_ids;
    online.sort();
    let mut expected = vec![ada.clone(), me(&bob_welcome)];
    expected.sort();
    assert_eq!(online, expected);

    let (ada2, _) = Client::enter(&world, "ada").await;
    ada1.close().await;
    ada2.close().await;
    Client::enter(&world, "carol").await;

    assert_eq!(presence(&mut bob).await, (ada.clone(), true));
    assert_eq!(presence(&mut bob).await, (ada, false));
    assert!(presence(&mut bob).await.1, "carol comes next");
}

#[tokio::test]
async fn flood_is_refused_with_the_time_to_wait() {
    let world = World::with_limits(Limits {
        requests_per_second: 10,
        request_burst: 5,
        ..Limits::default()
    })
    .await;
    let (mut client, _) = Client::enter(&world, "ada").await;
    for _ in 0..4 {
        client.done(ping()).await;
    }
    let Reply::Refusal(refusal) = client.ask(ping()).await else {
        panic!("not refused");
    };
    assert_eq!(refusal.reason(), Reason::RateLimited);
    assert!((1..=100).contains(&refusal.retry_after_ms));
}

#[tokio::test]
async fn client_that_takes_nothing_is_ended_as_slow_and_the_others_are_not() {
    let world = World::with_limits(Limits {
        outbox_bytes: 1024 * 1024,
        requests_per_second: 10_000,
        request_burst: 10_000,
        ..Limits::default()
    })
    .await;
    let (mut slow, welcome) = Client::enter(&world, "ada").await;
    let (mut quick, _) = Client::enter(&world, "bob").await;
    let general = channel(&welcome, ChannelKind::Text);
    for n in 0..25 {
        let text = "🎉".repeat(4000);
        quick.ask(message(&general, &text, &n.to_string())).await;
    }
    // Pages of 400 KB that nobody takes: more than the kernel keeps for a socket.
    for _ in 0..55 {
        slow.send(page(&general)).await;
    }
    while presence(&mut quick).await != (me(&welcome), false) {}
    quick.done(ping()).await;
    let reason = loop {
        match slow.frame().await {
            Some(Frame::Reply(_) | Frame::Event(_) | Frame::Goodbye(_)) => {}
            None => break slow.end_reason(),
        }
    };
    assert_eq!(reason, Reason::SlowConsumer);
}

#[tokio::test]
async fn socket_ends_with_its_token_unless_it_is_renewed() {
    let world = World::start().await;
    let mut client = Client::with_token(&world, &world.token_for("ada", 2)).await;
    let mut renewed = Client::with_token(&world, &world.token_for("bob", 2)).await;
    client.hello(None, "").await;
    renewed.hello(None, "").await;
    let renewal = |token| Request::RenewToken(wire::RenewToken { token });

    let foreign = renewal(world.token("ada"));
    assert_eq!(renewed.refused(foreign).await, Reason::Unauthenticated);
    renewed.done(renewal(world.token("bob"))).await;

    assert_eq!(client.end().await, (Reason::TokenExpired, 4006));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    renewed.done(ping()).await;
}

#[tokio::test]
async fn silent_and_speechless_clients_are_ended() {
    let world = World::with_limits(Limits {
        ping_interval: Duration::from_millis(100),
        hello_timeout: Duration::from_millis(200),
        ..Limits::default()
    })
    .await;
    let mut speechless = Client::with_token(&world, &world.token("ada")).await;
    assert_eq!(speechless.end().await, (Reason::GoingAway, 4023));
    let (mut silent, _) = Client::enter(&world, "ada").await;
    assert_eq!(silent.end().await, (Reason::GoingAway, 4023));
}

#[tokio::test]
async fn session_ends_at_its_greatest_age() {
    let world = World::with_limits(Limits {
        session_timeout: Duration::from_millis(300),
        ..Limits::default()
    })
    .await;
    let (mut client, _) = Client::enter(&world, "ada").await;
    assert_eq!(client.end().await, (Reason::GoingAway, 4023));
}

#[tokio::test]
async fn sockets_of_one_person_and_of_one_address_are_limited() {
    let world = World::with_limits(Limits {
        sockets_per_user: 1,
        sockets_per_address: 3,
        ..Limits::default()
    })
    .await;
    let (ada, _) = Client::enter(&world, "ada").await;
    let mut second = Client::with_token(&world, &world.token("ada")).await;
    assert_eq!(second.end().await, (Reason::RateLimited, 4009));
    drop(second);

    let _bob = Client::enter(&world, "bob").await;
    let _carol = Client::enter(&world, "carol").await;
    let protocols = format!("gryt.v1, bearer.{}", world.token("dave"));
    let Err(refused) = handshake(&world, &protocols, None).await else {
        panic!("let in");
    };
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (429, &json!("RATE_LIMITED"))
    );

    ada.close().await;
    for attempt in 0.. {
        if handshake(&world, &protocols, None).await.is_ok() {
            break;
        }
        assert!(attempt < 1000, "the place is never free again");
    }
}

#[tokio::test]
async fn everyone_is_told_when_the_server_goes_away() {
    let mut world = World::start().await;
    let (mut client, _) = Client::enter(&world, "ada").await;
    let (ended, ()) = tokio::join!(client.end(), world.stop());
    assert_eq!(ended, (Reason::GoingAway, 4023));
}

#[tokio::test]
async fn hello_with_a_bad_session_id_leaves_nothing_behind() {
    let world = World::start().await;
    let mut client = Client::with_token(&world, &world.token("ada")).await;
    let bad = Request::Hello(wire::Hello {
        protocol_version: 1,
        resume: None,
        session_id: "not an id".to_owned(),
    });

    assert_eq!(client.refused(bad).await, Reason::Malformed);

    assert_eq!(client.refused(ping()).await, Reason::HelloRequired);
    client.hello(None, "").await;
}

#[tokio::test]
async fn join_that_the_sfu_does_not_answer_does_not_hold_up_the_goodbye() {
    let mut world = World::start().await;
    let (mut ada, welcome) = Client::enter(&world, "ada").await;
    world.sfu.hang();
    ada.send(Request::JoinVoice(wire::JoinVoice {
        channel_id: channel(&welcome, ChannelKind::Voice),
        ..wire::JoinVoice::default()
    }))
    .await;
    world
        .until("the SFU is asked", |world| !world.sfu.calls().is_empty())
        .await;

    world.stop().await;

    let goodbye = tokio::time::timeout(Duration::from_secs(1), ada.end()).await;
    assert_eq!(goodbye.unwrap(), (Reason::GoingAway, 4023));
}
