//! Builds every object of one server, in one file per kind. Pure: the same server and material
//! give the same bytes, so an idle server costs no write.

mod certificate;
mod config_map;
mod deployment;
mod disruption_budget;
mod http_route;
mod ingress;
mod material;
mod metadata;
mod network_policy;
mod pod;
mod secret;
mod service;
mod service_account;
#[cfg(test)]
mod tests;
mod volume;

use std::marker::PhantomData;

use crate::objects::{Objects, Prepared};
use crate::valid::{Announced, ValidServer};

pub use material::{Material, MaterialError, OwnerToken, Sources};
pub use metadata::{METRICS_LABEL, SLOT_LABEL};
pub use service::{GRPC_PORT_NAME, MEDIA_TCP_PORT_NAME, MEDIA_UDP_PORT_NAME, WEB_PORT_NAME};

/// Builds every object of `server`. What can't be built before the cluster has assigned a port or
/// an address is left out and named in [`Objects::awaited`].
#[must_use]
pub fn build(server: &ValidServer, material: &Material) -> Objects<Prepared> {
    let placed = |slot: &&_| !is_pending(slot);
    let mut awaited: Vec<String> = server
        .slots
        .iter()
        .filter(|slot| is_pending(slot))
        .map(|slot| server.name.sfu_slot(slot.number))
        .collect();
    let signaling = deployment::signaling(server);
    if signaling.is_none() {
        awaited.push(server.name.signaling());
    }
    Objects {
        authority: secret::authority(server, material),
        service_accounts: service_account::build(server),
        secrets: secret::build(server, material),
        node_addresses: config_map::node_addresses(server),
        volume: volume::build(server),
        network_policies: network_policy::build(server),
        disruption_budgets: disruption_budget::build(server),
        media_services: service::media(server),
        sfu_services: service::sfus(server),
        signaling_service: service::signaling(server),
        certificate: certificate::build(server),
        http_route: http_route::build(server),
        ingress: ingress::build(server),
        sfus: server
            .slots
            .iter()
            .filter(placed)
            .map(|slot| deployment::sfu(server, slot))
            .collect(),
        signaling,
        awaited,
        state: PhantomData,
    }
}

fn is_pending(slot: &crate::valid::Slot) -> bool {
    matches!(slot.announced, Announced::Pending(_))
}
