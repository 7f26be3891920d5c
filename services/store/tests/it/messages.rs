//! The contract of `Messages`.

use std::collections::BTreeSet;
use std::sync::Arc;

use gryt_model::{ChannelKind, Message, MessageId};
use gryt_store::{Appended, MessageEdit, NewMessage, Page, Store};
use tokio::task::JoinSet;

use crate::fixture::{channel, member, new_channel, new_message, nonce, sign_ann_in, text, user};

async fn append(store: &dyn Store, new: NewMessage) -> Message {
    let outcome = store.append_message(new).await.unwrap();
    let Appended::New(message) = outcome else {
        panic!("not new: {outcome:?}");
    };
    message
}

async fn append_many(store: &dyn Store, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    for number in 0..count {
        let new = new_message(&format!("text {number}"), &format!("n{number}"));
        messages.push(append(store, new).await);
    }
    messages
}

async fn all(store: &dyn Store) -> Vec<Message> {
    let page = store.messages(&channel(1), None, 10_000).await.unwrap();
    assert!(!page.has_more);
    page.messages
}

pub(crate) async fn appended_message_is_found_as_it_was_answered(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let message = append(&*store, new_message("hello", "n1")).await;

    assert_eq!(message.text.as_str(), "hello");
    assert_eq!(message.created_at_ms, 1_000_000);
    assert_eq!(message.edited_at_ms, None);
    let found = store.message(&channel(1), message.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&message));
    assert_eq!(all(&*store).await, [message]);
}

pub(crate) async fn same_nonce_twice_is_one_message(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let first = append(&*store, new_message("hello", "n1")).await;

    let again = NewMessage {
        unix_ms: 2_000_000,
        ..new_message("hello", "n1")
    };
    let again = store.append_message(again).await.unwrap();

    assert_eq!(again, Appended::Repeated(first.clone()));
    assert_eq!(all(&*store).await, [first]);
}

pub(crate) async fn same_nonce_of_two_members_is_two_messages(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let name = "Bob".parse().unwrap();
    store.sign_in(&user("bob"), name, member(2)).await.unwrap();

    append(&*store, new_message("hello", "n1")).await;
    let by_bob = NewMessage {
        author: member(2),
        ..new_message("hello", "n1")
    };
    append(&*store, by_bob).await;

    assert_eq!(all(&*store).await.len(), 2);
}

pub(crate) async fn nonce_with_another_text_is_refused(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    append(&*store, new_message("hello", "n1")).await;

    let other = store
        .append_message(new_message("bye", "n1"))
        .await
        .unwrap();

    assert_eq!(other, Appended::NonceReused);
    assert_eq!(all(&*store).await.len(), 1);
}

pub(crate) async fn nonce_in_another_channel_is_refused(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let new = new_channel(3, "other", ChannelKind::Text);
    store.create_channel(new).await.unwrap();
    append(&*store, new_message("hello", "n1")).await;

    let elsewhere = NewMessage {
        channel: channel(3),
        ..new_message("hello", "n1")
    };
    let elsewhere = store.append_message(elsewhere).await.unwrap();

    assert_eq!(elsewhere, Appended::NonceReused);
}

pub(crate) async fn concurrent_appends_with_one_nonce_write_one_message(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let mut appends = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        appends.spawn(async move {
            store
                .append_message(new_message("hello", "n1"))
                .await
                .unwrap()
        });
    }
    let outcomes = appends.join_all().await;

    let new = outcomes.iter().filter(|o| matches!(o, Appended::New(_)));
    assert_eq!(new.count(), 1);
    let ids: BTreeSet<MessageId> = outcomes
        .iter()
        .map(|outcome| {
            let (Appended::New(message) | Appended::Repeated(message)) = outcome else {
                panic!("neither new nor repeated: {outcome:?}");
            };
            message.id
        })
        .collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(all(&*store).await.len(), 1);
}

pub(crate) async fn repeated_nonce_tells_of_an_edit(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let message = append(&*store, new_message("hello", "n1")).await;
    let edit = MessageEdit {
        channel: channel(1),
        id: message.id,
        text: text("hello there"),
        unix_ms: 2_000_000,
    };
    let edited = store.edit_message(edit).await.unwrap().unwrap();

    let again = store.append_message(new_message("hello", "n1")).await;

    assert_eq!(again.unwrap(), Appended::Repeated(edited));
}

pub(crate) async fn repeated_nonce_tells_of_a_deletion(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let message = append(&*store, new_message("hello", "n1")).await;
    assert!(store.delete_message(&channel(1), message.id).await.unwrap());

    let again = store.append_message(new_message("hello", "n1")).await;

    assert_eq!(again.unwrap(), Appended::RepeatedDeleted(message.id));
    assert!(all(&*store).await.is_empty());
}

pub(crate) async fn nonce_is_remembered_for_48_hours_and_not_for_ever(store: Arc<dyn Store>) {
    let kept_ms = 48 * 60 * 60 * 1_000;
    let at = |unix_ms, says: &str, mark: &str| NewMessage {
        unix_ms,
        ..new_message(says, mark)
    };
    sign_ann_in(&*store).await;
    append(&*store, at(1_000, "hello", "n1")).await;

    append(&*store, at(1_000 + kept_ms, "still", "n2")).await;
    let known = store.append_message(at(1_000 + kept_ms, "hello", "n1"));
    assert!(matches!(known.await.unwrap(), Appended::Repeated(_)));

    append(&*store, at(1_001 + kept_ms, "later", "n3")).await;
    let forgotten = store.append_message(at(1_001 + kept_ms, "hello", "n1"));
    assert!(matches!(forgotten.await.unwrap(), Appended::New(_)));
}

