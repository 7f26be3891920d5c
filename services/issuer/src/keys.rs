//! Signing keys. One signs, the next one is published ahead so that every cache knows it before
//! it is used, and retired ones are published while a token that they signed can be alive.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::clock::unix_secs;

/// A key signs for this long.
pub(crate) const ACTIVE_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A retired key is published for this long, well above the life of any token.
pub(crate) const RETIRED_FOR: Duration = Duration::from_secs(60 * 60);

/// A person changes keys only when the next one has been published for this long: servers keep a
/// key set for 10 minutes, and what serves it may be cached for one more.
pub(crate) const KNOWN_AFTER: Duration = Duration::from_secs(11 * 60);

/// The key that signs.
pub(crate) struct SigningKey {
    pub(crate) kid: String,
    pub(crate) pkcs8: Vec<u8>,
}

/// A key that others check with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    pub(crate) kid: String,
    /// An uncompressed point: 4, x, y (SEC 1 section 2.3.3).
    point: Vec<u8>,
}

impl PublicKey {
    fn coordinates(&self) -> (String, String) {
        let encode = |range| URL_SAFE_NO_PAD.encode(self.point.get(range).unwrap_or_default());
        (encode(1..33), encode(33..65))
    }

    /// As in a key set (RFC 7517, RFC 7518 section 6.2.1).
    pub(crate) fn jwk(&self) -> Value {
        let (x, y) = self.coordinates();
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
            "x": x, "y": y,
        })
    }

    pub(crate) fn decoding(&self) -> Option<DecodingKey> {
        let (x, y) = self.coordinates();
        DecodingKey::from_ec_components(&x, &y).ok()
    }
}

/// The key that signs at `now`. Makes the first one, and rotates when its time is over.
pub(crate) fn signing(connection: &Connection, now: SystemTime) -> rusqlite::Result<SigningKey> {
    if is_due(connection, now)? {
        rotate(connection, now)?;
    }
    connection.query_row(
        "SELECT kid, pkcs8 FROM signing_keys
         WHERE active_since IS NOT NULL AND retired_at IS NULL",
        [],
        |row| {
            Ok(SigningKey {
                kid: row.get(0)?,
                pkcs8: row.get(1)?,
            })
        },
    )
}

/// Whether no key signs, or one that has signed for its time.
pub(crate) fn is_due(connection: &Connection, now: SystemTime) -> rusqlite::Result<bool> {
    let since: Option<i64> = connection
        .query_row(
            "SELECT active_since FROM signing_keys
             WHERE active_since IS NOT NULL AND retired_at IS NULL",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(since.is_none_or(|since| unix_secs(now) >= since.saturating_add(secs(ACTIVE_FOR))))
}

/// How long the next key has to wait until everybody knows it. Nothing on a server that has only
/// its first two: they were published together.
pub(crate) fn wait(connection: &Connection, now: SystemTime) -> rusqlite::Result<Option<Duration>> {
    let next: Option<i64> = connection
        .query_row(
            "SELECT made_at FROM signing_keys WHERE active_since IS NULL
             AND EXISTS (SELECT 1 FROM signing_keys WHERE retired_at IS NOT NULL)",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let left = next.map_or(0, |made| {
        made.saturating_add(secs(KNOWN_AFTER))
            .saturating_sub(unix_secs(now))
    });
    Ok(u64::try_from(left)
        .ok()
        .filter(|left| *left > 0)
        .map(Duration::from_secs))
}

