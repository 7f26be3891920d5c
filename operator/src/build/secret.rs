//! Secrets: the CA and the record of back ends in the operator's namespace; owner's invite, mTLS,
//! web certificate and the sign-in to back ends beside the server.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;

use super::backends;
use super::job;
use super::material::{Material, SignIns, Token};
use super::metadata::{Of, child, labels};
use crate::crd::SERVER_ID_ANNOTATION;
use crate::labels::SERVER_NAMESPACE_LABEL;
use crate::names;
use crate::observed::Component;
use crate::pki::Files;
use crate::record::{self, DatabasePin};
use crate::valid::{Tls, ValidServer};

/// The CA. An owner must live in the same namespace, so it has none: the operator deletes it by
/// hand when the server goes.
pub(super) fn authority(server: &ValidServer, material: &Material) -> Secret {
    Secret {
        metadata: apart(server, material, names::authority(server.id.as_str())),
        data: Some(material.certificates.authority.files()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// What is kept of the back ends, without an owner too: it stays as long as the data does.
pub(super) fn record(server: &ValidServer, material: &Material) -> Option<Secret> {
    if !server.backends.keep_something() {
        return None;
    }
    let mut metadata = apart(server, material, names::backends(server.id.as_str()));
    let [database, bus] = job::prepared(server, material);
    let cql = server.backends.cql.as_ref();
    let pin = cql.map(|cql| DatabasePin::wanted(server, cql).as_text());
    let noted = [
        (record::SERVER_UID, Some(server.uid.clone())),
        (record::DATABASE, pin),
        (record::DATABASE_PREPARED, database),
        (record::BUS_PREPARED, bus),
    ];
    let noted = noted
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    metadata.annotations.get_or_insert_default().extend(noted);
    Some(Secret {
        metadata,
        data: Some(passwords(&material.sign_ins)),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    })
}

fn passwords(sign_ins: &SignIns) -> Files {
    let SignIns {
        redis,
        cql,
        files: _,
    } = sign_ins;
    let passwords = [(record::REDIS_PASSWORD, redis), (record::CQL_PASSWORD, cql)];
    let file = |(name, password): (&str, &Option<Token>)| {
        let password = password.as_ref()?.as_str();
        Some((name.to_owned(), ByteString(password.as_bytes().to_vec())))
    };
    passwords.into_iter().filter_map(file).collect()
}

/// The metadata of what lives in the operator's namespace and says whose it is.
fn apart(server: &ValidServer, material: &Material, name: String) -> ObjectMeta {
    let mut labels = labels(server, Of::Server);
    labels.insert(
        SERVER_NAMESPACE_LABEL.to_owned(),
        server.namespace.to_string(),
    );
    ObjectMeta {
        name: Some(name),
        namespace: Some(material.operator_namespace.to_string()),
        labels: Some(labels),
        annotations: Some([(SERVER_ID_ANNOTATION.to_owned(), server.id.to_string())].into()),
        ..ObjectMeta::default()
    }
}

pub(super) fn build(server: &ValidServer, material: &Material) -> Vec<Secret> {
    let Material {
        operator_namespace: _,
        certificates,
        class_certificate,
        owner_token,
        sign_ins,
    } = material;
    let signaling = Of::Component(Component::Signaling);
    let sfu = Of::Component(Component::Sfu);
    let origin = server.origin.clone();
    let origin = origin.unwrap_or_else(|| format!("https://{}", server.hostname));
    let token = owner_token.as_str();
    let owner = Files::from([
        (
            "link".to_owned(),
            ByteString(format!("{origin}/invite/{token}").into_bytes()),
        ),
        ("token".to_owned(), ByteString(token.as_bytes().to_vec())),
    ]);
    let web = match server.tls {
        Tls::ClassSecret { .. } => class_certificate.as_ref(),
        Tls::SelfSigned => certificates.web.as_ref(),
        Tls::AtGateway | Tls::TenantSecret { .. } | Tls::Issuer { .. } => None,
    };

    let opaque = |name, of, data| Secret {
        metadata: child(server, name, of),
        data: Some(data),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    };
    let mut secrets = vec![
        tls(
            server,
            server.name.signaling_tls(),
            signaling,
            certificates.signaling.files(),
        ),
        tls(server, server.name.sfu_tls(), sfu, certificates.sfu.files()),
    ];
    secrets.extend(web.map(|web| tls(server, server.name.web_tls(), signaling, web.files())));
    // Nobody makes an account here where people sign in elsewhere.
    if server.backends.issuers.is_empty() {
        secrets.insert(0, opaque(server.name.owner(), Of::Server, owner));
    }
    if backends::are_named(server, sign_ins) {
        let mut files = passwords(sign_ins);
        files.extend(sign_ins.files.clone());
        secrets.push(opaque(server.name.backends(), signaling, files));
    }
    secrets
}

fn tls(server: &ValidServer, name: String, of: Of, files: Files) -> Secret {
    Secret {
        metadata: child(server, name, of),
        data: Some(files),
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    }
}
