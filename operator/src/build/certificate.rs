//! cert-manager's Certificate, as JSON. cert-manager writes the Secret and renews it.

use kube::api::DynamicObject;
use serde_json::json;

use super::metadata::{Of, child};
use crate::objects::Child;
use crate::observed::Component;
use crate::valid::{Tls, ValidServer};

pub(super) fn build(server: &ValidServer) -> Option<DynamicObject> {
    let Tls::Issuer { name, kind } = &server.tls else {
        return None;
    };
    let spec = json!({"spec": {
        "secretName": server.name.web_tls(),
        "dnsNames": [server.hostname.as_str()],
        "issuerRef": {"group": "cert-manager.io", "kind": kind, "name": name},
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "usages": ["digital signature", "server auth"],
    }});
    let name = server.name.web_tls();
    let mut certificate = DynamicObject::new(&name, &Child::Certificate.api_resource()).data(spec);
    certificate.metadata = child(server, name, Of::Component(Component::Signaling));
    Some(certificate)
}
