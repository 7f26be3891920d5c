//! How browsers reach the web page and the signaling: `Auto` becomes what the cluster has, once. A
//! server that is reached keeps its way: another would change its origin and end every connection.

use crate::class::ResolvedClass;
use crate::crd::{WebExposure, WebType};
use crate::names::Hostname;
use crate::observed::{Cluster, Observed, ServiceSeen};
use crate::refusal::{Reason, Refusal};
use crate::valid::Web;

pub(super) fn resolve(class: &ResolvedClass, observed: &Observed) -> Result<Web, Refusal> {
    let type_ = class.spec.exposure.web.type_;
    if type_ != WebType::Auto {
        return explicit(type_, class, observed);
    }
    let Some(kept) = kept(class, observed) else {
        return first(class, observed);
    };
    explicit(kept, class, observed).map_err(|refusal| {
        let message = format!(
            "The server keeps the way by which it was reached first. {}",
            refusal.message
        );
        Refusal::new(refusal.reason, message)
    })
}

/// What `Auto` became under this very class.
fn kept(class: &ResolvedClass, observed: &Observed) -> Option<WebType> {
    let status = observed.server.status.as_ref()?;
    let type_ = status.exposure.as_ref()?.web;
    (status.class_name == class.name && type_ != WebType::Auto).then_some(type_)
}

fn first(class: &ResolvedClass, observed: &Observed) -> Result<Web, Refusal> {
    let web = &class.spec.exposure.web;
    Ok(gateway(class, &observed.cluster)
        .or_else(|_refusal| ingress(class, observed))
        .unwrap_or_else(|_refusal| node_port(web)))
}

fn explicit(type_: WebType, class: &ResolvedClass, observed: &Observed) -> Result<Web, Refusal> {
    let web = &class.spec.exposure.web;
    match type_ {
        WebType::Gateway => gateway(class, &observed.cluster),
        WebType::Ingress => ingress(class, observed),
        WebType::NodePort => Ok(node_port(web)),
        WebType::LoadBalancer => Ok(Web::LoadBalancer {
            annotations: web.annotations.clone(),
        }),
        WebType::Auto => first(class, observed),
    }
}

fn gateway(class: &ResolvedClass, cluster: &Cluster) -> Result<Web, Refusal> {
    let web = &class.spec.exposure.web;
    let Some(gateway) = &web.gateway else {
        return Err(Refusal::new(
            Reason::GatewayRequired,
            format!(
                "{} exposes the web by a Gateway and names none: set exposure.web.gateway.",
                class.title()
            ),
        ));
    };
    if !cluster.gateway_api {
        return Err(Refusal::new(
            Reason::GatewayApiMissing,
            format!(
                "{} exposes the web by a Gateway, but the cluster doesn't serve HTTPRoutes of gateway.networking.k8s.io/v1: install the Gateway API, or choose another exposure.web.type.",
                class.title()
            ),
        ));
    }
    Ok(Web::Gateway {
        name: gateway.name.clone(),
        namespace: gateway.namespace.clone(),
        section_name: gateway.section_name.clone(),
        annotations: web.annotations.clone(),
    })
}

/// The class that is named, else the one that the Ingress has, else the cluster's default, else the
/// only one that there is. Always by name: the cluster fills in its default only at the creation.
fn ingress(class: &ResolvedClass, observed: &Observed) -> Result<Web, Refusal> {
    let (web, cluster) = (&class.spec.exposure.web, &observed.cluster);
    let missing = |message: String| Refusal::new(Reason::IngressClassMissing, message);
    let by = |name: &String| {
        Ok(Web::Ingress {
            class_name: Some(name.clone()),
            annotations: web.annotations.clone(),
        })
    };
    if let Some(name) = &web.ingress_class_name {
        if !cluster.ingress_classes.contains(name) {
            return Err(missing(format!(
                "{} names the IngressClass \"{name}\", which doesn't exist: install its controller, or name another in exposure.web.ingressClassName.",
                class.title()
            )));
        }
        return by(name);
    }
    let ingress = observed.children.ingress.as_ref();
    if let Some(name) = ingress.and_then(|ingress| ingress.class_name.as_ref()) {
        if !cluster.ingress_classes.contains(name) {
            return Err(missing(format!(
                "The Ingress of this server has the IngressClass \"{name}\", which is gone: bring it back, or name another in exposure.web.ingressClassName of {}.",
                class.title()
            )));
        }
        return by(name);
    }
    if let Some(name) = &cluster.default_ingress_class {
        return by(name);
    }
    let mut classes = cluster.ingress_classes.iter();
    match (classes.next(), classes.next()) {
        (Some(only), None) => by(only),
        (None, _) => Err(missing(format!(
            "{} exposes the web by an Ingress, but the cluster has no IngressClass: install an Ingress controller, or choose another exposure.web.type.",
            class.title()
        ))),
        (Some(_), Some(_)) => Err(missing(format!(
            "{} exposes the web by an Ingress, and no IngressClass is the default: name one in exposure.web.ingressClassName.",
            class.title()
        ))),
    }
}

fn node_port(web: &WebExposure) -> Web {
    Web::NodePort {
        annotations: web.annotations.clone(),
    }
}

/// The origin that browsers see; `None` while its port isn't assigned.
pub(super) fn origin(
    web: &Web,
    hostname: &Hostname,
    service: Option<&ServiceSeen>,
) -> Option<String> {
    match web {
        Web::Gateway { .. } | Web::Ingress { .. } | Web::LoadBalancer { .. } => {
            Some(format!("https://{hostname}"))
        }
        Web::NodePort { .. } => {
            let service = service.filter(|service| service.type_ == "NodePort")?;
            let port = service.node_ports.values().next()?;
            Some(format!("https://{hostname}:{port}"))
        }
    }
}
