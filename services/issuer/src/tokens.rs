//! Access and ID tokens: signed JWTs that others check without asking us.

use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::accounts::Account;
use crate::clock::unix_secs;
use crate::config::{CLIENT_ID, IssuerConfig};
use crate::keys::{PublicKey, SigningKey};
use crate::random::random_text;

/// How long an access token is good. A sign-out elsewhere or a reset shows after this at last.
pub const ACCESS_LIFE: Duration = Duration::from_secs(5 * 60);

/// Whom a pair of tokens is about.
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a Account,
    pub(crate) sid: String,
    pub(crate) signed_in_at: i64,
    pub(crate) nonce: Option<&'a str>,
}

/// The pair of tokens.
pub(crate) struct Minted {
    pub(crate) access_token: String,
    pub(crate) id_token: String,
}

#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    jti: String,
    client_id: &'a str,
    scope: &'a str,
    preferred_username: &'a str,
}

#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    sid: &'a str,
    preferred_username: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// What is granted, whatever was asked for.
pub(crate) const SCOPE: &str = "openid profile offline_access";

/// Signs an access token (RFC 9068) for the server and an ID token for the client.
pub(crate) fn mint(
    config: &IssuerConfig,
    key: &SigningKey,
    subject: &Subject<'_>,
    now: SystemTime,
) -> jsonwebtoken::errors::Result<Minted> {
    let Subject {
        account,
        sid,
        signed_in_at,
        nonce,
    } = subject;
    let iat = unix_secs(now);
    let exp = unix_secs(now + ACCESS_LIFE);
    let access = AccessClaims {
        iss: &config.issuer,
        sub: &account.id,
        aud: &config.audience,
        exp,
        iat,
        jti: random_text(),
        client_id: CLIENT_ID,
        scope: SCOPE,
        preferred_username: &account.name,
    };
    let id = IdClaims {
        iss: &config.issuer,
        sub: &account.id,
        aud: CLIENT_ID,
        exp,
        iat,
        auth_time: *signed_in_at,
        sid,
        preferred_username: &account.name,
        name: &account.name,
        nonce: *nonce,
    };
    Ok(Minted {
        access_token: sign(key, "at+jwt", &access)?,
        id_token: sign(key, "JWT", &id)?,
    })
}

fn sign<C: Serialize>(
    key: &SigningKey,
    kind: &str,
    claims: &C,
) -> jsonwebtoken::errors::Result<String> {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(kind.to_owned());
    header.kid = Some(key.kid.clone());
    encode(&header, claims, &EncodingKey::from_ec_der(&key.pkcs8))
}

/// The sign-in that an ID token of ours names, also one that has expired, as a sign-out shows it.
pub(crate) fn sid_of_hint(hint: &str, keys: &[PublicKey]) -> Option<String> {
    #[derive(Deserialize)]
    struct Hint {
        sid: String,
    }
    let kid = decode_header(hint).ok()?.kid?;
    let key = keys.iter().find(|key| key.kid == kid)?.decoding()?;
    // The issuer's address is not checked: a laptop's may have changed since.
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[CLIENT_ID]);
    validation.set_required_spec_claims(&["aud"]);
    validation.validate_exp = false;
    let hint = decode::<Hint>(hint, &key, &validation).ok()?;
    Some(hint.claims.sid)
}
