//! Tokens that no issuer of ours made.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

use crate::clock;

/// The parts of a token that a forger can read.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// The header.
    pub header: Value,
    /// The claims.
    pub claims: Value,
    signature: String,
}

impl Specimen {
    /// Takes a good token apart.
    ///
    /// # Errors
    /// When it is no JWT.
    pub fn of(token: &str) -> Result<Self> {
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(anyhow!("a token has three parts"));
        };
        let read = |part: &str| -> Result<Value> {
            Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
        };
        Ok(Self {
            header: read(header)?,
            claims: read(claims)?,
            signature: signature.to_owned(),
        })
    }

    /// Changes a claim.
    #[must_use]
    pub fn with_claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    /// Changes a header field.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    /// Moves the token's life into the past.
    #[must_use]
    pub fn expired(self) -> Self {
        let past = clock::since_1970()
            .saturating_sub(Duration::from_hours(1))
            .as_secs();
        self.with_claim("iat", past - 300).with_claim("exp", past)
    }

    /// Takes a claim away.
    #[must_use]
    pub fn without_claim(mut self, name: &str) -> Self {
        if let Some(claims) = self.claims.as_object_mut() {
            claims.remove(name);
        }
        self
    }

    /// The changed token under the old signature.
    #[must_use]
    pub fn as_was_signed(&self) -> String {
        format!("{}.{}", self.signed_part(), self.signature)
    }

    /// The token without a signature, as algorithm `none` has it.
    #[must_use]
    pub fn unsigned(self) -> String {
        let unsigned = self.with_header("alg", "none");
        format!("{}.", unsigned.signed_part())
    }

    /// The token signed by a key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn signed_by(&self, key: &Key) -> Result<String> {
        let signed = self.signed_part();
        let signature = key
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|error| anyhow!("cannot sign: {error}"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The token signed by a key of the forger, with the algorithm of the issuer.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn signed_by_another_key(&self) -> Result<String> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(ALGORITHM, &SystemRandom::new())
            .map_err(|error| anyhow!("cannot make a key: {error}"))?;
        self.signed_by(&Key::read(pkcs8.as_ref())?)
    }

    /// The token under HS256, with bytes that everybody can read as the shared secret.
    #[must_use]
    pub fn signed_by_a_shared_secret(self, secret: &[u8]) -> String {
        let symmetric = self.with_header("alg", "HS256");
        let signed = symmetric.signed_part();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn signed_part(&self) -> String {
        let write = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}", write(&self.header), write(&self.claims))
    }
}

/// A key that signs tokens.
#[derive(Debug)]
pub struct Key {
    pair: EcdsaKeyPair,
    /// What everybody can know of it.
    pub public: Vec<u8>,
}

const ALGORITHM: &EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;

impl Key {
    fn read(pkcs8: &[u8]) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(ALGORITHM, pkcs8, &SystemRandom::new())
            .map_err(|error| anyhow!("cannot read the key: {error}"))?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(Self { pair, public })
    }
}

/// The issuer's own key, out of its database: with it a token can be right in all but one point,
/// also in one that only time could bring about.
///
/// # Errors
/// When the database has no key in use.
pub fn stolen_key(database: &Path) -> Result<Key> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let newest = "SELECT pkcs8 FROM signing_keys WHERE active_since IS NOT NULL \
                  AND retired_at IS NULL ORDER BY active_since DESC LIMIT 1";
    let pkcs8: Vec<u8> = connection.query_row(newest, [], |row| row.get(0))?;
    Key::read(&pkcs8)
}
