//! The ports of nodes that a server's SFUs take: each its own, so that several may run on one node.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use gryt_model::ServerId;

use super::shown_port;
use crate::claims::{is_older, ports_per_slot};
use crate::class::ResolvedClass;
use crate::crd::PortRange;
use crate::observed::Observed;
use crate::refusal::{Reason, Refusal};

/// The first port of each slot: of all that are `wanted`, and of those that are `leaving` and have
/// one.
///
/// A slot keeps the port that the status shows, as long as no older server shows it too; else it
/// takes the first free one, counted from a place that the server's id gives, so that two servers
/// that choose at the same time rarely meet. If they do, the scheduler keeps them on different
/// nodes, and the status of each, which shows it, wakes the other: the younger moves.
pub(super) fn of_nodes(
    observed: &Observed,
    id: &ServerId,
    class: &ResolvedClass,
    (wanted, leaving): (Range<i32>, &BTreeSet<i32>),
) -> Result<BTreeMap<i32, i32>, Refusal> {
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
    let shown = |slot: &i32| Some((*slot, shown_port(observed, media.type_, *slot)?));
    // Pods hold these until they are gone, whoever else may want them.
    let mut ports: BTreeMap<i32, i32> = leaving.iter().filter_map(shown).collect();
    for (slot, port) in wanted.clone().filter_map(|slot| shown(&slot)) {
        let fits = port >= range.first && port + count - 1 <= range.last;
        let mut older = claims
            .iter()
            .filter(|claim| is_older(claim.created.as_ref(), &claim.uid, &observed.server));
        let lost = older.any(|claim| claim.overlaps(port, count));
        if fits && !lost && !meets(&ports, port, count) {
            ports.insert(slot, port);
        }
    }
    let taken = |ports: &BTreeMap<i32, i32>, port: i32| {
        meets(ports, port, count) || claims.iter().any(|claim| claim.overlaps(port, count))
    };
    for slot in wanted.clone() {
        if ports.contains_key(&slot) {
            continue;
        }
        let Some(port) = first_free(range, count, id, |port| taken(&ports, port)) else {
            return Err(no_free_port(class, range, wanted.end));
        };
        ports.insert(slot, port);
    }
    Ok(ports)
}

/// Whether another slot of the same server has one of the `count` ports from `port` on.
fn meets(ports: &BTreeMap<i32, i32>, port: i32, count: i32) -> bool {
    ports
        .values()
        .any(|other| *other < port + count && port < *other + count)
}

fn no_free_port(class: &ResolvedClass, range: PortRange, sfus: i32) -> Refusal {
    let PortRange { first, last } = range;
    let title = class.title();
    let message = if sfus == 1 {
        format!(
            "All ports from {first} to {last} of {title} are held by other servers: widen exposure.media.ports."
        )
    } else {
        format!(
            "The ports from {first} to {last} of {title} that other servers leave are too few for {sfus} SFUs: lower spec.sfu.replicas, or widen exposure.media.ports."
        )
    };
    Refusal::new(Reason::NoFreePort, message)
}

fn first_free(
    range: PortRange,
    count: i32,
    id: &ServerId,
    taken: impl Fn(i32) -> bool,
) -> Option<i32> {
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
        .find(|port| !taken(*port))
}
