//! Sign-ins and their refresh tokens. A token is replaced at each use; one that comes back later
//! was copied, and ends the sign-in with all its tokens (RFC 9700 section 4.14.2).
//!
//! A token is `<session secret>.<token secret>`. The first half proves that its holder once had
//! a good one, so replaced tokens need to be kept no longer than the grace.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock::unix_secs;
use crate::random::{digest, random_text};

/// A replaced token is still taken this long: the answer to its use may have been lost, and two
/// tabs may have used it together.
const GRACE: Duration = Duration::from_secs(10);

/// A sign-in that is not used for so long is over.
const IDLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A sign-in is over after this, however much it is used.
const ABSOLUTE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Unused tokens that one sign-in can have; more than any number of tabs that answer in time.
const MAX_LIVE: u32 = 32;

/// The secret of a sign-in, known to its browser.
pub(crate) struct SessionId(String);

impl SessionId {
    pub(crate) fn new() -> Self {
        Self(random_text())
    }

    /// What the database knows it by.
    pub(crate) fn row(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// What an ID token knows it by (`sid`): names the sign-in without being its secret.
    pub(crate) fn sid(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.row())
    }
}

/// A refresh token that was good, and its replacement.
pub(crate) struct Refreshed {
    pub(crate) account: String,
    pub(crate) signed_in_at: i64,
    pub(crate) session: SessionId,
    pub(crate) refresh_token: String,
}

/// Why a refresh token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Unknown, expired, or its sign-in has ended.
    Unknown,
    /// Replaced before. The sign-in has ended now.
    Reused,
}

/// Begins a sign-in; returns its first refresh token.
pub(crate) fn begin(
    connection: &Connection,
    session: &SessionId,
    account: &str,
    now: SystemTime,
) -> rusqlite::Result<String> {
    connection.execute(
        "DELETE FROM sessions WHERE expires_at <= ?1",
        [unix_secs(now)],
    )?;
    connection.execute(
        "INSERT INTO sessions (id, account, signed_in_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![
            session.row(),
            account,
            unix_secs(now),
            unix_secs(now + IDLE)
        ],
    )?;
    issue(connection, session)
}

/// Replaces a refresh token.
pub(crate) fn refresh(
    connection: &Connection,
    token: &str,
    now: SystemTime,
) -> rusqlite::Result<Result<Refreshed, Refusal>> {
    let Some((secret, _)) = token.split_once('.') else {
        return Ok(Err(Refusal::Unknown));
    };
    let session = SessionId(secret.to_owned());
    let found: Option<(String, i64, i64)> = connection
        .query_row(
            "SELECT account, signed_in_at, expires_at FROM sessions WHERE id = ?1",
            [session.row()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((account, signed_in_at, expires_at)) = found else {
        return Ok(Err(Refusal::Unknown));
    };
    if expires_at <= unix_secs(now) {
        end(connection, &session.row())?;
        return Ok(Err(Refusal::Unknown));
    }
    if !take(connection, &session, token, now)? {
        end(connection, &session.row())?;
        return Ok(Err(Refusal::Reused));
    }
    let last = signed_in_at.saturating_add(i64::try_from(ABSOLUTE.as_secs()).unwrap_or(i64::MAX));
    connection.execute(
        "UPDATE sessions SET expires_at = ?2 WHERE id = ?1",
        params![session.row(), unix_secs(now + IDLE).min(last)],
    )?;
    Ok(Ok(Refreshed {
        refresh_token: issue(connection, &session)?,
        account,
        signed_in_at,
        session,
    }))
}

/// Ends the sign-in that a refresh token belongs to, for a sign-out.
pub(crate) fn end_by_token(connection: &Connection, token: &str) -> rusqlite::Result<()> {
    match token.split_once('.') {
        Some((secret, _)) => end(connection, &digest(secret)),
        None => Ok(()),
    }
}

/// Ends the sign-in that an ID token names.
pub(crate) fn end_by_sid(connection: &Connection, sid: &str) -> rusqlite::Result<()> {
    match URL_SAFE_NO_PAD.decode(sid) {
        Ok(row) => end(connection, &row),
        Err(_) => Ok(()),
    }
}

/// Ends a sign-in by its row. All its tokens go with it.
pub(crate) fn end(connection: &Connection, row: &[u8]) -> rusqlite::Result<()> {
    connection
        .execute("DELETE FROM sessions WHERE id = ?1", [row])
        .map(drop)
}

/// Marks the token as replaced; `false` if it was before, or there are too many.
fn take(
    connection: &Connection,
    session: &SessionId,
    token: &str,
    now: SystemTime,
) -> rusqlite::Result<bool> {
    let now_ms = unix_ms(now);
    let grace_ms = i64::try_from(GRACE.as_millis()).unwrap_or(i64::MAX);
    connection.execute(
        "DELETE FROM refresh_tokens WHERE session = ?1 AND replaced_at_ms <= ?2",
        params![session.row(), now_ms.saturating_sub(grace_ms)],
    )?;
    // The first use sets the time, so that the grace cannot be prolonged.
    let known = connection.execute(
        "UPDATE refresh_tokens SET replaced_at_ms = coalesce(replaced_at_ms, ?3)
         WHERE digest = ?1 AND session = ?2",
        params![digest(token), session.row(), now_ms],
    )? == 1;
    let live: u32 = connection.query_row(
        "SELECT count(*) FROM refresh_tokens WHERE session = ?1 AND replaced_at_ms IS NULL",
        [session.row()],
        |row| row.get(0),
    )?;
    Ok(known && live < MAX_LIVE)
}

fn issue(connection: &Connection, session: &SessionId) -> rusqlite::Result<String> {
    let token = format!("{}.{}", session.0, random_text());
    connection.execute(
        "INSERT INTO refresh_tokens (digest, session) VALUES (?1, ?2)",
        params![digest(&token), session.row()],
    )?;
    Ok(token)
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
