//! The certificate of `--lan`: made here, kept in the data folder, made anew when the machine's
//! addresses change or its time is nearly over.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow};
use rcgen::{CertificateParams, DnType, KeyPair, SanType};
use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::address::Machine;

/// Browsers that a person told to go on still refuse certificates that are good for longer.
const GOOD_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const RENEW_BEFORE_END: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Clocks of phones may be behind.
const GOOD_SINCE: Duration = Duration::from_secs(24 * 60 * 60);

/// A certificate and its key.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Certificate {
    /// The kept one if it still fits, else a new one.
    pub(crate) fn keep(path: &Path, machine: &Machine, now: SystemTime) -> anyhow::Result<Self> {
        let names = names(machine);
        let kept = fs::read_to_string(path).ok();
        if let Some(text) = kept.filter(|text| fits(text, &names, now)) {
            return Self::parse(&text)
                .with_context(|| format!("read the certificate \"{}\"", path.display()));
        }
        let text = make(&names, now).context("make a certificate")?;
        write_private(path, &text)
            .with_context(|| format!("write the certificate \"{}\"", path.display()))?;
        Self::parse(&text)
    }

    /// What a browser shows of it, for comparison.
    pub(crate) fn fingerprint(&self) -> String {
        let bytes: Vec<_> = digest(&SHA256, &self.certificate)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        bytes.join(":")
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let no_pem = |error| anyhow!("no PEM: {error}");
        Ok(Self {
            certificate: CertificateDer::from_pem_slice(text.as_bytes()).map_err(no_pem)?,
            key: PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(no_pem)?,
        })
    }
}

/// All names and addresses that a browser may have typed.
fn names(machine: &Machine) -> Vec<String> {
    let mut names: Vec<_> = machine
        .hosts()
        .into_iter()
        .map(|host| host.trim_matches(['[', ']']).to_owned())
        .collect();
    names.sort();
    names
}

fn header(names: &[String], renew_at: u64) -> String {
    format!(
        "Names: {}\nRenewed from second {renew_at} since 1970 on, or when the names change.\n",
        names.join(" ")
    )
}

/// The file begins with what it was made for; PEM readers pass over it (RFC 7468 section 2).
fn fits(text: &str, names: &[String], now: SystemTime) -> bool {
    let renew_at = text
        .lines()
        .nth(1)
        .and_then(|line| line.split(' ').nth(3))
        .and_then(|secs| secs.parse().ok());
    renew_at.is_some_and(|renew_at| {
        text.starts_with(&header(names, renew_at)) && unix_secs(now) < renew_at
    })
}

fn make(names: &[String], now: SystemTime) -> anyhow::Result<String> {
    let mut params = CertificateParams::default();
    for name in names {
        let name = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.as_str().try_into()?),
        };
        params.subject_alt_names.push(name);
    }
    params
        .distinguished_name
        .push(DnType::CommonName, "Gryt on this network");
    params.not_before = (now - GOOD_SINCE).into();
    params.not_after = (now + GOOD_FOR).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let renew_at = unix_secs(now + GOOD_FOR - RENEW_BEFORE_END);
    Ok(format!(
        "{}{}{}",
        header(names, renew_at),
        certificate.pem(),
        key.serialize_pem()
    ))
}

/// Writes beside and renames, so that a crash leaves the old file or the new one.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn unix_secs(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(address: [u8; 4]) -> Machine {
        Machine {
            addresses: vec![address.into()],
            hostname: Some("laptop".to_owned()),
        }
    }

    fn at(days: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs((20_000 + days) * 24 * 60 * 60)
    }

    #[test]
    fn certificate_is_kept_until_addresses_or_time_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("certificate.pem");
        let fingerprint = |address, now| {
            Certificate::keep(&path, &machine(address), now)
                .unwrap()
                .fingerprint()
        };

        let first = fingerprint([10, 0, 0, 1], at(0));
        assert_eq!(first.len(), 32 * 3 - 1);
        assert_eq!(fingerprint([10, 0, 0, 1], at(334)), first);
        let moved = fingerprint([10, 0, 0, 2], at(334));
        assert_ne!(moved, first);
        assert_eq!(fingerprint([10, 0, 0, 2], at(335)), moved);
        assert_ne!(fingerprint([10, 0, 0, 2], at(334 + 335)), moved);
    }

    #[test]
    fn damaged_file_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("certificate.pem");
        for damaged in ["", "Names: x\nnonsense", "\n\n\n"] {
            fs::write(&path, damaged).unwrap();
            assert!(Certificate::keep(&path, &machine([10, 0, 0, 1]), at(0)).is_ok());
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_the_key() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("certificate.pem");
        Certificate::keep(&path, &machine([10, 0, 0, 1]), at(0)).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
