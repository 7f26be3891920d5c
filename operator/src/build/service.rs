//! Services: web, gRPC per SFU slot, and media per SFU slot.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{Labels, Of, annotated, child, selector_labels};
use super::pod::port;
use crate::crd::MediaType;
use crate::observed::Component;
use crate::valid::{Announced, Pending, Slot, ValidServer, Web};

/// The port of the signaling Service, whatever its type.
pub const WEB_PORT_NAME: &str = "http";
/// The port of an SFU's gRPC Service.
pub const GRPC_PORT_NAME: &str = "grpc";
/// The UDP port of a media Service.
pub const MEDIA_UDP_PORT_NAME: &str = "media-udp";
/// The TCP port of a media Service. Same number, and so the same nodePort.
pub const MEDIA_TCP_PORT_NAME: &str = "media-tcp";

/// Port of the signaling Service behind a Gateway or an Ingress.
pub(super) const INNER_WEB_PORT: i32 = 8080;
/// Port of the signaling Service that browsers come to themselves.
const OUTER_WEB_PORT: i32 = 443;
/// Port of every gRPC Service, whatever the pod listens on.
pub(super) const GRPC_PORT: i32 = 8082;
/// Port of every media Service.
const MEDIA_PORT: i32 = 8081;

/// Where browsers or their proxy find signaling.
pub(super) fn signaling(server: &ValidServer) -> Service {
    let of = Of::Component(Component::Signaling);
    let none = Labels::new();
    let (type_, number, policy, annotations) = match &server.web {
        Web::Gateway { .. } | Web::Ingress { .. } => ("ClusterIP", INNER_WEB_PORT, None, &none),
        // Every node answers, also those without the pod.
        Web::NodePort { annotations } => ("NodePort", OUTER_WEB_PORT, Some("Cluster"), annotations),
        // The load balancer knows which nodes have the pod, and clients keep their addresses.
        Web::LoadBalancer { annotations } => {
            ("LoadBalancer", OUTER_WEB_PORT, Some("Local"), annotations)
        }
    };
    Service {
        metadata: annotated(server, server.name.signaling(), of, annotations),
        spec: Some(ServiceSpec {
            type_: Some(type_.to_owned()),
            external_traffic_policy: policy.map(str::to_owned),
            selector: Some(selector_labels(server, of)),
            ports: Some(vec![service_port(WEB_PORT_NAME, number, "TCP", port::HTTP)]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Where signaling finds each SFU. Pods that drain are in it: their calls are still commanded.
pub(super) fn sfus(server: &ValidServer) -> Vec<Service> {
    let build = |slot: &Slot| {
        let of = Of::Slot(slot.number);
        let ports = vec![service_port(GRPC_PORT_NAME, GRPC_PORT, "TCP", port::GRPC)];
        Service {
            metadata: child(server, server.name.sfu_slot(slot.number), of),
            spec: Some(ServiceSpec {
                type_: Some("ClusterIP".to_owned()),
                publish_not_ready_addresses: Some(true),
                selector: Some(selector_labels(server, of)),
                ports: Some(ports),
                ..ServiceSpec::default()
            }),
            status: None,
        }
    };
    server.slots.iter().map(build).collect()
}

/// Where browsers send media, unless the pod has ports of its node.
pub(super) fn media(server: &ValidServer) -> Vec<Service> {
    let type_ = match server.media_type() {
        MediaType::NodePort => "NodePort",
        MediaType::LoadBalancer => "LoadBalancer",
        MediaType::HostPort | MediaType::HostNetwork => return Vec::new(),
    };
    let annotations = &server.class.spec.exposure.media.annotations;
    let build = |slot: &Slot| {
        let of = Of::Slot(slot.number);
        let name = server.name.sfu_media(slot.number);
        // Asked for only until the Service is there: then the port is the cluster's to keep.
        let node_port = match slot.announced {
            Announced::Pending(Pending::NodePort { before }) if type_ == "NodePort" => before,
            Announced::Pending(_) | Announced::NodeAddress { .. } | Announced::Fixed { .. } => None,
        };
        let port = |name, protocol, target| ServicePort {
            node_port,
            ..service_port(name, MEDIA_PORT, protocol, target)
        };
        Service {
            metadata: annotated(server, name, of, annotations),
            spec: Some(ServiceSpec {
                type_: Some(type_.to_owned()),
                // Any other node would answer from its own address, which ICE refuses.
                external_traffic_policy: Some("Local".to_owned()),
                // A pod that ends keeps its calls, and so does one whose probes are late.
                publish_not_ready_addresses: Some(true),
                selector: Some(selector_labels(server, of)),
                ports: Some(vec![
                    port(MEDIA_UDP_PORT_NAME, "UDP", port::MEDIA_UDP),
                    port(MEDIA_TCP_PORT_NAME, "TCP", port::MEDIA_TCP),
                ]),
                ..ServiceSpec::default()
            }),
            status: None,
        }
    };
    server.slots.iter().map(build).collect()
}

fn service_port(name: &str, number: i32, protocol: &str, target: &str) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        protocol: Some(protocol.to_owned()),
        target_port: Some(IntOrString::String(target.to_owned())),
        ..ServicePort::default()
    }
}
