//! What is published last is what is stored, whoever is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gryt_bus::{
    Bus, Cursor, DurableEvent, Error, EventId, LiveEvent, LocalBus, LogEpoch, Quotas, Replay,
    Subscription,
};
use gryt_model::{ChannelId, Member, ServerId};
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event;
use gryt_store::{FirstOpen, Server, SqliteStore, Store};
use tempfile::TempDir;

use super::{Operations, SendDraft};
use crate::auth::Claims;
use crate::{clock, first_channels};

/// A bus whose next event takes long once it is told so.
#[derive(Debug)]
struct SlowOnce {
    bus: LocalBus,
    slow: AtomicBool,
}

#[async_trait]
impl Bus for SlowOnce {
    async fn publish(&self, event: DurableEvent) -> Result<EventId, Error> {
        if self.slow.swap(false, Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.bus.publish(event).await
    }

    fn publish_live(&self, event: LiveEvent) {
        self.bus.publish_live(event);
    }

    fn subscribe(&self) -> Subscription {
        self.bus.subscribe()
    }

    async fn head(&self) -> Result<Cursor, Error> {
        self.bus.head().await
    }

    async fn replay(&self, after: &Cursor, limit: u32) -> Result<Replay, Error> {
        self.bus.replay(after, limit).await
    }
}

struct World {
    operations: Operations,
    bus: Arc<SlowOnce>,
    store: Arc<SqliteStore>,
    events: Subscription,
    channel: ChannelId,
    _folder: TempDir,
}

impl World {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let channels = first_channels().unwrap();
        let channel = channels[0].id.clone();
        let first = FirstOpen {
            server: Server {
                id: ServerId::from_random([7; 16]),
                name: "Home".into(),
            },
            channels,
        };
        let store = Arc::new(SqliteStore::open(&folder.path().join("gryt.db"), first).unwrap());
        let log = folder.path().join("events.db");
        let bus = Arc::new(SlowOnce {
            bus: LocalBus::open(&log, &LogEpoch::from_random([1; 16])).unwrap(),
            slow: AtomicBool::new(false),
        });
        Self {
            operations: Operations::new(
                Arc::clone(&store) as Arc<dyn Store>,
                Arc::clone(&bus) as _,
                None,
                Quotas::local(),
                None,
            ),
            events: bus.subscribe(),
            bus,
            store,
            channel,
            _folder: folder,
        }
    }

    async fn sign_in(&self, user: &str, name: &str) -> Member {
        self.operations.sign_in(&claims(user, name)).await.unwrap()
    }

    fn draft(&self) -> SendDraft {
        SendDraft {
            channel: self.channel.clone(),
            text: "hello".to_owned(),
            attachments: Vec::new(),
            nonce: "n1".parse().unwrap(),
        }
    }

    /// Makes the next event slow and returns once somebody waits for it.
    fn slow_down(&self) {
        self.bus.slow.store(true, Ordering::SeqCst);
    }

    async fn slow_is_under_way(&self) {
        while self.bus.slow.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The last event so far.
    async fn last_event(&mut self) -> Event {
        let mut last = None;
        let head = self.bus.head().await.unwrap().event_id.0;
        while last.as_ref().is_none_or(|(id, _)| *id < head) {
            let event = self.events.next().await.unwrap().event.clone();
            last = Some((event.event_id, event.event.unwrap()));
        }
        last.unwrap().1
    }
}

fn claims(user: &str, name: &str) -> Claims {
    Claims {
        user: gryt_model::UserId {
            issuer: "local".into(),
            subject: user.into(),
        },
        name: name.parse().unwrap(),
        expires_at: clock::wall() + Duration::from_secs(300),
    }
}

#[tokio::test]
async fn rename_that_is_published_late_does_not_undo_a_mute() {
    let mut world = World::start();
    let owner = world.sign_in("ann", "ann").await;
    let bob = world.sign_in("bob", "bob").await;

    world.slow_down();
    let rename = world.sign_in("bob", "robert");
    let mute = async {
        world.slow_is_under_way().await;
        world.operations.mute_member(&owner, &bob.id, true).await
    };
    tokio::join!(rename, mute).1.unwrap();

    let Event::MemberUpdated(last) = world.last_event().await else {
        panic!("no member");
    };
    assert_eq!((last.name.as_str(), last.server_muted), ("robert", true));
}

#[tokio::test]
async fn message_that_is_repeated_while_it_is_deleted_stays_deleted() {
    let mut world = World::start();
    let ann = world.sign_in("ann", "ann").await;
    let operations = &world.operations;
    let message = operations.send_message(&ann, world.draft()).await.unwrap();

    world.slow_down();
    let again = operations.send_message(&ann, world.draft());
    let delete = async {
        world.slow_is_under_way().await;
        let deleted = operations.delete_message(&ann, &world.channel, message.id);
        deleted.await
    };
    let (again, deleted) = tokio::join!(again, delete);

    again.unwrap();
    deleted.unwrap();
    let after = world.operations.send_message(&ann, world.draft()).await;
    assert_eq!(after.unwrap_err().reason, Reason::UnknownMessage);
    assert!(matches!(world.last_event().await, Event::MessageDeleted(_)));
}

#[tokio::test]
async fn deletion_whose_event_was_lost_is_told_when_it_is_asked_for_again() {
    use gryt_store::Messages as _;
    let mut world = World::start();
    let ann = world.sign_in("ann", "ann").await;
    let message = world.operations.send_message(&ann, world.draft()).await;
    let id = message.unwrap().id;
    // As if the process had died before the event.
    world
        .store
        .delete_message(&world.channel, id)
        .await
        .unwrap();

    let deleted = world.operations.delete_message(&ann, &world.channel, id);
    deleted.await.unwrap();

    assert!(matches!(world.last_event().await, Event::MessageDeleted(_)));
}

#[tokio::test]
async fn what_was_stored_is_published_also_if_the_caller_is_gone() {
    let mut world = World::start();
    let ann = world.sign_in("ann", "ann").await;

    world.slow_down();
    tokio::select! {
        _ = world.operations.send_message(&ann, world.draft()) => panic!("it was not slow"),
        () = world.slow_is_under_way() => {}
    }

    let published = async {
        loop {
            let delivery = world.events.next().await.unwrap();
            if let Some(Event::MessageCreated(message)) = &delivery.event.event {
                break message.text.clone();
            }
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(5), published).await;
    assert_eq!(text.unwrap(), "hello");
}
