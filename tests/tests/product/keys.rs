//! The signing key is changed while people talk.

use anyhow::Result;
use gryt_proto::client::v1::{self as wire, client_frame};
use gryt_tests::forgery::Specimen;
use gryt_tests::socket::Socket;

use crate::party::{Party, assert_clean, hears};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_key_throws_nobody_out() -> Result<()> {
    let party = Party::start().await?;
    let people = party.join(0..2).await?;
    let first = people[0].voice.speak(20).await?;
    hears(&people[1], &people[0], first).await?;
    let old_key = Specimen::of(&party.owner.tokens.access_token)?.header["kid"].clone();

    party.product.subcommand(&["key", "rotate"]).await?;

    let clients = [&party.owner, &people[0].client, &people[1].client];
    for client in clients {
        let renewed = party.site.renew(&client.tokens).await?;
        let token = renewed.access_token.clone();
        let renewal = client_frame::Request::RenewToken(wire::RenewToken { token });
        client.socket.do_it(renewal).await?;
        assert_eq!(client.socket.ended(), None);
    }
    let signed_in = party.site.sign_in("person 0").await?;
    let new_key = &Specimen::of(&signed_in.access_token)?.header["kid"];
    assert_ne!(old_key, *new_key);
    println!("key {old_key} was followed by {new_key}");

    // Both the old key's token and the newest open a socket.
    Socket::open(&party.site, &party.owner.tokens.access_token).await?;
    Socket::open(&party.site, &signed_in.access_token).await?;
    let number = people[0].voice.spoken().await?;
    hears(&people[1], &people[0], number).await?;
    let missing = people[1].voice.reception().missing_of(0, first..number);
    assert!(missing.is_empty(), "{missing:?}");
    assert_clean(&people, &people.iter().collect::<Vec<_>>());
    Ok(())
}
