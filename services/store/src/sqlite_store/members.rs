//! Members in SQLite.

use gryt_model::{Member, MemberId, MemberName, Role, UserId};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::{damaged, parse};
use crate::SignedIn;

pub(super) fn sign_in(
    connection: &Connection,
    user: &UserId,
    name: MemberName,
    fresh: MemberId,
) -> rusqlite::Result<SignedIn> {
    match find_user(connection, user)? {
        Some(member) => rename(connection, member, name),
        None => create(connection, user, name, fresh),
    }
}

pub(super) fn find_user(
    connection: &Connection,
    user: &UserId,
) -> rusqlite::Result<Option<Member>> {
    connection
        .prepare_cached(
            "SELECT id, name, role, server_muted FROM members WHERE issuer = ?1 AND subject = ?2",
        )?
        .query_row((&user.issuer, &user.subject), read)
        .optional()
}

pub(super) fn find(connection: &Connection, id: &MemberId) -> rusqlite::Result<Option<Member>> {
    connection
        .prepare_cached("SELECT id, name, role, server_muted FROM members WHERE id = ?1")?
        .query_row([id.as_str()], read)
        .optional()
}

pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<Member>> {
    connection
        .prepare_cached("SELECT id, name, role, server_muted FROM members ORDER BY id")?
        .query_map([], read)?
        .collect()
}

pub(super) fn set_server_muted(
    connection: &Connection,
    id: &MemberId,
    muted: bool,
) -> rusqlite::Result<Option<Member>> {
    connection
        .prepare_cached("UPDATE members SET server_muted = ?2 WHERE id = ?1")?
        .execute((id.as_str(), muted))?;
    find(connection, id)
}

fn rename(connection: &Connection, member: Member, name: MemberName) -> rusqlite::Result<SignedIn> {
    let renamed = member.name != name;
    if renamed {
        connection
            .prepare_cached("UPDATE members SET name = ?2 WHERE id = ?1")?
            .execute((member.id.as_str(), name.as_str()))?;
    }
    Ok(SignedIn {
        member: Member { name, ..member },
        created: false,
        renamed,
    })
}

fn create(
    connection: &Connection,
    user: &UserId,
    name: MemberName,
    fresh: MemberId,
) -> rusqlite::Result<SignedIn> {
    let anyone: bool = connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM members)")?
        .query_row([], |row| row.get(0))?;
    let member = Member {
        id: fresh,
        name,
        role: if anyone { Role::Member } else { Role::Owner },
        server_muted: false,
    };
    connection
        .prepare_cached(
            "INSERT INTO members (id, issuer, subject, name, role, server_muted)
             VALUES (?1, ?2, ?3, ?4, ?5, 0)",
        )?
        .execute((
            member.id.as_str(),
            &user.issuer,
            &user.subject,
            member.name.as_str(),
            role_text(member.role),
        ))?;
    Ok(SignedIn {
        member,
        created: true,
        renamed: false,
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Member> {
    Ok(Member {
        id: parse(row, 0)?,
        name: parse(row, 1)?,
        role: role(row.get_ref(2)?.as_str()?).ok_or_else(|| damaged(2, "role"))?,
        server_muted: row.get(3)?,
    })
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
