//! Two products on one machine know nothing of each other.

use anyhow::Result;
use gryt_proto::client::v1::{self as wire, ChannelKind, client_frame, event};
use gryt_tests::client::Client;
use gryt_tests::product::Product;
use gryt_tests::socket::{Incoming, next, open_bare};

use crate::party::{Party, assert_clean, hears};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_product_restarts_without_disturbing_the_other() -> Result<()> {
    let product = Product::start().await?;
    let neighbor = product.start_another().await?;
    let here = Party::in_product(product).await?;
    let there = Party::in_product(neighbor).await?;
    assert_ne!(here.site.server_id, there.site.server_id);
    let people = here.join(0..2).await?;
    let first = people[0].voice.speak(20).await?;
    hears(&people[1], &people[0], first).await?;

    chat(&here.owner).await?;
    chat(&there.owner).await?;

    // A token of one server opens no door at the other.
    let mut socket = open_bare(&there.site, &here.owner.tokens.access_token).await?;
    let Incoming::Frame(frame) = next(&mut socket).await? else {
        anyhow::bail!("no goodbye");
    };
    let Some(wire::server_frame::Frame::Goodbye(goodbye)) = frame.frame else {
        anyhow::bail!("no goodbye: {frame:?}");
    };
    assert_eq!(goodbye.reason(), wire::Reason::Unauthenticated);

    there.product.interrupt().await?;
    chat(&here.owner).await?;
    let number = people[0].voice.spoken().await?;
    hears(&people[1], &people[0], number).await?;
    let missing = people[1].voice.reception().missing_of(0, first..number);
    assert!(missing.is_empty(), "{missing:?}");
    assert_clean(&people, &people.iter().collect::<Vec<_>>());
    Ok(())
}

/// Says something in the first text channel and sees it come back as an event.
async fn chat(client: &Client) -> Result<()> {
    let mark = client.socket.event_count();
    let nonce = format!(
        "nonce-{mark}-{}",
        gryt_tests::clock::since_1970().as_nanos()
    );
    let message = wire::SendMessage {
        channel_id: client.channel(ChannelKind::Text)?,
        text: "hello".to_owned(),
        nonce: nonce.clone(),
        attachments: Vec::new(),
    };
    client
        .socket
        .request(client_frame::Request::SendMessage(message))
        .await?;
    client
        .socket
        .event("the message", mark, |event| {
            let back = matches!(event, event::Event::MessageCreated(one) if one.nonce == nonce);
            back.then_some(())
        })
        .await
}
