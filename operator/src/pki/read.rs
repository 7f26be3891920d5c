//! What a certificate in the cluster says. Everything here is read as if a stranger wrote it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{KeyPair, PublicKeyData as _};
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

use super::plan::Validity;

/// The facts of a certificate that decide whether it is kept.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) validity: Validity,
    /// DNS names and addresses.
    pub(super) names: BTreeSet<String>,
    der: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a PEM file.
    pub(super) fn read(pem: &str) -> Option<Self> {
        let pem = Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()?;
        let (_, x509) = X509Certificate::from_der(&pem.contents).ok()?;
        let validity = Validity {
            not_before: instant(x509.validity.not_before)?,
            not_after: instant(x509.validity.not_after)?,
        };
        let alternatives = x509.subject_alternative_name().ok()?;
        let names = alternatives
            .iter()
            .flat_map(|names| &names.value.general_names);
        let names = names.filter_map(text).collect();
        Some(Self {
            validity,
            names,
            der: pem.contents.clone(),
        })
    }

    /// Whether `authority` signed it.
    pub(super) fn is_by(&self, authority: &Self) -> bool {
        self.x509()
            .zip(authority.x509())
            .is_some_and(|(own, authority)| {
                own.issuer == authority.subject
                    && own.verify_signature(Some(authority.public_key())).is_ok()
            })
    }

    /// Whether `key`, as PEM, is its private key.
    pub(super) fn is_of(&self, key: &str) -> bool {
        self.x509()
            .zip(KeyPair::from_pem(key).ok())
            .is_some_and(|(own, key)| own.public_key().raw == key.subject_public_key_info())
    }

    fn x509(&self) -> Option<X509Certificate<'_>> {
        let (_, x509) = X509Certificate::from_der(&self.der).ok()?;
        Some(x509)
    }
}

fn instant(time: ASN1Time) -> Option<SystemTime> {
    let seconds = u64::try_from(time.timestamp()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        return Some((*name).to_owned());
    }
    let GeneralName::IPAddress(bytes) = name else {
        return None;
    };
    let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
    let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_string())
}
