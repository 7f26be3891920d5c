//! The secrets of one server: what is kept of the cluster's and what is made anew. The only part
//! of building that needs time and chance, and it takes both as arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use data_encoding::BASE32_NOPAD;

use crate::names::Namespace;
use crate::observed::{OwnSecrets, SecretContents};
use crate::pki::{self, Authority, Certificates, Files, Leaf, Names, Pair, Stored};
use crate::valid::{Tls, ValidServer};

/// Why the secrets of a server can't be brought together.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The certificates.
    #[error("cannot make the certificates")]
    MakeCertificates(#[source] pki::Error),
    /// The class's Secret went away, or holds no text, since the server was validated.
    #[error("cannot copy the certificate of Secret \"{0}\"")]
    CopyClassSecret(String),
}

/// Where material comes from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// What the last reconcile left.
    pub own: &'a OwnSecrets,
    /// The certificates that classes name, by the name of their Secret.
    pub platform_tls: &'a BTreeMap<String, SecretContents>,
    /// Where the server's CA is kept.
    pub operator_namespace: &'a Namespace,
}

/// The secrets that `build` writes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Material {
    /// The operator's namespace: no tenant may read the CA's key.
    pub operator_namespace: Namespace,
    /// mTLS between the processes, and the self-signed web certificate.
    pub certificates: Certificates,
    /// The class's web certificate, where the server takes that one.
    pub class_certificate: Option<Pair>,
    /// Makes the first account the owner.
    pub owner_token: OwnerToken,
}

impl Material {
    /// Keeps what is good and makes the rest; `random` becomes the owner's token if there is none.
    ///
    /// # Errors
    /// Certificates that can't be made, or a class's Secret that is gone.
    pub fn provide(
        server: &ValidServer,
        sources: &Sources<'_>,
        random: [u8; 20],
        now: SystemTime,
    ) -> Result<Self, MaterialError> {
        let own = sources.own;
        let stored = Stored {
            authority: read(server, own.authority.as_ref(), Authority::from_files),
            signaling: read(server, own.signaling_tls.as_ref(), Leaf::from_files),
            sfu: read(server, own.sfu_tls.as_ref(), Leaf::from_files),
            web: read(server, own.web_tls.as_ref(), Pair::from_files),
        };
        let certificates =
            pki::provide(&stored, &names(server), now).map_err(MaterialError::MakeCertificates)?;
        let token = read(server, own.owner.as_ref(), OwnerToken::from_files);
        Ok(Self {
            operator_namespace: sources.operator_namespace.clone(),
            certificates,
            class_certificate: class_certificate(server, sources.platform_tls)?,
            owner_token: token.unwrap_or_else(|| OwnerToken::from_random(random)),
        })
    }
}

/// The one-time secret that makes the account which uses it the owner.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnerToken(Box<str>);

impl OwnerToken {
    /// 160 random bits as 32 lower-case base32 characters.
    #[must_use]
    pub fn from_random(bits: [u8; 20]) -> Self {
        Self(BASE32_NOPAD.encode(&bits).to_ascii_lowercase().into())
    }

    /// Borrows the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A token that somebody wrote by hand is taken as long as it can stand in a link.
    fn from_files(files: &Files) -> Option<Self> {
        let text = std::str::from_utf8(&files.get("token")?.0).ok()?.trim();
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let fits = (16..=128).contains(&text.len()) && text.bytes().all(unreserved);
        fits.then(|| Self(text.into()))
    }
}

impl fmt::Debug for OwnerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerToken").finish_non_exhaustive()
    }
}

/// Reads a Secret of this very server. One that another object of the same name left behind is
/// the garbage collector's, and none of our business.
fn read<T>(
    server: &ValidServer,
    secret: Option<&SecretContents>,
    parse: impl Fn(&Files) -> Option<T>,
) -> Option<T> {
    let secret = secret?;
    let ours = secret
        .owner_uid
        .as_ref()
        .is_none_or(|uid| *uid == server.uid);
    ours.then(|| parse(&secret.data)).flatten()
}

fn names(server: &ValidServer) -> Names {
    let services = server.slots.iter().flat_map(|slot| {
        let service = server.name.sfu_slot(slot.number);
        let namespace = &server.namespace;
        [
            format!("{service}.{namespace}.svc"),
            format!("{service}.{namespace}.svc.cluster.local"),
        ]
    });
    let self_signed = server.tls == Tls::SelfSigned;
    Names {
        server: server.id.clone(),
        sfu_services: services.collect(),
        web: self_signed.then(|| server.hostname.to_string()),
    }
}

fn class_certificate(
    server: &ValidServer,
    platform_tls: &BTreeMap<String, SecretContents>,
) -> Result<Option<Pair>, MaterialError> {
    let Tls::ClassSecret { name } = &server.tls else {
        return Ok(None);
    };
    let pair = platform_tls
        .get(name)
        .and_then(|secret| Pair::from_files(&secret.data));
    pair.map(Some)
        .ok_or_else(|| MaterialError::CopyClassSecret(name.clone()))
}
