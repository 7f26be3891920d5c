//! One order of messages, over clocks, replicas and buckets.

use std::collections::BTreeSet;
use std::sync::Arc;

use gryt_store::{Appended, Messages as _, NewMessage};
use tokio::task::JoinSet;

use crate::cassandra::{Home, two_stores};
use crate::fixture::{channel, new_message, sign_ann_in};
#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn appends_one_after_another_at_two_stores_rise_whatever_their_clocks_say() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;
    sign_ann_in(&*stores[0]).await;

    let mut ids = Vec::new();
    for number in 0..20_usize {
        // The second store's clock is a month behind.
        let unix_ms = [5_000_000_000, 2_000_000_000][number % 2];
        let new = NewMessage {
            unix_ms,
            ..new_message("tick", &format!("n{number}"))
        };
        let outcome = stores[number % 2].append_message(new).await.unwrap();
        let Appended::New(message) = outcome else {
            panic!("not new: {outcome:?}");
        };
        ids.push(message.id);
    }

    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn appends_at_two_stores_at_once_have_one_order() {
    let home = Home::new().ready().await;
    let stores = two_stores(&home).await;
    sign_ann_in(&*stores[0]).await;

    // Twenty senders, each of whom waits for an answer before the next message.
    let mut senders = JoinSet::new();
    for sender in 0..20_usize {
        let store = Arc::clone(&stores[sender % 2]);
        senders.spawn(async move {
            let mut ids = Vec::new();
            for number in 0..10 {
                let new = new_message("hello", &format!("n{sender}-{number}"));
                let Appended::New(message) = store.append_message(new).await.unwrap() else {
                    panic!("not new");
                };
                ids.push(message.id);
            }
            ids
        });
    }
    let by_sender = senders.join_all().await;

    for ids in &by_sender {
        assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    }
    let all: BTreeSet<_> = by_sender.into_iter().flatten().collect();
    assert_eq!(all.len(), 200, "an id was given out twice");
    for store in &stores {
        let page = store.messages(&channel(1), None, 1_000).await.unwrap();
        assert!(page.messages.iter().map(|message| &message.id).eq(&all));
    }
}

#[tokio::test]
#[ignore = "needs Cassandra: cargo xtask test backends"]
async fn page_crosses_buckets_and_deleted_messages() {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let home = Home::new().ready().await;
    let store = home.open().await;
    sign_ann_in(&store).await;
    let mut ids = Vec::new();
    // Nearly five years with a message every 25 days.
    for number in 0..70 {
        let new = NewMessage {
            unix_ms: number * 25 * DAY_MS,
            ..new_message("hello", &format!("n{number}"))
        };
        let Appended::New(message) = store.append_message(new).await.unwrap() else {
            panic!("not new");
        };
        ids.push(message.id);
    }
    for id in ids.drain(10..30) {
        assert!(store.delete_message(&channel(1), id).await.unwrap());
    }

    let mut before = None;
    let mut found = Vec::new();
    loop {
        let page = store.messages(&channel(1), before, 8).await.unwrap();
        before = page.messages.first().map(|message| message.id);
        found.splice(0..0, page.messages.iter().map(|message| message.id));
        if !page.has_more {
            break;
        }
        assert_eq!(page.messages.len(), 8);
    }
    assert_eq!(found, ids);
}
