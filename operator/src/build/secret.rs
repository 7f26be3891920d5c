//! Secrets: the CA in the operator's namespace; owner's invite, mTLS and web certificate beside
//! the server.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;

use super::material::Material;
use super::metadata::{Of, child, labels};
use crate::crd::SERVER_ID_ANNOTATION;
use crate::labels::SERVER_NAMESPACE_LABEL;
use crate::names;
use crate::observed::Component;
use crate::pki::Files;
use crate::valid::{Tls, ValidServer};

/// The CA. An owner must live in the same namespace, so it has none: the operator deletes it by
/// hand when the server goes.
pub(super) fn authority(server: &ValidServer, material: &Material) -> Secret {
    let mut labels = labels(server, Of::Server);
    labels.insert(
        SERVER_NAMESPACE_LABEL.to_owned(),
        server.namespace.to_string(),
    );
    let id = server.id.to_string();
    Secret {
        metadata: ObjectMeta {
            name: Some(names::authority(&id)),
            namespace: Some(material.operator_namespace.to_string()),
            labels: Some(labels),
            annotations: Some([(SERVER_ID_ANNOTATION.to_owned(), id)].into()),
            ..ObjectMeta::default()
        },
        data: Some(material.certificates.authority.files()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

pub(super) fn build(server: &ValidServer, material: &Material) -> Vec<Secret> {
    let Material {
        operator_namespace: _,
        certificates,
        class_certificate,
        owner_token,
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

    let mut secrets = vec![
        Secret {
            metadata: child(server, server.name.owner(), Of::Server),
            data: Some(owner),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        },
        tls(
            server,
            server.name.signaling_tls(),
            signaling,
            certificates.signaling.files(),
        ),
        tls(server, server.name.sfu_tls(), sfu, certificates.sfu.files()),
    ];
    secrets.extend(web.map(|web| tls(server, server.name.web_tls(), signaling, web.files())));
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
