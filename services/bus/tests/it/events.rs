//! The contract of `Bus`.

use std::sync::Arc;

use gryt_bus::{
    Audience, Bus, Cursor, Delivery, DurableEvent, EVENTS_KEPT, EventId, Interrupted, LogEpoch,
    Replay, Subscription,
};
use gryt_model::{ChannelId, MemberId, SessionId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::event::Event as Kind;
use tokio::task::JoinSet;

use crate::fixture::{channel, durable, live, message};

async fn publish_many(bus: &dyn Bus, count: u64) {
    for number in 1..=count {
        bus.publish(durable(number)).await.unwrap();
    }
}

async fn replay(bus: &dyn Bus, after: u64, limit: u32) -> Vec<Arc<Delivery>> {
    let cursor = Cursor {
        event_id: EventId(after),
        ..bus.head().await.unwrap()
    };
    let replay = bus.replay(&cursor, limit).await.unwrap();
    let Replay::Events(events) = replay else {
        panic!("no events: {replay:?}");
    };
    events
}

pub(crate) async fn next_ids(subscription: &mut Subscription, count: u64) -> Vec<u64> {
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(subscription.next().await.unwrap().event.event_id);
    }
    ids
}

fn ids(events: &[Arc<Delivery>]) -> Vec<u64> {
    events.iter().map(|event| event.event.event_id).collect()
}

pub(crate) async fn new_log_is_empty(bus: Arc<dyn Bus>) {
    let head = bus.head().await.unwrap();

    assert_eq!(head.event_id, EventId(0));
    assert_eq!(bus.replay(&head, 10).await.unwrap(), Replay::Events(vec![]));
}

pub(crate) async fn ids_ascend_by_one(bus: Arc<dyn Bus>) {
    for number in 1..=20 {
        assert_eq!(bus.publish(durable(number)).await.unwrap(), EventId(number));
    }
    assert_eq!(bus.head().await.unwrap().event_id, EventId(20));
}

pub(crate) async fn every_subscriber_gets_every_event_in_order(bus: Arc<dyn Bus>) {
    let mut first = bus.subscribe();
    let mut second = bus.subscribe();

    publish_many(&*bus, 10).await;

    let all: Vec<u64> = (1..=10).collect();
    assert_eq!(next_ids(&mut first, 10).await, all);
    assert_eq!(next_ids(&mut second, 10).await, all);
}

pub(crate) async fn concurrent_publishers_are_delivered_in_the_order_of_ids(bus: Arc<dyn Bus>) {
    let mut subscription = bus.subscribe();
    let mut publishers = JoinSet::new();
    for publisher in 0..20 {
        let bus = Arc::clone(&bus);
        publishers.spawn(async move {
            for number in 0..20 {
                bus.publish(durable(publisher * 100 + number))
                    .await
                    .unwrap();
            }
        });
    }
    publishers.join_all().await;

    let all: Vec<u64> = (1..=400).collect();
    assert_eq!(next_ids(&mut subscription, 400).await, all);
}

pub(crate) async fn live_events_have_no_id_and_are_not_replayed(bus: Arc<dyn Bus>) {
    let mut subscription = bus.subscribe();

    bus.publish_live(live(1));

    let delivery = subscription.next().await.unwrap();
    assert_eq!(delivery.event.event_id, 0);
    assert_eq!(delivery.event.event, live(1).event.event);
    assert!(replay(&*bus, 0, 10).await.is_empty());
}

pub(crate) async fn durable_and_live_events_of_one_publisher_keep_their_order(bus: Arc<dyn Bus>) {
    let mut subscription = bus.subscribe();

    bus.publish_live(live(1));
    bus.publish(durable(1)).await.unwrap();
    bus.publish_live(live(2));
    bus.publish(durable(2)).await.unwrap();

    assert_eq!(next_ids(&mut subscription, 4).await, [0, 1, 0, 2]);
}

pub(crate) async fn replay_gives_what_follows_the_cursor_in_pieces(bus: Arc<dyn Bus>) {
    publish_many(&*bus, 25).await;

    assert_eq!(
        ids(&replay(&*bus, 0, 10).await),
        (1..=10).collect::<Vec<_>>()
    );
    assert_eq!(ids(&replay(&*bus, 20, 10).await), [21, 22, 23, 24, 25]);
    assert!(replay(&*bus, 25, 10).await.is_empty());
    let one = &replay(&*bus, 2, 1).await[0];
    assert_eq!(one.event.event, durable(3).event.event);
}

pub(crate) async fn replay_keeps_every_audience(bus: Arc<dyn Bus>) {
    let audiences = [
        Audience::Everyone,
        Audience::Channel(channel()),
        Audience::Member(MemberId::from_random([2; 16])),
        Audience::Session(SessionId::from_random([3; 16])),
    ];
    for audience in audiences.clone() {
        let event = DurableEvent {
            audience,
            ..durable(1)
        };
        bus.publish(event).await.unwrap();
    }

    let replayed = replay(&*bus, 0, 10).await;
    let replayed: Vec<_> = replayed
        .iter()
        .map(|event| event.audience.clone())
        .collect();
    assert_eq!(replayed, audiences);
}

