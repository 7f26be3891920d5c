//! Makes keys and certificates: ECDSA P-256, which every browser and rustls take.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

use super::plan::Validity;
use super::{Error, Pair};

/// An authority that signs.
pub(super) type Signer = Issuer<'static, KeyPair>;

/// Reads the files of an authority.
pub(super) fn signer(authority: &Pair) -> Result<Signer, Error> {
    let key = KeyPair::from_pem(&authority.key).map_err(Error::ReadAuthority)?;
    Issuer::from_ca_cert_pem(&authority.certificate, key).map_err(Error::ReadAuthority)
}

/// Makes an authority named `name`.
pub(super) fn authority(name: &str, validity: Validity) -> Result<Pair, Error> {
    let sign = |source| Error::Sign {
        name: name.to_owned(),
        source,
    };
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    describe(&mut params, name, validity);
    let key = key()?;
    let certificate = params.self_signed(&key).map_err(sign)?;
    Ok(pair(&certificate, &key))
}

/// Makes a certificate for a process of ours, which is a server to some and a client to others.
pub(super) fn leaf(
    names: &BTreeSet<String>,
    validity: Validity,
    signer: &Signer,
) -> Result<Pair, Error> {
    let (params, sign) = end_entity(names, validity)?;
    let key = key()?;
    let certificate = params.signed_by(&key, signer).map_err(sign)?;
    Ok(pair(&certificate, &key))
}

/// Makes a certificate that vouches for itself.
pub(super) fn self_signed(names: &BTreeSet<String>, validity: Validity) -> Result<Pair, Error> {
    let (params, sign) = end_entity(names, validity)?;
    let key = key()?;
    let certificate = params.self_signed(&key).map_err(sign)?;
    Ok(pair(&certificate, &key))
}

fn end_entity(
    names: &BTreeSet<String>,
    validity: Validity,
) -> Result<(CertificateParams, impl Fn(rcgen::Error) -> Error), Error> {
    let name = names.first().cloned().unwrap_or_default();
    let sign = move |source| Error::Sign {
        name: name.clone(),
        source,
    };
    let all: Vec<String> = names.iter().cloned().collect();
    let mut params = CertificateParams::new(all).map_err(&sign)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    // The names that count are the alternatives; a subject holds at most 64 characters.
    describe(&mut params, "gryt", validity);
    Ok((params, sign))
}

fn describe(params: &mut CertificateParams, name: &str, validity: Validity) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default();
    params.not_before = epoch + since(validity.not_before);
    params.not_after = epoch + since(validity.not_after);
}

fn key() -> Result<KeyPair, Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(Error::MakeKey)
}

fn pair(certificate: &rcgen::Certificate, key: &KeyPair) -> Pair {
    Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    }
}
