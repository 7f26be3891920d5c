//! The children of all servers as the cluster has them, in as little memory as a decision needs.
//!
//! Filled by one watch per kind and by the answers to our own writes, whichever is newer, so that
//! a reconcile right after a write sees what it wrote. The body of an object is kept, packed, only
//! until it was compared once; from then on a fingerprint tells whether somebody changed it.

mod body;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, PoisonError, RwLock};

use kube::{Resource as _, ResourceExt as _};
use serde_json::Value;

use super::object::Object;
use super::seen::{self, Seen};
use crate::apply::compare::APPLIED_ANNOTATION;
use crate::labels::SERVER_NAMESPACE_LABEL;
use crate::names::AUTHORITY_PREFIX;
use crate::objects::Child;

use body::{Body, Samples};

/// A GrytServer by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// One object that belongs to a server, by kind and name.
pub(crate) type ChildKey = (Child, String);

/// One object as the cluster has it.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) uid: String,
    /// Numbers that grow with every change of a kind, as the API promises since 1.35 and every
    /// API server has kept before.
    pub(crate) version: u64,
    /// The UIDs of the GrytServers that own it.
    pub(crate) owners: Vec<String>,
    /// Deleted, but something holds it.
    pub(crate) terminating: bool,
    /// The digest that our last apply left in it.
    pub(crate) digest: Option<String>,
    pub(crate) seen: Seen,
    /// It says itself whose it is, because it lives in the operator's namespace.
    apart: bool,
    pub(crate) fingerprint: Fingerprint,
}

impl Live {
    /// Whether a decision would be the same for both.
    fn is_like(&self, other: &Self) -> bool {
        let Self {
            uid,
            version: _,
            owners,
            terminating,
            digest,
            seen,
            apart,
            fingerprint,
        } = self;
        // A Secret's contents are in its fingerprint, and its version is no content.
        let seen_alike = matches!(seen, Seen::Secret(_)) || *seen == other.seen;
        *uid == other.uid
            && *owners == other.owners
            && *terminating == other.terminating
            && *digest == other.digest
            && *apart == other.apart
            && *fingerprint == other.fingerprint
            && seen_alike
    }
}

/// One object as it was just read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) live: Live,
    /// As JSON, without the contents of a Secret, which are in `live`. `None` if it is too large,
    /// or need not be compared.
    body: Option<String>,
}

impl Found {
    /// The same where nobody will compare the body.
    pub(crate) fn compared(self) -> Self {
        Self { body: None, ..self }
    }
}

/// Stands for everything in a live object that does not change by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

#[derive(Debug)]
struct Entry {
    live: Arc<Live>,
    /// The digest that was wanted when this fingerprint was found good.
    confirmed: Option<(String, Fingerprint)>,
    /// `None` once this fingerprint was found to be what is wanted.
    body: Option<Body>,
    /// During which listing of its kind it was heard of last.
    epoch: u64,
}

impl Entry {
    fn whole_body(&self) -> Option<Value> {
        let mut body = self.body.as_ref()?.unpack()?;
        if let Seen::Secret(contents) = &self.live.seen {
            body[CONTENTS] = serde_json::to_value(&contents.data).ok()?;
        }
        Some(body)
    }
}

#[derive(Debug, Default)]
struct Inner {
    servers: HashMap<ServerKey, BTreeMap<ChildKey, Entry>>,
    /// How many listings of each kind have begun.
    epochs: HashMap<Child, u64>,
    samples: Samples,
}

/// All of them. Bounded by what the cluster holds with the operator's label.
#[derive(Debug, Default)]
pub(crate) struct LiveObjects {
    inner: RwLock<Inner>,
}

/// What to do about one wanted object.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It is there and as wanted.
    Holds,
    /// It is not there.
    Missing,
    /// Something is to be written, or the body has to be compared first.
    Differs,
    /// Compare this body; if it holds, say so by [`LiveObjects::confirm`].
    Compare(Value, Fingerprint),
    /// It is going away; nothing can be written until it is gone.
    Terminating,
}

