//! Tickets for our own doors: what is granted until when, with an HMAC-SHA-256 (RFC 2104) behind it.
//! `<base64url of JSON>.<base64url of the code>`.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gryt_model::ServerId;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::signed::Validity;

/// Longer ones are not ours; bounded before anything is decoded. A file name of 255 characters,
/// four bytes each and written twice, has room.
const MAX_LEN: usize = 8 * 1024;

/// The secret behind the doors' tickets.
#[derive(Clone)]
pub struct DoorKey(hmac::Key);

impl fmt::Debug for DoorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DoorKey(..)")
    }
}

/// A request that has no right to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// We did not write it, or somebody changed it.
    #[error("the signature is not ours")]
    Forged,
    /// It was good once.
    #[error("the signature has expired")]
    Expired,
}

/// What is sealed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ticket {
    /// Seconds since 1970.
    until_s: u64,
    grant: Grant,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grant {
    Part(PartGrant),
    Read(ReadGrant),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartGrant {
    /// The upload's blob key.
    pub(super) upload: String,
    pub(super) part: u16,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ReadGrant {
    /// The blob's key.
    pub(super) key: String,
    pub(super) content_type: String,
    pub(super) disposition: String,
}

impl Ticket {
    pub(super) fn new(grant: Grant, validity: Validity) -> Self {
        let until = validity.until().duration_since(UNIX_EPOCH);
        Self {
            until_s: until.unwrap_or_default().as_secs(),
            grant,
        }
    }
}

impl DoorKey {
    /// Takes 32 random bytes, kept as long as tickets are to be good.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The key for one server's doors, derived from this one.
    pub(super) fn for_server(&self, server: &ServerId) -> Self {
        let code = hmac::sign(&self.0, format!("gryt blobs of {server}").as_bytes());
        Self(hmac::Key::new(hmac::HMAC_SHA256, code.as_ref()))
    }

    pub(super) fn seal(&self, ticket: &Ticket) -> String {
        // Strings and numbers only: there is nothing in it that JSON cannot say.
        let text = serde_json::to_vec(ticket).unwrap_or_default();
        let code = hmac::sign(&self.0, &text);
        let text = URL_SAFE_NO_PAD.encode(&text);
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(code))
    }

    pub(super) fn open(&self, ticket: &str, now: SystemTime) -> Result<Grant, NotAdmitted> {
        if ticket.len() > MAX_LEN {
            return Err(NotAdmitted::Forged);
        }
        let (text, code) = ticket.split_once('.').ok_or(NotAdmitted::Forged)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part);
        let text = decode(text).map_err(|_| NotAdmitted::Forged)?;
        let code = decode(code).map_err(|_| NotAdmitted::Forged)?;
        hmac::verify(&self.0, &text, &code).map_err(|_| NotAdmitted::Forged)?;
        let ticket: Ticket = serde_json::from_slice(&text).map_err(|_| NotAdmitted::Forged)?;
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if now.as_secs() >= ticket.until_s {
            return Err(NotAdmitted::Expired);
        }
        Ok(ticket.grant)
    }
}