pub(crate) async fn append_to_an_unknown_channel_is_told(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let nowhere = NewMessage {
        channel: channel(9),
        ..new_message("hello", "n1")
    };

    let outcome = store.append_message(nowhere).await.unwrap();

    assert_eq!(outcome, Appended::UnknownChannel);
}

pub(crate) async fn ids_rise_whatever_the_clock_does(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let mut ids = Vec::new();
    for (number, unix_ms) in [5_000, 5_000, 4_000, 0, 9_000].into_iter().enumerate() {
        let new = NewMessage {
            unix_ms,
            ..new_message("tick", &format!("n{number}"))
        };
        ids.push(append(&*store, new).await.id);
    }

    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(ids[4].unix_ms(), 9_000);
}

pub(crate) async fn ids_do_not_go_back_after_the_last_message_is_deleted(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let first = append(&*store, new_message("one", "n1")).await;
    assert!(store.delete_message(&channel(1), first.id).await.unwrap());

    let second = append(&*store, new_message("two", "n2")).await;

    assert!(second.id > first.id);
}

pub(crate) async fn edit_replaces_text_and_keeps_the_rest(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let message = append(&*store, new_message("hello", "n1")).await;

    let edit = MessageEdit {
        channel: channel(1),
        id: message.id,
        text: text("better"),
        unix_ms: 2_000_000,
    };
    let edited = store.edit_message(edit).await.unwrap();

    let expected = Message {
        text: text("better"),
        edited_at_ms: Some(2_000_000),
        ..message
    };
    assert_eq!(edited.as_ref(), Some(&expected));
    assert_eq!(all(&*store).await, [expected]);
}

pub(crate) async fn deleted_message_is_gone(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let message = append(&*store, new_message("hello", "n1")).await;

    assert!(store.delete_message(&channel(1), message.id).await.unwrap());

    assert!(!store.delete_message(&channel(1), message.id).await.unwrap());
    let found = store.message(&channel(1), message.id).await.unwrap();
    assert_eq!(found, None);
    let author = store.author(&channel(1), message.id).await.unwrap();
    assert_eq!(author, Some(message.author));
    let edit = MessageEdit {
        channel: channel(1),
        id: message.id,
        text: text("back"),
        unix_ms: 2_000_000,
    };
    assert_eq!(store.edit_message(edit).await.unwrap(), None);
}

pub(crate) async fn message_of_another_channel_is_not_found(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let message = append(&*store, new_message("hello", "n1")).await;

    let found = store.message(&channel(2), message.id).await.unwrap();
    assert_eq!(found, None);
    assert!(!store.delete_message(&channel(2), message.id).await.unwrap());
}

pub(crate) async fn pages_go_back_to_the_first_message_without_gap(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let mut written = append_many(&*store, 25).await;
    let deleted = written.remove(12);
    store.delete_message(&channel(1), deleted.id).await.unwrap();

    let mut read = Vec::new();
    let mut before = None;
    loop {
        let Page { messages, has_more } = store.messages(&channel(1), before, 8).await.unwrap();
        assert_eq!(messages.len(), 8);
        before = Some(messages[0].id);
        read.splice(0..0, messages);
        assert_eq!(has_more, read.len() < 24, "after {} messages", read.len());
        if !has_more {
            break;
        }
    }

    assert_eq!(read, written);
}

pub(crate) async fn page_of_nothing_is_empty(store: Arc<dyn Store>) {
    let nothing = Page {
        messages: vec![],
        has_more: false,
    };
    let empty = store.messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(empty, nothing);
    let unknown = store.messages(&channel(9), None, 10).await.unwrap();
    assert_eq!(unknown, nothing);

    sign_ann_in(&*store).await;
    let first = append(&*store, new_message("hello", "n1")).await;
    let oldest = Some(first.id);
    let before_first = store.messages(&channel(1), oldest, 10).await.unwrap();
    assert_eq!(before_first, nothing);
}

pub(crate) async fn page_before_any_number_is_the_newest(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let written = append_many(&*store, 3).await;

    let before = Some(MessageId::new(u64::MAX));
    let page = store.messages(&channel(1), before, 2).await.unwrap();

    assert_eq!(page.messages, written[1..]);
    assert!(page.has_more);
}

pub(crate) async fn thousand_appends_at_once_are_all_there_in_one_order(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;

    let mut appends = JoinSet::new();
    for number in 0..1_000 {
        let store = Arc::clone(&store);
        appends.spawn(async move {
            let new = NewMessage {
                nonce: nonce(&format!("n{number}")),
                ..new_message(&format!("text {number}"), "_")
            };
            append(&*store, new).await
        });
    }
    let mut answered = appends.join_all().await;

    answered.sort_by_key(|message| message.id);
    assert_eq!(all(&*store).await, answered);
}
