//! NetworkPolicies: nothing may in or out of the pods but what is listed here. Probes need no
//! road, since a node always reaches its own pods.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{Of, child, selector};
use super::pod::port;
use crate::crd::MediaType;
use crate::labels::METRICS_LABEL;
use crate::observed::Component;
use crate::valid::{SlotPorts, ValidBackends, ValidServer};

const SIGNALING: Of = Of::Component(Component::Signaling);
const SFU: Of = Of::Component(Component::Sfu);

pub(super) fn build(server: &ValidServer) -> Vec<NetworkPolicy> {
    vec![signaling(server), sfu(server)]
}

fn signaling(server: &ValidServer) -> NetworkPolicy {
    let grpc = ports_of(server, |ports| ports.grpc);
    // A pod in its node's network is no pod to a policy, so only the port can be named.
    let sfus = match server.media_type() {
        MediaType::HostNetwork => None,
        MediaType::NodePort | MediaType::LoadBalancer | MediaType::HostPort => {
            Some(vec![pods(server, SFU)])
        }
    };
    let to_sfus = NetworkPolicyEgressRule {
        to: sfus,
        ports: Some(tcp(&grpc)),
    };
    let to_names = NetworkPolicyEgressRule {
        to: None,
        ports: Some(vec![open("UDP", 53), open("TCP", 53)]),
    };
    let mut egress = vec![to_sfus, to_names];
    let back_ends = backend_ports(server);
    if !back_ends.is_empty() {
        // Wherever they are: inside of the cluster or not, they are named by host names.
        egress.push(NetworkPolicyEgressRule {
            to: None,
            ports: Some(tcp(&back_ends)),
        });
    }
    let ingress = vec![
        from_everywhere(vec![open("TCP", port::SIGNALING_HTTP)]),
        from_metrics(vec![open("TCP", port::SIGNALING_PROBES)]),
    ];
    let metadata = child(server, server.name.signaling(), SIGNALING);
    policy(server, metadata, SIGNALING, (ingress, egress))
}

/// An SFU answers and never begins a conversation.
fn sfu(server: &ValidServer) -> NetworkPolicy {
    let media = ports_of(server, |ports| ports.media);
    let media = media
        .iter()
        .flat_map(|number| [open("UDP", *number), open("TCP", *number)]);
    let from_signaling = NetworkPolicyIngressRule {
        from: Some(vec![pods(server, SIGNALING)]),
        ports: Some(tcp(&ports_of(server, |ports| ports.grpc))),
    };
    let ingress = vec![
        from_everywhere(media.collect()),
        from_signaling,
        from_metrics(tcp(&ports_of(server, |ports| ports.probes))),
    ];
    let metadata = child(server, server.name.sfu(), SFU);
    policy(server, metadata, SFU, (ingress, Vec::new()))
}

type Roads = (Vec<NetworkPolicyIngressRule>, Vec<NetworkPolicyEgressRule>);

fn policy(
    server: &ValidServer,
    metadata: ObjectMeta,
    of: Of,
    (ingress, egress): Roads,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector(server, of)),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress),
        }),
    }
}

fn from_everywhere(ports: Vec<NetworkPolicyPort>) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule {
        from: None,
        ports: Some(ports),
    }
}

fn from_metrics(ports: Vec<NetworkPolicyPort>) -> NetworkPolicyIngressRule {
    let labels = [(METRICS_LABEL.to_owned(), "true".to_owned())].into();
    NetworkPolicyIngressRule {
        from: Some(vec![NetworkPolicyPeer {
            namespace_selector: Some(LabelSelector {
                match_labels: Some(labels),
                match_expressions: None,
            }),
            ..NetworkPolicyPeer::default()
        }]),
        ports: Some(ports),
    }
}

fn pods(server: &ValidServer, of: Of) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(selector(server, of)),
        ..NetworkPolicyPeer::default()
    }
}

fn backend_ports(server: &ValidServer) -> BTreeSet<i32> {
    let ValidBackends {
        redis,
        cql,
        issuers,
        progress: _,
    } = &server.backends;
    let redis = redis.iter().flat_map(|redis| &redis.ports);
    let cql = cql.iter().flat_map(|cql| &cql.ports);
    let issuers = issuers.iter().map(|issuer| &issuer.port);
    redis.chain(cql).chain(issuers).copied().collect()
}

fn ports_of(server: &ValidServer, port: impl Fn(&SlotPorts) -> i32) -> BTreeSet<i32> {
    server.slots.iter().map(|slot| port(&slot.ports)).collect()
}

fn tcp(numbers: &BTreeSet<i32>) -> Vec<NetworkPolicyPort> {
    numbers.iter().map(|number| open("TCP", *number)).collect()
}

fn open(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number)),
        end_port: None,
    }
}
