//! The SFU slots and what each announces: always what the cluster really assigned.

mod ports;

use std::collections::{BTreeMap, BTreeSet};

use gryt_model::ServerId;

use crate::class::ResolvedClass;
use crate::crd::{MAX_SFUS, MediaType};
use crate::observed::{DeploymentSeen, Observed};
use crate::refusal::Refusal;
use crate::valid::{Announced, Pending, Slot, SlotPorts};

/// The port of a load balancer: the Service's own.
const SERVICE_PORT: i32 = 8081;

pub(super) fn slots(
    observed: &Observed,
    id: &ServerId,
    class: &ResolvedClass,
) -> Result<Vec<Slot>, Refusal> {
    let wanted = 0..observed.server.spec.sfu.replicas.clamp(1, MAX_SFUS);
    let leaving = leaving(observed, wanted.end);
    let media = class.spec.exposure.media.type_;
    let on_nodes = match media {
        MediaType::NodePort | MediaType::LoadBalancer => BTreeMap::new(),
        MediaType::HostPort | MediaType::HostNetwork => {
            ports::of_nodes(observed, id, class, (wanted.clone(), &leaving))?
        }
    };
    let slot = |number| {
        let port = on_nodes.get(&number).copied();
        let announced = match media {
            MediaType::NodePort => node_port(observed, number),
            MediaType::LoadBalancer => load_balancer(observed, number),
            MediaType::HostPort | MediaType::HostNetwork => port.map_or(
                // Only of one that is leaving, whose port nobody asks for any more.
                Announced::Pending(Pending::NodePort { before: None }),
                |port| Announced::NodeAddress { port },
            ),
        };
        let ports = port.filter(|_| media == MediaType::HostNetwork);
        Slot {
            number,
            leaving: number >= wanted.end,
            image: None,
            ports: ports.map_or_else(SlotPorts::default, |port| SlotPorts {
                media: port,
                grpc: port + 1,
                probes: port + 2,
            }),
            announced,
        }
    };
    Ok(wanted
        .clone()
        .chain(leaving.iter().copied())
        .map(slot)
        .collect())
}

/// Slots that are no longer asked for and of which something runs, or may be about to. Anybody may
/// label pods, so numbers that no slot ever had are left out.
fn leaving(observed: &Observed, from: i32) -> BTreeSet<i32> {
    let children = &observed.children;
    let runs = |seen: &DeploymentSeen| {
        seen.wanted > 0 || seen.replicas > 0 || seen.observed_generation < seen.generation
    };
    let deployments = children.sfus.iter().filter(|(_, seen)| runs(seen));
    let pods = children.pods.iter().filter(|pod| pod.may_have_calls());
    let numbers = deployments
        .map(|(number, _)| *number)
        .chain(pods.filter_map(|pod| pod.slot));
    numbers
        .filter(|number| (from..MAX_SFUS).contains(number))
        .collect()
}

fn node_port(observed: &Observed, slot: i32) -> Announced {
    let service = observed.children.media_services.get(&slot);
    let port = service
        .filter(|service| service.type_ == "NodePort")
        .and_then(|service| service.node_ports.values().next());
    match port {
        Some(port) => Announced::NodeAddress { port: *port },
        None => Announced::Pending(Pending::NodePort {
            before: shown_port(observed, MediaType::NodePort, slot),
        }),
    }
}

fn load_balancer(observed: &Observed, slot: i32) -> Announced {
    let service = observed.children.media_services.get(&slot);
    let Some(service) = service.filter(|service| service.type_ == "LoadBalancer") else {
        return Announced::Pending(Pending::LoadBalancer);
    };
    if !service.addresses.is_empty() {
        return Announced::Fixed {
            addresses: service.addresses.clone(),
            port: SERVICE_PORT,
        };
    }
    if service.hostnames.is_empty() {
        Announced::Pending(Pending::LoadBalancer)
    } else {
        Announced::Pending(Pending::LoadBalancerHostname)
    }
}

/// The port that the status shows, if it is one of this kind.
fn shown_port(observed: &Observed, media: MediaType, slot: i32) -> Option<i32> {
    let status = observed.server.status.as_ref()?;
    let exposure = status.exposure.as_ref()?;
    let shown = status.media.iter().find(|seen| seen.slot == slot)?;
    shown.port.filter(|_| exposure.media == media)
}
