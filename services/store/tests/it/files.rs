//! The contract of messages with files.

use std::sync::Arc;

use gryt_model::{Attachment, ContentType, FileId, FileName, MessageId};
use gryt_store::{Appended, MessageEdit, NewMessage, Store};

use crate::fixture::{channel, new_message, sign_ann_in, text};

fn file(number: u8) -> FileId {
    FileId::from_random([number; 16])
}

fn attachment(number: u8) -> Attachment {
    Attachment {
        file: file(number),
        name: FileName::clean("Grüße an alle.png"),
        content_type: ContentType::clean("image/png"),
        size_bytes: 5_000_000_000,
        picture: Some((640, 480)),
    }
}

fn with_files(mark: &str, attachments: Vec<Attachment>) -> NewMessage {
    NewMessage {
        attachments,
        ..new_message("", mark)
    }
}

async fn append(store: &dyn Store, new: NewMessage) -> MessageId {
    let outcome = store.append_message(new).await.unwrap();
    let Appended::New(message) = outcome else {
        panic!("not new: {outcome:?}");
    };
    message.id
}

pub(crate) async fn message_keeps_its_files(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let mut second = attachment(2);
    second.picture = None;
    let attachments = vec![attachment(1), second];
    let new = with_files("n1", attachments.clone());
    let id = append(&*store, new.clone()).await;

    let found = store.message(&channel(1), id).await.unwrap().unwrap();
    assert_eq!(found.attachments, attachments);
    assert!(found.text.is_empty());
    let page = store.messages(&channel(1), None, 10).await.unwrap();
    assert_eq!(page.messages, std::slice::from_ref(&found));
    let again = store.append_message(new).await.unwrap();
    assert_eq!(again, Appended::Repeated(found));
    let edit = MessageEdit {
        channel: channel(1),
        id,
        text: text("what they are"),
        unix_ms: 2_000_000,
    };
    let edited = store.edit_message(edit).await.unwrap().unwrap();
    assert_eq!(edited.attachments, attachments);
}

pub(crate) async fn nonce_with_other_files_is_refused(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    append(&*store, with_files("n1", vec![attachment(1)])).await;

    for others in [vec![], vec![attachment(2)], vec![attachment(1); 2]] {
        let again = store.append_message(with_files("n1", others)).await;
        assert_eq!(again.unwrap(), Appended::NonceReused);
    }
}

pub(crate) async fn file_is_in_use_while_a_message_has_it(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    assert!(!store.file_in_use(&file(1)).await.unwrap());

    let id = append(&*store, with_files("n1", vec![attachment(1)])).await;
    assert!(store.file_in_use(&file(1)).await.unwrap());
    assert!(!store.file_in_use(&file(2)).await.unwrap());

    store.delete_message(&channel(1), id).await.unwrap();
    assert!(!store.file_in_use(&file(1)).await.unwrap());
    for _ in 0..2 {
        store.forget_file(&file(1)).await.unwrap();
    }
    assert!(!store.file_in_use(&file(1)).await.unwrap());
}

pub(crate) async fn file_of_two_messages_is_in_use_until_both_are_deleted(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let first = append(&*store, with_files("n1", vec![attachment(1)])).await;
    let second = append(&*store, with_files("n2", vec![attachment(1)])).await;

    store.delete_message(&channel(1), first).await.unwrap();
    assert!(store.file_in_use(&file(1)).await.unwrap());
    store.delete_message(&channel(1), second).await.unwrap();
    assert!(!store.file_in_use(&file(1)).await.unwrap());
}

pub(crate) async fn file_of_a_deleted_channel_is_not_in_use(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    append(&*store, with_files("n1", vec![attachment(1)])).await;

    store.delete_channel(&channel(1)).await.unwrap();

    assert!(!store.file_in_use(&file(1)).await.unwrap());
}
