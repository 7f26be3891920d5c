//! How browsers reach the web page and the signaling: `Auto` becomes what the cluster has.

use crate::class::ResolvedClass;
use crate::crd::{WebExposure, WebType};
use crate::names::Hostname;
use crate::observed::{Cluster, ServiceSeen};
use crate::refusal::{Reason, Refusal};
use crate::valid::Web;

pub(super) fn resolve(class: &ResolvedClass, cluster: &Cluster) -> Result<Web, Refusal> {
    let web = &class.spec.exposure.web;
    match web.type_ {
        WebType::Gateway => gateway(class, cluster),
        WebType::Ingress => ingress(class, cluster),
        WebType::NodePort => Ok(node_port(web)),
        WebType::LoadBalancer => Ok(Web::LoadBalancer {
            annotations: web.annotations.clone(),
        }),
        WebType::Auto => Ok(gateway(class, cluster)
            .or_else(|_refusal| ingress(class, cluster))
            .unwrap_or_else(|_refusal| node_port(web))),
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

/// The class that is named, else the cluster's default, else the only one that there is.
fn ingress(class: &ResolvedClass, cluster: &Cluster) -> Result<Web, Refusal> {
    let web = &class.spec.exposure.web;
    let annotations = web.annotations.clone();
    let missing = |message: String| Refusal::new(Reason::IngressClassMissing, message);
    if let Some(name) = &web.ingress_class_name {
        if !cluster.ingress_classes.contains(name) {
            return Err(missing(format!(
                "{} names the IngressClass \"{name}\", which doesn't exist: install its controller, or name another in exposure.web.ingressClassName.",
                class.title()
            )));
        }
        return Ok(Web::Ingress {
            class_name: Some(name.clone()),
            annotations,
        });
    }
    if cluster.default_ingress_class.is_some() {
        return Ok(Web::Ingress {
            class_name: None,
            annotations,
        });
    }
    let mut classes = cluster.ingress_classes.iter();
    match (classes.next(), classes.next()) {
        (Some(only), None) => Ok(Web::Ingress {
            class_name: Some(only.clone()),
            annotations,
        }),
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