impl LiveObjects {
    /// Takes what a watch or an answer brought. Returns whether anything that counts has changed:
    /// controllers touch objects more often than they change them.
    pub(crate) fn put(&self, key: ServerKey, kind: Child, name: String, found: Found) -> bool {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            servers,
            epochs,
            samples,
        } = &mut *inner;
        let Found { live, body } = found;
        let epoch = *epochs.entry(kind).or_default();
        let children = servers.entry(key).or_default();
        let Some(entry) = children.get_mut(&(kind, name.clone())) else {
            let entry = Entry {
                live: Arc::new(live),
                confirmed: None,
                body: body.map(|body| samples.pack(kind, &body)),
                epoch,
            };
            children.insert((kind, name), entry);
            return true;
        };
        entry.epoch = epoch;
        if entry.live.uid == live.uid && live.version <= entry.live.version {
            return false;
        }
        let good = entry
            .confirmed
            .as_ref()
            .is_some_and(|(_, fingerprint)| *fingerprint == live.fingerprint);
        let body = body.filter(|_| !good);
        entry.body = body.map(|body| samples.pack(kind, &body));
        let news = !entry.live.is_like(&live);
        entry.live = Arc::new(live);
        news
    }

    /// Whether this is known already, by a watch or from the answer to our own write: then nothing
    /// of it needs to be read.
    pub(crate) fn knows(&self, key: &ServerKey, kind: Child, object: &Object) -> bool {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            servers, epochs, ..
        } = &mut *inner;
        let children = servers.get_mut(key);
        let Some(entry) = children.and_then(|all| all.get_mut(&(kind, object.name_any()))) else {
            return false;
        };
        let known = object.meta().uid.as_deref() == Some(entry.live.uid.as_str())
            && version(object) <= entry.live.version;
        if known {
            entry.epoch = epochs.get(&kind).copied().unwrap_or_default();
        }
        known
    }

    /// Forgets what is gone. An older incarnation's end does not touch a newer one.
    pub(crate) fn remove(&self, key: &ServerKey, kind: Child, name: &str, uid: &str) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Some(children) = inner.servers.get_mut(key) else {
            return;
        };
        let child = (kind, name.to_owned());
        if children
            .get(&child)
            .is_some_and(|entry| entry.live.uid == uid)
        {
            children.remove(&child);
        }
        if children.is_empty() {
            inner.servers.remove(key);
        }
    }

    /// A new listing of `kind` begins; what is not heard of until its end is gone.
    pub(crate) fn begin_listing(&self, kind: Child) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        *inner.epochs.entry(kind).or_default() += 1;
    }

    /// Forgets what neither the listing nor an answer to a write of ours named since it began.
    /// Returns whose children are gone.
    pub(crate) fn end_listing(&self, kind: Child) -> HashSet<ServerKey> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            servers, epochs, ..
        } = &mut *inner;
        let epoch = *epochs.entry(kind).or_default();
        let mut lost = HashSet::new();
        servers.retain(|key, children| {
            let before = children.len();
            children.retain(|(child, _), entry| *child != kind || entry.epoch >= epoch);
            if children.len() < before {
                lost.insert(key.clone());
            }
            !children.is_empty()
        });
        lost
    }

    /// Everything that belongs to one server.
    pub(crate) fn of(&self, key: &ServerKey) -> BTreeMap<ChildKey, Arc<Live>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let children = inner.servers.get(key).into_iter().flatten();
        children
            .map(|(child, entry)| (child.clone(), Arc::clone(&entry.live)))
            .collect()
    }

    /// One object.
    pub(crate) fn one(&self, key: &ServerKey, kind: Child, name: &str) -> Option<Arc<Live>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let children = inner.servers.get(key)?;
        let entry = children.get(&(kind, name.to_owned()))?;
        Some(Arc::clone(&entry.live))
    }

    /// Stands for all objects of a server while every one of them is as it was confirmed; `None`
    /// as soon as one is not.
    pub(crate) fn settled(&self, key: &ServerKey) -> Option<u64> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mut hasher = DefaultHasher::new();
        for ((kind, name), entry) in inner.servers.get(key)? {
            // Jobs say by their status what becomes of them, and a record may be what an earlier
            // server of this name left.
            let is_record = *kind == Child::Secret && entry.live.apart && entry.confirmed.is_none();
            if *kind == Child::Job || is_record {
                (kind, name, &entry.live.uid).hash(&mut hasher);
                continue;
            }
            let (digest, fingerprint) = entry.confirmed.as_ref()?;
            if entry.live.terminating || entry.live.fingerprint != *fingerprint {
                return None;
            }
            (kind, name, &entry.live.uid, digest, fingerprint.0).hash(&mut hasher);
        }
        Some(hasher.finish())
    }

    /// Whose the Secret of this name in our own namespace is: a CA, or a record of back ends.
    pub(crate) fn holders_of(&self, secret: &str) -> Vec<ServerKey> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let wanted = (Child::Secret, secret.to_owned());
        let holders = inner.servers.iter().filter(|(_, children)| {
            let entry = children.get(&wanted);
            entry.is_some_and(|entry| entry.live.apart)
        });
        holders.map(|(key, _)| key.clone()).collect()
    }

    /// The Jobs that have not done their work: whose, name and UID.
    pub(crate) fn jobs(&self) -> Vec<(ServerKey, String, String)> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mut jobs = Vec::new();
        for (key, children) in &inner.servers {
            let of_kind = children
                .iter()
                .filter(|(_, entry)| matches!(&entry.live.seen, Seen::Job(job) if !job.complete));
            jobs.extend(
                of_kind
                    .map(|((_, name), entry)| (key.clone(), name.clone(), entry.live.uid.clone())),
            );
        }
        jobs
    }

    /// The CA Secrets: whose, name and UID.
    pub(crate) fn authorities(&self) -> Vec<(ServerKey, String, String)> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mut authorities = Vec::new();
        for (key, children) in &inner.servers {
            let secrets = children.iter().filter(|((kind, name), entry)| {
                *kind == Child::Secret && name.starts_with(AUTHORITY_PREFIX) && entry.live.apart
            });
            authorities.extend(
                secrets
                    .map(|((_, name), entry)| (key.clone(), name.clone(), entry.live.uid.clone())),
            );
        }
        authorities
    }

    /// Whether the live object is what `digest` stands for, as far as that is known.
    pub(crate) fn judge(
        &self,
        key: &ServerKey,
        kind: Child,
        name: &str,
        digest: &str,
    ) -> Judgement {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let children = inner.servers.get(key);
        let Some(entry) = children.and_then(|all| all.get(&(kind, name.to_owned()))) else {
            return Judgement::Missing;
        };
        if entry.live.terminating {
            return Judgement::Terminating;
        }
        if let Some((wanted, fingerprint)) = &entry.confirmed
            && wanted == digest
            && *fingerprint == entry.live.fingerprint
        {
            return Judgement::Holds;
        }
        if entry.live.digest.as_deref() != Some(digest) {
            return Judgement::Differs;
        }
        match entry.whole_body() {
            Some(body) => Judgement::Compare(body, entry.live.fingerprint),
            None => Judgement::Differs,
        }
    }

    /// The object with this fingerprint is what `digest` stands for. Frees its body.
    pub(crate) fn confirm(
        &self,
        key: &ServerKey,
        (kind, name): (Child, &str),
        digest: &str,
        fingerprint: Fingerprint,
    ) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let children = inner.servers.get_mut(key);
        let Some(entry) = children.and_then(|all| all.get_mut(&(kind, name.to_owned()))) else {
            return;
        };
        entry.confirmed = Some((digest.to_owned(), fingerprint));
        if entry.live.fingerprint == fingerprint {
            entry.body = None;
        }
    }
}

