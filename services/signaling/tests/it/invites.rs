//! Invites over the socket: who may make them, and what they are good for.

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::reply::Result as Reply;

use crate::client::Client;
use crate::world::World;

fn create(lifetime_seconds: u32, max_uses: u32) -> Request {
    Request::CreateInvite(wire::CreateInvite {
        lifetime_seconds,
        max_uses,
    })
}

fn revoke(invite_id: &str) -> Request {
    let invite_id = invite_id.to_owned();
    Request::RevokeInvite(wire::RevokeInvite { invite_id })
}

async fn listed(client: &mut Client) -> Vec<wire::Invite> {
    match client.ask(Request::ListInvites(wire::ListInvites {})).await {
        Reply::InviteList(wire::InviteList { invites }) => invites,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn owner_makes_lists_and_revokes_invites() {
    let world = World::start().await;
    let (mut owner, welcome) = Client::enter(&world, "Ada").await;
    assert!(welcome.has_invites);

    let Reply::CreatedInvite(made) = owner.ask(create(0, 0)).await else {
        panic!("no invite");
    };
    let invite = made.invite.unwrap();
    let token = made.path.strip_prefix("/invite/").unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!((invite.max_uses, invite.uses), (1, 0));
    assert_eq!(invite.member_id, welcome.me.unwrap().member_id);
    let week_ms = 7 * 24 * 3_600 * 1_000;
    assert_eq!(invite.expires_at_ms - invite.created_at_ms, week_ms);
    let again = listed(&mut owner).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].invite_id, invite.invite_id);

    assert!(matches!(
        owner.ask(revoke(&invite.invite_id)).await,
        Reply::Done(_)
    ));
    assert!(listed(&mut owner).await.is_empty());
    let gone = owner.refused(revoke(&invite.invite_id)).await;
    assert_eq!(gone, Reason::UnknownInvite);
}

#[tokio::test]
async fn members_make_no_invites() {
    let world = World::start().await;
    let (_owner, _) = Client::enter(&world, "Ada").await;
    let (mut member, _) = Client::enter(&world, "Bob").await;
    for request in [
        create(0, 0),
        Request::ListInvites(wire::ListInvites {}),
        revoke("aaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        assert_eq!(member.refused(request).await, Reason::Forbidden);
    }
}

#[tokio::test]
async fn invites_out_of_bounds_are_malformed() {
    let world = World::start().await;
    let (mut owner, _) = Client::enter(&world, "Ada").await;
    for request in [
        create(3_599, 1),
        create(2_592_001, 1),
        create(0, 101),
        revoke("not an id"),
    ] {
        assert_eq!(owner.refused(request).await, Reason::Malformed);
    }
}
