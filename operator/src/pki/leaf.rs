//! A certificate that is kept while it is good and made anew otherwise.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::authority::Held;
use super::plan::{LEAF_LIFE, Validity, WEB_LIFE};
use super::read::Certificate;
use super::{Error, Leaf, Pair, issue};

/// A certificate and how long it is good.
#[derive(Debug)]
pub(super) struct Good {
    pub(super) pair: Pair,
    pub(super) validity: Validity,
}

/// The leaf of a process with exactly these `names`, by the authority that signs at `now`.
pub(super) fn provide(
    stored: Option<&Leaf>,
    names: &BTreeSet<String>,
    authority: &Held,
    now: SystemTime,
) -> Result<Good, Error> {
    let stored = stored.map(|leaf| &leaf.pair);
    if let Some(good) = good(stored, names, &authority.current, now) {
        return Ok(good);
    }
    let validity = Validity::starting(now, LEAF_LIFE);
    let pair = issue::leaf(names, validity, &issue::signer(&authority.files.current)?)?;
    Ok(Good { pair, validity })
}

/// The web certificate of `host`, signed by itself.
pub(super) fn self_signed(
    stored: Option<&Pair>,
    host: &str,
    now: SystemTime,
) -> Result<Good, Error> {
    let names = BTreeSet::from([host.to_owned()]);
    let own = stored.and_then(|pair| Certificate::read(&pair.certificate));
    if let Some(good) = own.and_then(|own| good(stored, &names, &own, now)) {
        return Ok(good);
    }
    let validity = Validity::starting(now, WEB_LIFE);
    let pair = issue::self_signed(&names, validity)?;
    Ok(Good { pair, validity })
}

fn good(
    stored: Option<&Pair>,
    names: &BTreeSet<String>,
    by: &Certificate,
    now: SystemTime,
) -> Option<Good> {
    let stored = stored?;
    let certificate = Certificate::read(&stored.certificate)?;
    let kept = certificate.validity.is_good(now)
        && certificate.names == *names
        && certificate.is_by(by)
        && certificate.is_of(&stored.key);
    kept.then(|| Good {
        pair: stored.clone(),
        validity: certificate.validity,
    })
}