/// The largest body and the largest contents of a Secret that are kept; ours are far below. One that
/// is larger counts as not as wanted.
const MOST_KEPT_BYTES: usize = 128 << 10;

/// Reads an object that carries our labels and isn't ours as far as we know: anybody may make
/// such objects, of any size and number, so nothing large of them is kept.
pub(crate) fn outline(kind: Child, object: &Object) -> Found {
    let mut found = read(kind, object).compared();
    if let Seen::Secret(contents) = &mut found.live.seen {
        contents.data.clear();
    }
    found
}

/// The field of a Secret that is kept as [`Seen::Secret`].
const CONTENTS: &str = "data";

/// Reads an object as a watch or an answer to a write brought it.
pub(crate) fn read(kind: Child, object: &Object) -> Found {
    let digest = object.annotations().get(APPLIED_ANNOTATION).cloned();
    let owners = object.owner_references().iter();
    let owners = owners
        .filter(|owner| owner.kind == "GrytServer")
        .map(|owner| owner.uid.clone())
        .collect();
    let steady = object.steady();
    let mut hasher = DefaultHasher::new();
    steady.hash(&mut hasher);
    let small = steady.len() <= MOST_KEPT_BYTES;
    let mut seen = seen::read(kind, object);
    let mut body = steady;
    if let Seen::Secret(contents) = &mut seen {
        body = object.steady_without(CONTENTS);
        if !small {
            contents.data.clear();
        }
    }
    let live = Live {
        uid: object.uid().unwrap_or_default(),
        version: version(object),
        owners,
        terminating: object.meta().deletion_timestamp.is_some(),
        digest,
        seen,
        apart: object.labels().contains_key(SERVER_NAMESPACE_LABEL)
            && object.owner_references().is_empty(),
        fingerprint: Fingerprint(hasher.finish()),
    };
    let body = small.then_some(body);
    Found { live, body }
}

fn version(object: &Object) -> u64 {
    let version = object.meta().resource_version.as_deref();
    version
        .and_then(|text| text.parse().ok())
        .unwrap_or(u64::MAX)
}
