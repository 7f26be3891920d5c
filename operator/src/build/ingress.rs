//! Ingress, for clusters without the Gateway API.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, IngressTLS, ServiceBackendPort,
};

use super::metadata::{Of, annotated};
use super::service::INNER_WEB_PORT;
use crate::observed::Component;
use crate::valid::{ValidServer, Web};

pub(super) fn build(server: &ValidServer) -> Option<Ingress> {
    let Web::Ingress {
        class_name,
        annotations,
    } = &server.web
    else {
        return None;
    };
    let host = server.hostname.to_string();
    let path = HTTPIngressPath {
        path: Some("/".to_owned()),
        path_type: "Prefix".to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: server.name.signaling(),
                port: Some(ServiceBackendPort {
                    number: Some(INNER_WEB_PORT),
                    name: None,
                }),
            }),
            resource: None,
        },
    };
    let tls = server
        .tls
        .secret_name(&server.name)
        .map(|secret_name| IngressTLS {
            hosts: Some(vec![host.clone()]),
            secret_name: Some(secret_name),
        });
    let of = Of::Component(Component::Signaling);
    Some(Ingress {
        metadata: annotated(server, server.name.web(), of, annotations),
        spec: Some(IngressSpec {
            ingress_class_name: class_name.clone(),
            rules: Some(vec![IngressRule {
                host: Some(host),
                http: Some(HTTPIngressRuleValue { paths: vec![path] }),
            }]),
            tls: tls.map(|tls| vec![tls]),
            default_backend: None,
        }),
        status: None,
    })
}
