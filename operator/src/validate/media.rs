//! The SFU slots and what each announces: always what the cluster really assigned.

use gryt_model::ServerId;

use crate::claims::{is_older, ports_per_slot};
use crate::class::ResolvedClass;
use crate::crd::{MediaType, PortRange};
use crate::observed::{HostPortClaim, Observed, ServiceSeen};
use crate::refusal::{Reason, Refusal};
use crate::valid::{Announced, Pending, Slot, SlotPorts};

/// The port of a load balancer: the Service's own.
const SERVICE_PORT: i32 = 8081;

pub(super) fn slots(
    observed: &Observed,
    id: &ServerId,
    class: &ResolvedClass,
) -> Result<Vec<Slot>, Refusal> {
    let number = 0;
    let service = observed.children.media_services.get(&number);
    let media = &class.spec.exposure.media;
    let slot = match media.type_ {
        MediaType::NodePort => Slot {
            number,
            ports: SlotPorts::default(),
            announced: node_port(observed, number),
        },
        MediaType::LoadBalancer => Slot {
            number,
            ports: SlotPorts::default(),
            announced: load_balancer(service),
        },
        MediaType::HostPort => {
            let port = host_port(observed, id, class, number)?;
            Slot {
                number,
                ports: SlotPorts::default(),
                announced: Announced::NodeAddress { port },
            }
        }
        MediaType::HostNetwork => {
            let port = host_port(observed, id, class, number)?;
            Slot {
                number,
                ports: SlotPorts {
                    media: port,
                    grpc: port + 1,
                    probes: port + 2,
                },
                announced: Announced::NodeAddress { port },
            }
        }
    };
    Ok(vec![slot])
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

fn load_balancer(service: Option<&ServiceSeen>) -> Announced {
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

/// Keeps the port that the status shows, as long as no older server shows it too; else takes the
/// first free one, counted from a place that the server's id gives, so that two servers that
/// choose at the same time rarely meet. If they do, the scheduler keeps them on different nodes,
/// and the status of each, which shows it, wakes the other: the younger moves.
fn host_port(
    observed: &Observed,
    id: &ServerId,
    class: &ResolvedClass,
    slot: i32,
) -> Result<i32, Refusal> {
    let media = &class.spec.exposure.media;
    let Some(range) = media.ports else {
        return Err(Refusal::new(
            Reason::PortRangeRequired,
            format!(
                "{} exposes media by ports of the nodes and gives none: set exposure.media.ports.",
                class.title()
            ),
        ));
    };
    let count = ports_per_slot(media.type_);
    let claims = &observed.claims.host_ports;
    if let Some(port) = kept_port(observed, media.type_, range, slot) {
        let mut older = claims
            .iter()
            .filter(|claim| is_older(claim.created.as_ref(), &claim.uid, &observed.server));
        if !older.any(|claim| claim.overlaps(port, count)) {
            return Ok(port);
        }
    }
    free_port(range, count, id, claims).ok_or_else(|| {
        Refusal::new(
            Reason::NoFreePort,
            format!(
                "All ports from {} to {} of {} are held by other servers: widen exposure.media.ports.",
                range.first,
                range.last,
                class.title()
            ),
        )
    })
}

fn kept_port(observed: &Observed, media: MediaType, range: PortRange, slot: i32) -> Option<i32> {
    let port = shown_port(observed, media, slot)?;
    let fits = port >= range.first && port + ports_per_slot(media) - 1 <= range.last;
    fits.then_some(port)
}

/// The port that the status shows, if it is one of this kind.
fn shown_port(observed: &Observed, media: MediaType, slot: i32) -> Option<i32> {
    let status = observed.server.status.as_ref()?;
    let exposure = status.exposure.as_ref()?;
    let shown = status.media.iter().find(|seen| seen.slot == slot)?;
    shown.port.filter(|_| exposure.media == media)
}

fn free_port(range: PortRange, count: i32, id: &ServerId, claims: &[HostPortClaim]) -> Option<i32> {
    let places = (range.last - range.first + 1) / count;
    if places < 1 {
        return None;
    }
    // A polynomial of the id's characters; any even spread would do.
    let spread = id.as_str().bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let start = i32::try_from(spread % places.unsigned_abs()).unwrap_or(0);
    (0..places)
        .map(|step| range.first + (start + step) % places * count)
        .find(|port| !claims.iter().any(|claim| claim.overlaps(*port, count)))
}
