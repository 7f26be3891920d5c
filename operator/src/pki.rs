//! The certificates of one server: a CA of its own, a leaf per process for mTLS, and a self-signed
//! one for the web where nothing better is named. Knows no cluster and no clock. Keys come from
//! `ring`, which takes no randomness but its own.

mod authority;
mod issue;
mod leaf;
mod plan;
mod read;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use gryt_model::ServerId;
use gryt_runtime::tls::{Part, identity};

pub use authority::Authority;
pub use stored::{Files, Stored};

/// Why a certificate could not be made. What the cluster holds is never the reason: files that
/// cannot be read are made anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `ring` gave no key.
    #[error("cannot make a key")]
    MakeKey(#[source] rcgen::Error),
    /// The authority's own files do not make a signer.
    #[error("cannot sign with the certificate authority")]
    ReadAuthority(#[source] rcgen::Error),
    /// A name is not one that a certificate can carry, or signing failed.
    #[error("cannot make a certificate for \"{name}\"")]
    Sign {
        /// The first name of the certificate.
        name: String,
        /// What refused.
        #[source]
        source: rcgen::Error,
    },
    /// A certificate that was just made cannot be read.
    #[error("cannot read the certificate just made for \"{0}\"")]
    ReadBack(String),
}

/// Whom the certificates of one server name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The server; its id is in the names that the processes check.
    pub server: ServerId,
    /// The DNS names of the SFUs' gRPC Services.
    pub sfu_services: Vec<String>,
    /// The host that browsers ask for, where a self-signed certificate is wanted.
    pub web: Option<String>,
}

impl Names {
    fn of(&self, part: Part) -> BTreeSet<String> {
        let services: &[String] = match part {
            Part::Signaling => &[],
            Part::Sfu => &self.sfu_services,
        };
        let mut names: BTreeSet<String> = services.iter().cloned().collect();
        names.insert(identity(part, self.server.as_str()));
        names
    }
}

/// A certificate and its private key, both as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS 8.
    pub key: String,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// What one process of ours shows and whom it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Every authority that is trusted at the moment, as one PEM file.
    pub authorities: String,
    /// Its own certificate.
    pub pair: Pair,
}

/// All certificates of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// Stays in the operator's namespace.
    pub authority: Authority,
    /// Signaling's, for gRPC to SFUs.
    pub signaling: Leaf,
    /// The SFUs', for gRPC from signaling.
    pub sfu: Leaf,
    /// For browsers, signed by itself; only where [`Names::web`] asks for it.
    pub web: Option<Pair>,
    /// When [`provide`] has work again.
    pub due: SystemTime,
}

/// Keeps what is good of `stored` and makes the rest.
///
/// An authority is trusted by both processes for a day before it signs, and for a day after its
/// last leaf, so no connection meets a certificate that it does not know.
///
/// # Errors
/// A name that no certificate can carry, or `ring` failing.
pub fn provide(stored: &Stored, names: &Names, now: SystemTime) -> Result<Certificates, Error> {
    let authority = authority::provide(stored, &names.server, now)?;
    let signaling = leaf::provide(
        stored.signaling.as_ref(),
        &names.of(Part::Signaling),
        &authority,
        now,
    )?;
    let sfu = leaf::provide(stored.sfu.as_ref(), &names.of(Part::Sfu), &authority, now)?;
    let web = match &names.web {
        Some(host) => Some(leaf::self_signed(stored.web.as_ref(), host, now)?),
        None => None,
    };

    let youngest = signaling.validity.issued_at().max(sfu.validity.issued_at());
    let due = [
        plan::due(&authority.ages(Some(youngest))),
        signaling.validity.renew_at(),
        sfu.validity.renew_at(),
    ];
    let web_due = web.as_ref().map(|web| web.validity.renew_at());
    let due = due.into_iter().chain(web_due).min().unwrap_or(now);
    let authorities = authority.files.bundle();
    Ok(Certificates {
        authority: authority.files,
        signaling: Leaf {
            authorities: authorities.clone(),
            pair: signaling.pair,
        },
        sfu: Leaf {
            authorities,
            pair: sfu.pair,
        },
        web: web.map(|web| web.pair),
        due,
    })
}