/// Retires the signing key, takes the next one into use and makes another next one. Returns the
/// new key's id.
pub(crate) fn rotate(connection: &Connection, now: SystemTime) -> rusqlite::Result<String> {
    let now = unix_secs(now);
    connection.execute(
        "DELETE FROM signing_keys WHERE retired_at <= ?1",
        [now.saturating_sub(secs(RETIRED_FOR))],
    )?;
    connection.execute(
        "UPDATE signing_keys SET retired_at = ?1
         WHERE active_since IS NOT NULL AND retired_at IS NULL",
        [now],
    )?;
    let waiting: Option<String> = connection
        .query_row(
            "SELECT kid FROM signing_keys WHERE active_since IS NULL",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let kid = match waiting {
        Some(kid) => kid,
        None => make(connection, now)?,
    };
    connection.execute(
        "UPDATE signing_keys SET active_since = ?2 WHERE kid = ?1",
        params![kid, now],
    )?;
    make(connection, now)?;
    Ok(kid)
}

/// All keys that a token may be signed with now or soon, if none [`is_due`].
pub(crate) fn published(
    connection: &Connection,
    now: SystemTime,
) -> rusqlite::Result<Vec<PublicKey>> {
    let mut statement = connection.prepare(
        "SELECT kid, public_key FROM signing_keys
         WHERE retired_at IS NULL OR retired_at > ?1 ORDER BY made_at DESC, kid",
    )?;
    let oldest = unix_secs(now).saturating_sub(secs(RETIRED_FOR));
    statement
        .query_map([oldest], |row| {
            Ok(PublicKey {
                kid: row.get(0)?,
                point: row.get(1)?,
            })
        })?
        .collect()
}

fn make(connection: &Connection, now: i64) -> rusqlite::Result<String> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        .expect("invariant: the operating system has randomness");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
        .expect("invariant: a key that was just made can be read");
    let point = pair.public_key().as_ref();
    let kid = URL_SAFE_NO_PAD.encode(&Sha256::digest(point)[..12]);
    connection.execute(
        "INSERT INTO signing_keys (kid, pkcs8, public_key, made_at) VALUES (?1, ?2, ?3, ?4)",
        params![kid, pkcs8.as_ref(), point, now],
    )?;
    Ok(kid)
}

fn secs(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::database::Database;

    fn at(secs: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + secs)
    }

    fn database() -> (tempfile::TempDir, Database) {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(&dir.path().join("issuer.db")).unwrap();
        (dir, database)
    }

    fn kids(database: &Database, now: SystemTime) -> Vec<String> {
        let keys = database.read(|connection| published(connection, now));
        let keys = keys.unwrap();
        keys.into_iter().map(|key| key.kid).collect()
    }

    fn signing_kid(database: &Database, now: SystemTime) -> String {
        database.write(|tx| signing(tx, now)).unwrap().kid
    }

    #[test]
    fn next_key_is_published_before_it_signs() {
        let (_dir, database) = database();
        let first = signing_kid(&database, at(0));
        let known = kids(&database, at(0));
        assert_eq!(known.len(), 2);
        assert!(known.contains(&first));

        let second = database.write(|tx| rotate(tx, at(1))).unwrap();

        assert_ne!(first, second);
        assert!(known.contains(&second));
        assert_eq!(signing_kid(&database, at(1)), second);
    }

    #[test]
    fn retired_key_stays_published_while_its_tokens_can_live() {
        let (_dir, database) = database();
        let first = signing_kid(&database, at(0));
        database.write(|tx| rotate(tx, at(100))).unwrap();
        assert!(kids(&database, at(100 + 3_599)).contains(&first));
        assert!(!kids(&database, at(100 + 3_600)).contains(&first));
    }

    #[test]
    fn next_key_waits_until_everybody_knows_it_except_the_first() {
        let (_dir, database) = database();
        let left = |now| database.read(|connection| wait(connection, now)).unwrap();
        signing_kid(&database, at(0));
        assert_eq!(left(at(0)), None);

        database.write(|tx| rotate(tx, at(0))).unwrap();

        assert_eq!(left(at(0)), Some(KNOWN_AFTER));
        let known = KNOWN_AFTER.as_secs();
        assert_eq!(left(at(known - 1)), Some(Duration::from_secs(1)));
        assert_eq!(left(at(known)), None);
    }

    #[test]
    fn key_is_rotated_when_its_time_is_over() {
        let (_dir, database) = database();
        let first = signing_kid(&database, at(0));
        let month = ACTIVE_FOR.as_secs();
        assert_eq!(signing_kid(&database, at(month - 1)), first);
        assert_ne!(signing_kid(&database, at(month)), first);
        assert_eq!(kids(&database, at(month)).len(), 3);
    }
}
