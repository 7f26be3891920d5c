//! Authorization codes: one minute, one use, bound to a PKCE challenge (RFC 7636).

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock::unix_secs;
use crate::random::{digest, random_text};
use crate::sessions::{self, SessionId};

const LIFE: Duration = Duration::from_secs(60);

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) account: String,
    pub(crate) redirect_uri: String,
    /// BASE64URL(SHA256(verifier)), checked for its form at the authorize page.
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
}

/// What the holder of a code shows.
pub(crate) struct Exchange<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

/// Makes a code. Old ones are swept on the way.
pub(crate) fn make(
    connection: &Connection,
    grant: &Grant,
    now: SystemTime,
) -> rusqlite::Result<String> {
    let made_at = unix_secs(now);
    connection.execute("DELETE FROM codes WHERE expires_at <= ?1", [made_at])?;
    let code = random_text();
    let Grant {
        account,
        redirect_uri,
        challenge,
        nonce,
    } = grant;
    connection.execute(
        "INSERT INTO codes (digest, account, redirect_uri, challenge, nonce, made_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            digest(&code),
            account,
            redirect_uri,
            challenge,
            nonce,
            made_at,
            unix_secs(now + LIFE)
        ],
    )?;
    Ok(code)
}

/// Takes a code for the sign-in `session`. `None` for whatever does not fit; a code that comes
/// twice was seen by somebody else, so it ends the sign-in it was good for (RFC 6749 section
/// 4.1.2).
pub(crate) fn redeem(
    connection: &Connection,
    exchange: &Exchange<'_>,
    session: &SessionId,
    now: SystemTime,
) -> rusqlite::Result<Option<Grant>> {
    let digest = digest(exchange.code);
    let row: Option<(Grant, i64, Option<Vec<u8>>)> = connection
        .query_row(
            "SELECT account, redirect_uri, challenge, nonce, expires_at, session
             FROM codes WHERE digest = ?1",
            [digest],
            |row| {
                let grant = Grant {
                    account: row.get(0)?,
                    redirect_uri: row.get(1)?,
                    challenge: row.get(2)?,
                    nonce: row.get(3)?,
                };
                Ok((grant, row.get(4)?, row.get(5)?))
            },
        )
        .optional()?;
    let Some((grant, expires_at, used_by)) = row else {
        return Ok(None);
    };
    if let Some(used_by) = used_by {
        sessions::end(connection, &used_by)?;
        return Ok(None);
    }
    let fits = expires_at > unix_secs(now)
        && grant.redirect_uri == exchange.redirect_uri
        && verifier_fits(exchange.verifier, &grant.challenge);
    if !fits {
        return Ok(None);
    }
    connection.execute(
        "UPDATE codes SET session = ?2 WHERE digest = ?1",
        params![digest, session.row()],
    )?;
    Ok(Some(grant))
}

fn verifier_fits(verifier: &str, challenge: &str) -> bool {
    // RFC 7636 section 4.1: 43 to 128 unreserved characters.
    let well_formed = (43..=128).contains(&verifier.len())
        && verifier
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'));
    let computed = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    well_formed && bool::from(computed.as_bytes().ct_eq(challenge.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifier_is_checked_as_in_rfc_7636_appendix_b() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(verifier_fits(verifier, challenge));
        assert!(!verifier_fits(challenge, challenge));
        assert!(!verifier_fits("", challenge));
        assert!(!verifier_fits(&"a".repeat(129), challenge));
    }
}
