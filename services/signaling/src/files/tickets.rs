//! What a client holds of an upload: sealed by us, so that nothing of it has to be kept until its
//! message is sent, and any process of the server can go on with it. JWTs (RFC 7519) with HS256.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use gryt_blobs::{BlobKey, Kind, Plan, Upload};
use gryt_chat::UploadedFile;
use gryt_model::{Attachment, ChannelId, InvalidId, MemberId, ServerId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock;

/// How long an upload may take. Storage ends uploads a little later.
const UPLOAD_LASTS: Duration = Duration::from_hours(24);
/// How long a file waits for its message: less than [`gryt_chat::WAITS`], which leaves 48 hours for
/// a message to be sent again.
const ATTACHMENT_LASTS: Duration = Duration::from_hours(24);
/// Longer ones are not ours.
const MAX_BYTES: usize = 4 * 1024;

/// Seals and opens tickets of one server.
#[derive(Clone)]
pub(crate) struct Tickets {
    seal: EncodingKey,
    open: DecodingKey,
    server: ServerId,
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tickets({})", self.server)
    }
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UploadTicket {
    pub(crate) upload: Upload,
    pub(crate) file: UploadedFile,
    pub(crate) channel: ChannelId,
    pub(crate) member: MemberId,
}

/// A file that waits for its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttachmentTicket {
    pub(crate) attachment: Attachment,
    pub(crate) channel: ChannelId,
    pub(crate) member: MemberId,
}

/// A text that is no ticket of ours, or not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoTicket;

impl From<InvalidId> for NoTicket {
    fn from(_: InvalidId) -> Self {
        Self
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: u64,
    /// The member.
    sub: String,
    channel: String,
    file: String,
    name: String,
    content_type: String,
    size_bytes: u64,
    /// Of an upload: the storage's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
    /// Of a picture: width and height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<(u32, u32)>,
}

impl Tickets {
    pub(crate) fn new(key: &[u8; 32], server: ServerId) -> Self {
        Self {
            seal: EncodingKey::from_secret(key),
            open: DecodingKey::from_secret(key),
            server,
        }
    }

    pub(crate) fn seal_upload(&self, ticket: &UploadTicket) -> String {
        let UploadTicket {
            upload,
            file,
            channel,
            member,
        } = ticket;
        self.seal(&Claims {
            aud: self.audience("upload"),
            exp: ends_in(UPLOAD_LASTS),
            sub: member.to_string(),
            channel: channel.to_string(),
            file: upload.key.id.to_string(),
            name: file.name.to_string(),
            content_type: file.content_type.to_string(),
            size_bytes: file.size_bytes,
            upload: Some(upload.token.to_string()),
            picture: None,
        })
    }

    pub(crate) fn open_upload(&self, text: &str) -> Result<UploadTicket, NoTicket> {
        let claims: Claims = self.open(text, "upload")?;
        Ok(UploadTicket {
            upload: Upload {
                key: BlobKey {
                    kind: Kind::File,
                    id: claims.file.parse()?,
                },
                plan: Plan::new(claims.size_bytes).ok_or(NoTicket)?,
                token: claims.upload.ok_or(NoTicket)?.into(),
            },
            file: UploadedFile {
                name: claims.name.parse()?,
                content_type: claims.content_type.parse()?,
                size_bytes: claims.size_bytes,
            },
            channel: claims.channel.parse()?,
            member: claims.sub.parse()?,
        })
    }

    pub(crate) fn seal_attachment(&self, ticket: &AttachmentTicket) -> String {
        self.seal(&self.attachment_claims(ticket))
    }

    fn attachment_claims(&self, ticket: &AttachmentTicket) -> Claims {
        let AttachmentTicket {
            attachment,
            channel,
            member,
        } = ticket;
        Claims {
            aud: self.audience("attachment"),
            exp: ends_in(ATTACHMENT_LASTS),
            sub: member.to_string(),
            channel: channel.to_string(),
            file: attachment.file.to_string(),
            name: attachment.name.to_string(),
            content_type: attachment.content_type.to_string(),
            size_bytes: attachment.size_bytes,
            upload: None,
            picture: attachment.picture,
        }
    }

    pub(crate) fn open_attachment(&self, text: &str) -> Result<AttachmentTicket, NoTicket> {
        let claims: Claims = self.open(text, "attachment")?;
        Ok(AttachmentTicket {
            attachment: Attachment {
                file: claims.file.parse()?,
                name: claims.name.parse()?,
                content_type: claims.content_type.parse()?,
                size_bytes: claims.size_bytes,
                picture: claims.picture,
            },
            channel: claims.channel.parse()?,
            member: claims.sub.parse()?,
        })
    }

    /// One kind of ticket is worth nothing as the other, nor at another server with the same key.
    fn audience(&self, kind: &str) -> String {
        format!("{kind} {}", self.server)
    }

    fn seal(&self, claims: &Claims) -> String {
        // Strings and numbers under a key of the right kind: it cannot fail, and an empty ticket
        // would open nothing.
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.seal).unwrap_or_default()
    }

    fn open<T: DeserializeOwned>(&self, text: &str, kind: &str) -> Result<T, NoTicket> {
        if text.len() > MAX_BYTES {
            return Err(NoTicket);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_audience(&[self.audience(kind)]);
        validation.set_required_spec_claims(&["aud", "exp"]);
        jsonwebtoken::decode(text, &self.open, &validation)
            .map(|ticket| ticket.claims)
            .map_err(|_| NoTicket)
    }
}

fn ends_in(time: Duration) -> u64 {
    let now = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now + time).as_secs()
}

#[cfg(test)]
mod tests;
