//! Several replicas of one server that do the same thing at once.

use std::collections::BTreeSet;
use std::sync::Arc;

use gryt_model::{ChannelKind, MessageId, Role};
use gryt_store::{Appended, Channels as _, Members as _, Messages as _};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use crate::cassandra::{Home, rows, superuser, two_stores};
use crate::fixture::{channel, member, new_channel, new_message, sign_ann_in, user};
#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn ten_first_sign_ins_on_two_stores_make_one_owner() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;

    let mut sign_ins = JoinSet::new();
    for number in 0..10 {
        let store = Arc::clone(&stores[usize::from(number) % 2]);
        sign_ins.spawn(async move {
            let user = user(&format!("user {number}"));
            let name = "Someone".parse().unwrap();
            store.sign_in(&user, name, member(number)).await.unwrap()
        });
    }
    let members = sign_ins.join_all().await;

    let owners = members.iter().filter(|m| m.member.role == Role::Owner);
    assert_eq!(owners.count(), 1);
    assert!(members.iter().all(|m| m.created));
    let [first, second] = &stores;
    let listed = first.members().await.unwrap();
    assert_eq!(listed.len(), 10);
    assert_eq!(second.members().await.unwrap(), listed);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn one_person_at_two_stores_at_once_is_one_member() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;

    let mut sign_ins = JoinSet::new();
    for number in 0..10 {
        let store = Arc::clone(&stores[usize::from(number) % 2]);
        sign_ins.spawn(async move {
            let name = "Ann".parse().unwrap();
            store.sign_in(&user("ann"), name, member(number)).await
        });
    }
    let signed_in = sign_ins.join_all().await;
    let signed_in: Vec<_> = signed_in.into_iter().map(Result::unwrap).collect();

    let ids: BTreeSet<_> = signed_in.iter().map(|s| s.member.id.clone()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(signed_in.iter().filter(|s| s.created).count(), 1);
    assert_eq!(stores[0].members().await.unwrap().len(), 1);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn one_nonce_at_two_stores_at_once_is_one_message() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;
    sign_ann_in(&*stores[0]).await;

    let mut appends = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&stores[number % 2]);
        appends.spawn(async move { store.append_message(new_message("hello", "n1")).await });
    }
    let outcomes = appends.join_all().await;

    let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    let ids: BTreeSet<MessageId> = outcomes
        .iter()
        .map(|outcome| {
            let (Appended::New(message) | Appended::Repeated(message)) = outcome else {
                panic!("neither new nor repeated: {outcome:?}");
            };
            message.id
        })
        .collect();
    let new = outcomes.iter().filter(|o| matches!(o, Appended::New(_)));
    assert_eq!((new.count(), ids.len()), (1, 1));
    let page = stores[1].messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(page.messages.len(), 1);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn nonce_without_its_message_is_completed_by_whoever_finds_it() {
    let home = Home::new().ready().await;
    let store = home.open().await;
    let author = sign_ann_in(&store).await;
    // A replica that was killed between its two writes.
    let id = MessageId::next(None, 1_000_500);
    let hash = Sha256::new()
        .chain_update(channel(1).as_str())
        .chain_update("hello");
    let insert = "INSERT INTO nonces
        (server, author, nonce, channel, message_id, payload_hash, unix_ms)
        VALUES (?, ?, 'n1', ?, ?, ?, 1000500)";
    let values = (
        home.server.as_str(),
        author.as_str(),
        channel(1).to_string(),
        i64::try_from(id.get()).unwrap(),
        hash.finalize().to_vec(),
    );
    let session = superuser(&home).await;
    session.query_unpaged(insert, values).await.unwrap();

    let outcome = store.append_message(new_message("hello", "n1")).await;

    let Appended::Repeated(message) = outcome.unwrap() else {
        panic!("not repeated");
    };
    assert_eq!((message.id, message.created_at_ms), (id, 1_000_500));
    let page = store.messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(page.messages, [message]);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn channels_made_at_two_stores_at_once_have_places_of_their_own() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;

    let mut creations = JoinSet::new();
    for number in 10..20_u8 {
        let store = Arc::clone(&stores[usize::from(number) % 2]);
        creations.spawn(async move {
            let new = new_channel(number, "new", ChannelKind::Text);
            store.create_channel(new).await.unwrap()
        });
    }
    creations.join_all().await;

    let channels = stores[0].channels().await.unwrap();
    let places: Vec<i32> = channels.iter().map(|channel| channel.position).collect();
    assert_eq!(places, (0..12).collect::<Vec<_>>());
    assert_eq!(stores[1].channels().await.unwrap(), channels);
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn deleted_channel_is_closed_on_every_store_and_for_ever() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;
    sign_ann_in(&*stores[0]).await;
    for (store, mark) in stores.iter().zip(["n1", "n2"]) {
        let outcome = store.append_message(new_message("hello", mark)).await;
        assert!(matches!(outcome.unwrap(), Appended::New(_)));
    }

    assert!(stores[0].delete_channel(&channel(1)).await.unwrap());

    // It still remembers the head as it was.
    let outcome = stores[1].append_message(new_message("late", "n3")).await;
    assert_eq!(outcome.unwrap(), Appended::UnknownChannel);
    let again = new_channel(1, "again", ChannelKind::Text);
    stores[1].create_channel(again).await.unwrap_err();
    let session = superuser(&home).await;
    assert_eq!(rows(&session, "SELECT id FROM messages").await, 0);
}