pub(crate) async fn replay_from_another_epoch_or_from_the_future_asks_for_a_snapshot(
    bus: Arc<dyn Bus>,
) {
    publish_many(&*bus, 3).await;
    let head = bus.head().await.unwrap();

    let elsewhere = wire::Cursor {
        epoch: "not an epoch of ours".into(),
        event_id: 1,
    };
    let elsewhere = bus.replay(&Cursor::from(&elsewhere), 10).await.unwrap();
    assert_eq!(elsewhere, Replay::OtherEpoch);
    let other = Cursor {
        epoch: LogEpoch::from_random([9; 16]),
        ..head.clone()
    };
    assert_eq!(bus.replay(&other, 10).await.unwrap(), Replay::OtherEpoch);
    for event_id in [4, u64::MAX] {
        let future = Cursor {
            event_id: EventId(event_id),
            ..head.clone()
        };
        assert_eq!(bus.replay(&future, 10).await.unwrap(), Replay::OtherEpoch);
    }
}

pub(crate) async fn lagging_subscriber_is_told_how_much_it_lost(bus: Arc<dyn Bus>) {
    let mut slow = bus.subscribe();
    let mut quick = bus.subscribe();
    let capacity = u32::try_from(Subscription::CAPACITY).unwrap();

    let numbers: Vec<u32> = (0..capacity + 5).collect();
    for piece in numbers.chunks(50) {
        for number in piece {
            bus.publish_live(live(*number));
        }
        for _ in piece {
            quick.next().await.unwrap();
        }
    }

    let told = slow.next().await;
    assert_eq!(told, Err(Interrupted::Lagged(5)));
    let next = slow.next().await.unwrap();
    assert_eq!(next.event.event, live(5).event.event);
}

pub(crate) async fn subscribing_then_replaying_leaves_no_gap(bus: Arc<dyn Bus>) {
    let publishing = tokio::spawn({
        let bus = Arc::clone(&bus);
        async move { publish_many(&*bus, 300).await }
    });
    while bus.head().await.unwrap().event_id < EventId(50) {}

    let mut subscription = bus.subscribe();
    let mut seen = 0;
    loop {
        let events = replay(&*bus, seen, 7).await;
        for event in &events {
            assert_eq!(event.event.event_id, seen + 1);
            seen += 1;
        }
        if events.is_empty() {
            break;
        }
    }
    while seen < 300 {
        let id = subscription.next().await.unwrap().event.event_id;
        if id > seen {
            assert_eq!(id, seen + 1);
            seen = id;
        }
    }
    publishing.await.unwrap();
}

async fn texts(bus: &dyn Bus) -> Vec<String> {
    let mut texts = Vec::new();
    for delivery in replay(bus, 0, 10).await {
        if let Some(Kind::MessageCreated(message) | Kind::MessageEdited(message)) =
            &delivery.event.event
        {
            texts.push(message.text.clone());
        }
    }
    texts
}

pub(crate) async fn text_of_a_deleted_message_is_not_replayed(bus: Arc<dyn Bus>) {
    let mut edited = message(5, "secret still");
    if let Some(Kind::MessageCreated(message)) = edited.event.event.take() {
        edited.event.event = Some(Kind::MessageEdited(message));
    }
    let events = [
        message(5, "secret"),
        message(55, "stays"),
        edited,
        durable(5),
    ];
    for event in events {
        bus.publish(event).await.unwrap();
    }

    assert_eq!(texts(&*bus).await, ["", "stays", ""]);
}

pub(crate) async fn texts_of_a_deleted_channel_are_not_replayed(bus: Arc<dyn Bus>) {
    let elsewhere = DurableEvent {
        audience: Audience::Channel(ChannelId::from_random([7; 16])),
        ..message(3, "stays")
    };
    let deleted = wire::ChannelDeleted {
        channel_id: channel().to_string(),
    };
    let deleted = DurableEvent {
        event: wire::Event {
            event_id: 0,
            event: Some(Kind::ChannelDeleted(deleted)),
        },
        audience: Audience::Channel(channel()),
    };
    let mut subscription = bus.subscribe();
    for event in [message(1, "a"), message(2, "b"), elsewhere, deleted] {
        bus.publish(event).await.unwrap();
    }

    let told = subscription.next().await.unwrap();
    assert_eq!(told.event.event, message(1, "a").event.event);
    assert_eq!(texts(&*bus).await, ["", "", "stays"]);
}

pub(crate) async fn log_keeps_its_newest_events_and_says_what_it_trimmed(bus: Arc<dyn Bus>) {
    let published = EVENTS_KEPT + 100;
    let mut publishers = JoinSet::new();
    for _ in 0..100 {
        let bus = Arc::clone(&bus);
        publishers.spawn(async move {
            for number in 0..published / 100 {
                bus.publish(message(number, "text")).await.unwrap();
            }
        });
    }
    publishers.join_all().await;

    let head = bus.head().await.unwrap();
    assert_eq!(head.event_id, EventId(published));
    let at = |event_id| Cursor {
        event_id: EventId(event_id),
        ..head.clone()
    };
    assert_eq!(bus.replay(&at(0), 1).await.unwrap(), Replay::Trimmed);
    assert_eq!(bus.replay(&at(99), 1).await.unwrap(), Replay::Trimmed);
    let oldest = bus.replay(&at(100), 20_000).await.unwrap();
    let Replay::Events(oldest) = oldest else {
        panic!("no events: {oldest:?}");
    };
    assert_eq!(oldest.len() as u64, EVENTS_KEPT);
    assert_eq!(oldest[0].event.event_id, 101);
}
