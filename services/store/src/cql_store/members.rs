//! Members in CQL.

use gryt_model::{Member, MemberId, MemberName, Role, UserId};

use super::CqlStore;
use crate::SignedIn;
use crate::cql::Failure;

pub(super) async fn sign_in(
    store: &CqlStore,
    user: &UserId,
    name: MemberName,
    fresh: MemberId,
) -> Result<SignedIn, Failure> {
    // Nearly every sign-in changes nothing.
    if let Some(id) = find_user(store, user).await?
        && let Some(member) = find(store, &id).await?
    {
        return rename(store, member, name).await;
    }
    let _turn = store.newcomers.lock().await;
    let id = claim_user(store, user, &fresh).await?;
    // A process that ended after its claim left no member: whoever comes next makes it.
    let role = claim_role(store, &id).await?;
    let values = (store.id(), id.as_str(), name.as_str(), role_text(role));
    let statement = &store.statements.insert_member;
    let made = store
        .connection
        .conditional_again(statement, values)
        .await?;
    if made.applied {
        return Ok(SignedIn {
            member: Member {
                id,
                name,
                role,
                server_muted: false,
            },
            created: true,
            renamed: false,
        });
    }
    let member = find(store, &id).await?;
    rename(store, member.ok_or(Failure::Damaged("member"))?, name).await
}

pub(super) async fn find(store: &CqlStore, id: &MemberId) -> Result<Option<Member>, Failure> {
    let values = (store.id(), id.as_str());
    let row = store.connection.first(&store.statements.member, values);
    row.await?.map(read).transpose()
}

pub(super) async fn list(store: &CqlStore) -> Result<Vec<Member>, Failure> {
    let rows = store
        .connection
        .all(&store.statements.members, (store.id(),));
    rows.await?.into_iter().map(read).collect()
}

pub(super) async fn set_server_muted(
    store: &CqlStore,
    id: &MemberId,
    muted: bool,
) -> Result<Option<Member>, Failure> {
    let values = (muted, store.id(), id.as_str());
    let statement = &store.statements.mute_member;
    let changed = store
        .connection
        .conditional_again(statement, values)
        .await?;
    if !changed.applied {
        return Ok(None);
    }
    find(store, id).await
}

async fn find_user(store: &CqlStore, user: &UserId) -> Result<Option<MemberId>, Failure> {
    let values = (store.id(), &*user.issuer, &*user.subject);
    let row: Option<(String,)> = store
        .connection
        .first(&store.statements.user, values)
        .await?;
    row.map(|(id,)| member_id(&id)).transpose()
}

/// Which member the person is, decided for all processes.
async fn claim_user(
    store: &CqlStore,
    user: &UserId,
    fresh: &MemberId,
) -> Result<MemberId, Failure> {
    let values = (store.id(), &*user.issuer, &*user.subject, fresh.as_str());
    let statement = &store.statements.claim_user;
    let claimed = store
        .connection
        .conditional_again(statement, values)
        .await?;
    if claimed.applied {
        return Ok(fresh.clone());
    }
    member_id(claimed.text("member").ok_or(Failure::Damaged("user"))?)
}

/// The first to ask is owner.
async fn claim_role(store: &CqlStore, id: &MemberId) -> Result<Role, Failure> {
    let values = (id.as_str(), store.id());
    let statement = &store.statements.claim_owner;
    let claimed = store
        .connection
        .conditional_again(statement, values)
        .await?;
    // Asked twice, because the first answer was lost or its process ended, it is still the owner.
    let is_owner = claimed.applied || claimed.text("owner") == Some(id.as_str());
    Ok(if is_owner { Role::Owner } else { Role::Member })
}

async fn rename(store: &CqlStore, member: Member, name: MemberName) -> Result<SignedIn, Failure> {
    let renamed = member.name != name;
    if renamed {
        let values = (name.as_str(), store.id(), member.id.as_str());
        let statement = &store.statements.rename_member;
        store
            .connection
            .conditional_again(statement, values)
            .await?;
    }
    Ok(SignedIn {
        member: Member { name, ..member },
        created: false,
        renamed,
    })
}

fn read(row: (String, String, String, bool)) -> Result<Member, Failure> {
    let (id, name, role, server_muted) = row;
    Ok(Member {
        id: member_id(&id)?,
        name: name.parse().map_err(|_| Failure::Damaged("member name"))?,
        role: self::role(&role).ok_or(Failure::Damaged("role"))?,
        server_muted,
    })
}

pub(super) fn member_id(text: &str) -> Result<MemberId, Failure> {
    text.parse().map_err(|_| Failure::Damaged("member id"))
}

fn role_text(role: Role) -> &'static str {
    match role {
        Role::Guest => "guest",
        Role::Member => "member",
        Role::Moderator => "moderator",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

fn role(text: &str) -> Option<Role> {
    [
        Role::Guest,
        Role::Member,
        Role::Moderator,
        Role::Admin,
        Role::Owner,
    ]
    .into_iter()
    .find(|role| role_text(*role) == text)
}
