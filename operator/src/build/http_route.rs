//! HTTPRoute of the Gateway API, as JSON: this one kind isn't worth a crate of all of them.

use kube::api::DynamicObject;
use serde_json::json;

use super::metadata::{Of, annotated};
use super::service::INNER_WEB_PORT;
use crate::objects::Child;
use crate::observed::Component;
use crate::valid::{ValidServer, Web};

pub(super) fn build(server: &ValidServer) -> Option<DynamicObject> {
    let Web::Gateway {
        name,
        namespace,
        section_name,
        annotations,
    } = &server.web
    else {
        return None;
    };
    let mut parent = json!({"name": name, "namespace": namespace});
    if let Some(section_name) = section_name {
        parent["sectionName"] = json!(section_name);
    }
    let spec = json!({"spec": {
        "parentRefs": [parent],
        "hostnames": [server.hostname.as_str()],
        "rules": [{
            "backendRefs": [{"name": server.name.signaling(), "port": INNER_WEB_PORT}],
        }],
    }});
    let name = server.name.web();
    let mut route = DynamicObject::new(&name, &Child::HttpRoute.api_resource()).data(spec);
    let of = Of::Component(Component::Signaling);
    route.metadata = annotated(server, name, of, annotations);
    Some(route)
}
