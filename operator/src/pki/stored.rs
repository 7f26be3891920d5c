//! The certificates that the cluster holds, out of the files of its Secrets. A Secret without the
//! wanted files is as good as none.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;

use super::{Authority, Leaf, Pair};

/// The `data` of a Secret.
pub type Files = BTreeMap<String, ByteString>;

const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const NEXT: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const PREVIOUS: &str = "previous.crt";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// What the last reconcile left.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// The Secret `ca-<server id>` of the operator's namespace.
    pub authority: Option<Authority>,
    /// The Secret `<server>-signaling-tls`.
    pub signaling: Option<Leaf>,
    /// The Secret `<server>-sfu-tls`.
    pub sfu: Option<Leaf>,
    /// The Secret `<server>-web-tls`.
    pub web: Option<Pair>,
}

impl Authority {
    /// Reads the files of its Secret.
    #[must_use]
    pub fn from_files(files: &Files) -> Option<Self> {
        Some(Self {
            current: pair(files, AUTHORITIES, AUTHORITY_KEY)?,
            next: pair(files, NEXT, NEXT_KEY),
            previous: text(files, PREVIOUS),
        })
    }

    /// The files of its Secret.
    #[must_use]
    pub fn files(&self) -> Files {
        let Self {
            current,
            next,
            previous,
        } = self;
        let mut files = Files::from([
            file(AUTHORITIES, &current.certificate),
            file(AUTHORITY_KEY, &current.key),
        ]);
        if let Some(next) = next {
            files.extend([file(NEXT, &next.certificate), file(NEXT_KEY, &next.key)]);
        }
        files.extend(previous.iter().map(|previous| file(PREVIOUS, previous)));
        files
    }
}

impl Leaf {
    /// Reads the files of its Secret.
    #[must_use]
    pub fn from_files(files: &Files) -> Option<Self> {
        Some(Self {
            authorities: text(files, AUTHORITIES)?,
            pair: Pair::from_files(files)?,
        })
    }

    /// The files of its Secret.
    #[must_use]
    pub fn files(&self) -> Files {
        let mut files = self.pair.files();
        files.extend([file(AUTHORITIES, &self.authorities)]);
        files
    }
}

impl Pair {
    /// Reads the files of a Secret of the type `kubernetes.io/tls`.
    #[must_use]
    pub fn from_files(files: &Files) -> Option<Self> {
        pair(files, CERTIFICATE, KEY)
    }

    /// The files of its Secret.
    #[must_use]
    pub fn files(&self) -> Files {
        Files::from([file(CERTIFICATE, &self.certificate), file(KEY, &self.key)])
    }
}

fn pair(files: &Files, certificate: &str, key: &str) -> Option<Pair> {
    Some(Pair {
        certificate: text(files, certificate)?,
        key: text(files, key)?,
    })
}

fn text(files: &Files, name: &str) -> Option<String> {
    String::from_utf8(files.get(name)?.0.clone()).ok()
}

fn file(name: &str, contents: &str) -> (String, ByteString) {
    (name.to_owned(), ByteString(contents.as_bytes().to_vec()))
}
