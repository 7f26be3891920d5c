//! Where the certificate for the host name comes from: server, else class, else our own.

use super::parse;
use super::secrets::Place;
use crate::class::{Defaults, ResolvedClass};
use crate::crd::IssuerRef;
use crate::names::ObjectName;
use crate::observed::{Cluster, Observed, TLS_KEYS};
use crate::refusal::{Reason, Refusal};
use crate::valid::{Tls, Web};

pub(super) fn resolve(
    observed: &Observed,
    class: &ResolvedClass,
    defaults: &Defaults,
    web: &Web,
) -> Result<Tls, Refusal> {
    if matches!(web, Web::Gateway { .. }) {
        return Ok(Tls::AtGateway);
    }
    if let Some(source) = &observed.server.spec.tls {
        if let Some(issuer) = &source.issuer_ref {
            return issued(issuer, &observed.cluster, "spec.tls.issuerRef");
        }
        if let Some(name) = &source.secret_name {
            let place = Place {
                field: "field spec.tls.secretName".to_owned(),
                namespace: "this namespace".to_owned(),
                secrets: &observed.named_secrets.tenant,
            };
            let tls = Tls::TenantSecret { name: name.clone() };
            return place.check(name, &TLS_KEYS).map_or(Ok(tls), Err);
        }
    }
    if let Some(source) = &class.spec.tls {
        if let Some(issuer) = &source.issuer_ref {
            let field = format!("tls.issuerRef of {}", class.title());
            return issued(issuer, &observed.cluster, &field);
        }
        if let Some(name) = &source.secret_name {
            let place = Place {
                field: format!("tls of {}", class.title()),
                namespace: format!("the operator's namespace \"{}\"", defaults.namespace),
                secrets: &observed.named_secrets.platform,
            };
            let tls = Tls::ClassSecret { name: name.clone() };
            return place.check(name, &TLS_KEYS).map_or(Ok(tls), Err);
        }
    }
    Ok(Tls::SelfSigned)
}

fn issued(issuer: &IssuerRef, cluster: &Cluster, field: &str) -> Result<Tls, Refusal> {
    if !cluster.cert_manager {
        return Err(Refusal::new(
            Reason::CertManagerMissing,
            format!(
                "{field} asks cert-manager for a certificate, but cert-manager isn't installed: install it, or name a Secret instead."
            ),
        ));
    }
    let name: ObjectName = parse(field, &issuer.name)?;
    Ok(Tls::Issuer {
        name: name.to_string(),
        kind: issuer.kind.as_str(),
    })
}
