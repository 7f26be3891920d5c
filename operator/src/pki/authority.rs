//! The authority of one server and its rotation: trusted first, used later, forgotten last.

use std::time::SystemTime;

use gryt_model::ServerId;

use super::plan::{self, AUTHORITY_LIFE, Ages, Step, Validity};
use super::read::Certificate;
use super::{Error, Pair, Stored, issue};

/// The certificate authority of one server, as its Secret in the operator's namespace keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Signs the leaves.
    pub current: Pair,
    /// Trusted already; signs when everybody has heard of it.
    pub next: Option<Pair>,
    /// Signed before, and is trusted until nobody shows such a leaf any more. PEM.
    pub previous: Option<String>,
}

impl Authority {
    /// Everyone that a process trusts, the signer first, as one PEM file.
    #[must_use]
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(|pair| pair.certificate.as_str());
        let previous = self.previous.as_deref();
        let all = [Some(self.current.certificate.as_str()), next, previous];
        all.into_iter().flatten().collect()
    }
}

/// An authority whose files were read.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) files: Authority,
    pub(super) current: Certificate,
    next: Option<Certificate>,
}

impl Held {
    /// Reads what is stored. `None` if it cannot sign; a broken `next` or `previous` is left out.
    fn read(mut files: Authority) -> Option<Self> {
        let current = read(&files.current)?;
        let next = files.next.as_ref().and_then(read);
        if next.is_none() {
            files.next = None;
        }
        files.previous = files
            .previous
            .filter(|previous| Certificate::read(previous).is_some());
        Some(Self {
            files,
            current,
            next,
        })
    }

    fn made(server: &ServerId, previous: Option<String>, now: SystemTime) -> Result<Self, Error> {
        let current = make(server, now)?;
        let files = Authority {
            current,
            next: None,
            previous,
        };
        Self::read(files).ok_or_else(|| Error::ReadBack(server.to_string()))
    }

    /// What the plan goes by.
    pub(super) fn ages(&self, leaves_since: Option<SystemTime>) -> Ages {
        Ages {
            current: self.current.validity,
            next: self.next.as_ref().map(|next| next.validity),
            previous_is_trusted: self.files.previous.is_some(),
            leaves_since,
        }
    }

    /// Since when both stored leaves are by the authority that signs, if they are.
    fn leaves_since(&self, stored: &Stored) -> Option<SystemTime> {
        let issued = [&stored.signaling, &stored.sfu].map(|leaf| {
            let leaf = Certificate::read(&leaf.as_ref()?.pair.certificate)?;
            leaf.is_by(&self.current).then(|| leaf.validity.issued_at())
        });
        let [Some(signaling), Some(sfu)] = issued else {
            return None;
        };
        Some(signaling.max(sfu))
    }
}

/// Takes the stored authority one step on.
pub(super) fn provide(stored: &Stored, server: &ServerId, now: SystemTime) -> Result<Held, Error> {
    let held = stored.authority.clone().and_then(Held::read);
    let Some(mut held) = held.filter(|held| held.next.is_some() || !held.is_over(now)) else {
        // Lost or expired: whoever still shows a leaf of the old one is understood at least.
        return Held::made(server, signer_of_leaves(stored), now);
    };
    // Signatures are checked only where the answer matters: this runs at every reconcile.
    let rotating = held.files.previous.is_some();
    let leaves_since = rotating.then(|| held.leaves_since(stored)).flatten();
    match plan::step(&held.ages(leaves_since), now) {
        Step::Keep => {}
        Step::AddNext => held.files.next = Some(make(server, now)?),
        Step::Promote => {
            if let Some(next) = held.files.next.take() {
                let current = std::mem::replace(&mut held.files.current, next);
                held.files.previous = Some(current.certificate);
            }
        }
        Step::ForgetPrevious => held.files.previous = None,
    }
    Held::read(held.files).ok_or_else(|| Error::ReadBack(server.to_string()))
}

impl Held {
    fn is_over(&self, now: SystemTime) -> bool {
        now >= self.current.validity.not_after
    }
}

fn read(pair: &Pair) -> Option<Certificate> {
    let certificate = Certificate::read(&pair.certificate)?;
    (certificate.is_by(&certificate) && certificate.is_of(&pair.key)).then_some(certificate)
}

fn make(server: &ServerId, now: SystemTime) -> Result<Pair, Error> {
    issue::authority(
        &format!("gryt {server}"),
        Validity::starting(now, AUTHORITY_LIFE),
    )
}

fn signer_of_leaves(stored: &Stored) -> Option<String> {
    const END: &str = "-----END CERTIFICATE-----\n";
    let bundle = &stored
        .signaling
        .as_ref()
        .or(stored.sfu.as_ref())?
        .authorities;
    let first = bundle.split_inclusive(END).next()?;
    Certificate::read(first)?;
    Some(first.to_owned())
}
