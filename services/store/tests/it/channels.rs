//! The contract of `Channels`.

use std::sync::Arc;

use gryt_model::{AudibleLimit, ChannelKind};
use gryt_store::{ChannelChange, Store};

use crate::fixture::{channel, new_channel, new_message, sign_ann_in};

pub(crate) async fn first_open_brings_its_channels_in_order(store: Arc<dyn Store>) {
    let channels = store.channels().await.unwrap();

    let names: Vec<_> = channels.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["general", "Lounge"]);
    let found = store.channel(&channel(2)).await.unwrap().unwrap();
    assert_eq!(found.kind, ChannelKind::Voice);
    assert_eq!(found.audible_limit, AudibleLimit::default());
}

pub(crate) async fn new_channel_goes_to_the_end(store: Arc<dyn Store>) {
    let new = new_channel(3, "after", ChannelKind::Text);
    let made = store.create_channel(new).await.unwrap();

    let channels = store.channels().await.unwrap();
    assert_eq!(channels.last(), Some(&made));
}

pub(crate) async fn same_channel_twice_is_one(store: Arc<dyn Store>) {
    let new = new_channel(3, "one", ChannelKind::Text);
    let first = store.create_channel(new.clone()).await.unwrap();
    let second = store.create_channel(new).await.unwrap();

    assert_eq!(first, second);
    assert_eq!(store.channels().await.unwrap().len(), 3);
}

pub(crate) async fn update_changes_only_what_it_names(store: Arc<dyn Store>) {
    let limited = ChannelChange {
        audible_limit: AudibleLimit::new(8),
        ..ChannelChange::default()
    };
    let limited = store.update_channel(&channel(2), limited).await.unwrap();
    let limited = limited.unwrap();
    assert_eq!(limited.audible_limit.get(), 8);
    assert_eq!(limited.name.as_str(), "Lounge");

    let renamed = ChannelChange {
        name: Some("Stage".parse().unwrap()),
        ..ChannelChange::default()
    };
    let renamed = store.update_channel(&channel(2), renamed).await.unwrap();
    let renamed = renamed.unwrap();
    assert_eq!(renamed.audible_limit.get(), 8);
    assert_eq!(renamed.name.as_str(), "Stage");
    assert_eq!(store.channel(&channel(2)).await.unwrap(), Some(renamed));
}

pub(crate) async fn deleted_channel_takes_its_messages_along(store: Arc<dyn Store>) {
    sign_ann_in(&*store).await;
    let message = new_message("hello", "n1");
    store.append_message(message).await.unwrap();

    assert!(store.delete_channel(&channel(1)).await.unwrap());
    assert!(!store.delete_channel(&channel(1)).await.unwrap());

    assert_eq!(store.channel(&channel(1)).await.unwrap(), None);
    let page = store.messages(&channel(1), None, 10).await.unwrap();
    assert!(page.messages.is_empty());
}

pub(crate) async fn unknown_channel_is_none(store: Arc<dyn Store>) {
    assert_eq!(store.channel(&channel(9)).await.unwrap(), None);
    let change = ChannelChange::default();
    let updated = store.update_channel(&channel(9), change).await.unwrap();
    assert_eq!(updated, None);
}
