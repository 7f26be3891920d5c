//! The secrets of one server: what is kept of the cluster's and what is made anew. The only part
//! of building that needs time and chance, and it takes both as arguments.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use data_encoding::BASE32_NOPAD;

use super::backends::{
    CQL_AUTHORITIES, REDIS_AUTHORITIES, SENTINEL_PASSWORD, SENTINEL_USER, issuer_authorities,
};
use crate::names::Namespace;
use crate::observed::{OwnSecrets, SecretContents};
use crate::pki::{self, Authority, Certificates, Files, Leaf, Names, Pair, Stored};
use crate::record;
use crate::valid::{SecretFile, Tls, ValidBackends, ValidServer};
use crate::validate::backends::{PASSWORD, USERNAME};

/// Why the secrets of a server can't be brought together.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    /// The certificates.
    #[error("cannot make the certificates")]
    MakeCertificates(#[source] pki::Error),
    /// The class's Secret went away, or holds no text, since the server was validated.
    #[error("cannot copy the certificate of Secret \"{0}\"")]
    CopyClassSecret(String),
    /// A Secret that the class names for a back end went away since the server was validated.
    #[error("cannot copy what a back end needs of Secret \"{0}\"")]
    CopyBackendSecret(String),
}

/// Where material comes from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// What the last reconcile left.
    pub own: &'a OwnSecrets,
    /// The certificates that classes name, by the name of their Secret.
    pub platform_tls: &'a BTreeMap<String, SecretContents>,
    /// Authorities and sign-ins that classes name for back ends, by the name of their Secret.
    pub platform_files: &'a BTreeMap<String, SecretContents>,
    /// Where the server's CA and the record of its back ends are kept.
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
    /// Makes the first account the owner, where accounts are the server's own.
    pub owner_token: Token,
    /// How the server signs in to its back ends.
    pub sign_ins: SignIns,
}

/// How a server signs in to back ends, and whom it trusts there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignIns {
    /// The password of its user of Redis.
    pub redis: Option<Token>,
    /// The password of its role in the database.
    pub cql: Option<Token>,
    /// What the platform gives: authorities, and the sentinels' sign-in. By the name of the file.
    pub files: Files,
}

/// Random bytes for a server's new secrets.
#[derive(Debug, Clone, Copy)]
pub struct Random {
    /// For the owner's token.
    pub owner: [u8; 20],
    /// For the password of Redis.
    pub redis: [u8; 20],
    /// For the password of the database.
    pub cql: [u8; 20],
}

impl From<[[u8; 20]; 3]> for Random {
    fn from([owner, redis, cql]: [[u8; 20]; 3]) -> Self {
        Self { owner, redis, cql }
    }
}

impl Material {
    /// Keeps what is good and makes the rest, by `random`.
    ///
    /// # Errors
    /// Certificates that can't be made, or a class's Secret that is gone.
    pub fn provide(
        server: &ValidServer,
        sources: &Sources<'_>,
        random: Random,
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
        let token = read(server, own.owner.as_ref(), |files| {
            Token::from_files(files, "token")
        });
        Ok(Self {
            operator_namespace: sources.operator_namespace.clone(),
            certificates,
            class_certificate: class_certificate(server, sources.platform_tls)?,
            owner_token: token.unwrap_or_else(|| Token::from_random(random.owner)),
            sign_ins: sign_ins(server, sources, random)?,
        })
    }
}

/// A secret text that the operator drew: a password, or the one-time token that makes the account
/// which uses it the owner.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
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
    fn from_files(files: &Files, name: &str) -> Option<Self> {
        let text = std::str::from_utf8(&files.get(name)?.0).ok()?.trim();
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let fits = (16..=128).contains(&text.len()) && text.bytes().all(unreserved);
        fits.then(|| Self(text.into()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").finish_non_exhaustive()
    }
}

fn sign_ins(
    server: &ValidServer,
    sources: &Sources<'_>,
    random: Random,
) -> Result<SignIns, MaterialError> {
    let record = sources.own.backends.as_ref();
    let kept = |name: &str| Token::from_files(&record?.contents.data, name);
    let token = |name: &str, random| kept(name).unwrap_or_else(|| Token::from_random(random));
    let ValidBackends {
        redis,
        cql,
        issuers,
        progress: _,
    } = &server.backends;
    let mut files = Files::new();
    let mut copy = |secret: &str, key: &str, file: String| {
        let contents = sources.platform_files.get(secret);
        let found = contents.and_then(|contents| contents.data.get(key));
        let missing = || MaterialError::CopyBackendSecret(secret.to_owned());
        files.insert(file, found.ok_or_else(missing)?.clone());
        Ok(())
    };
    if let Some(sentinel) = redis.as_ref().and_then(|redis| redis.sentinel.as_ref()) {
        copy(&sentinel.secret, PASSWORD, SENTINEL_PASSWORD.to_owned())?;
        if sentinel.names_user {
            copy(&sentinel.secret, USERNAME, SENTINEL_USER.to_owned())?;
        }
    }
    let of_redis = redis.as_ref().and_then(|redis| redis.ca.as_ref());
    let of_cql = cql.as_ref().and_then(|cql| cql.ca.as_ref());
    let of_issuers = issuers.iter();
    let of_issuers =
        of_issuers.map(|issuer| (issuer.ca.as_ref(), issuer_authorities(&issuer.name)));
    let authorities = [
        (of_redis, REDIS_AUTHORITIES.to_owned()),
        (of_cql, CQL_AUTHORITIES.to_owned()),
    ];
    for (named, file) in authorities.into_iter().chain(of_issuers) {
        if let Some(SecretFile { secret, key }) = named {
            copy(secret, key, file)?;
        }
    }
    Ok(SignIns {
        redis: redis
            .is_some()
            .then(|| token(record::REDIS_PASSWORD, random.redis)),
        cql: cql
            .is_some()
            .then(|| token(record::CQL_PASSWORD, random.cql)),
        files,
    })
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
