//! Builds every object of one server, in one file per kind. Pure: the same server and material
//! give the same bytes, so an idle server costs no write.

mod backends;
mod certificate;
mod config_map;
mod deployment;
mod disruption_budget;
mod http_route;
mod ingress;
mod job;
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

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;

use crate::names::Namespace;
use crate::objects::{Objects, Prepared};
use crate::valid::{Announced, Leaving, Slot, ValidServer};

pub(crate) use job::MIGRATE;
pub use job::{Part, Preparing};
pub use material::{Material, MaterialError, Random, SignIns, Sources, Token};
pub use service::{GRPC_PORT_NAME, MEDIA_TCP_PORT_NAME, MEDIA_UDP_PORT_NAME, WEB_PORT_NAME};

/// The Services, which are all that can be built before the cluster has assigned their ports and
/// addresses.
#[derive(Debug, Clone)]
pub struct Services {
    /// `<server>-sfu-<n>-media`, where media comes by a Service.
    pub media: Vec<Service>,
    /// `<server>-sfu-<n>`, for gRPC.
    pub sfus: Vec<Service>,
    /// `<server>-signaling`.
    pub signaling: Service,
}

/// Builds the Services of `server`.
#[must_use]
pub fn services(server: &ValidServer) -> Services {
    Services {
        media: service::media(server),
        sfus: service::sfus(server),
        signaling: service::signaling(server),
    }
}

/// The Deployments of `server` that can't be built before the cluster has assigned a port or an
/// address.
#[must_use]
pub fn awaited(server: &ValidServer) -> Vec<String> {
    let pending = server.slots.iter().filter(|slot| is_awaited(slot));
    let slots = pending.map(|slot| server.name.sfu_slot(slot.number));
    let signaling = server.origin.is_none().then(|| server.name.signaling());
    slots.chain(signaling).collect()
}

/// Builds every object of `server`. What can't be built before the cluster has assigned a port or
/// an address is left out and named in [`Objects::awaited`].
#[must_use]
pub fn build(server: &ValidServer, material: &Material) -> Objects<Prepared> {
    let placed = |slot: &&_| !is_awaited(slot);
    let Services {
        media,
        sfus,
        signaling,
    } = services(server);
    // A pod that is stopped needs no back end.
    let waits = !server.suspended && !preparing(server, material).is_empty();
    let mut awaited = awaited(server);
    if waits && server.origin.is_some() {
        awaited.push(server.name.signaling());
    }
    Objects {
        authority: secret::authority(server, material),
        backends_record: secret::record(server, material),
        jobs: job::build(server, material),
        service_accounts: service_account::build(server),
        secrets: secret::build(server, material),
        node_addresses: config_map::node_addresses(server),
        volume: (!server.backends.are_shared()).then(|| volume::build(server)),
        network_policies: network_policy::build(server),
        disruption_budgets: disruption_budget::build(server),
        media_services: media,
        sfu_services: sfus,
        signaling_service: signaling,
        certificate: certificate::build(server),
        http_route: http_route::build(server),
        ingress: ingress::build(server),
        sfus: server
            .slots
            .iter()
            .filter(placed)
            .map(|slot| deployment::sfu(server, slot))
            .collect(),
        signaling: (!waits)
            .then(|| deployment::signaling(server, material))
            .flatten(),
        awaited,
        state: PhantomData,
    }
}

/// What has to be done in back ends before signaling may start or change.
#[must_use]
pub fn preparing(server: &ValidServer, material: &Material) -> Vec<Preparing> {
    job::pending(server, material)
        .into_iter()
        .map(|task| task.preparing())
        .collect()
}

/// The Job that removes what a deleted server has in back ends.
#[must_use]
pub fn purge(server: &Leaving, operator_namespace: &Namespace) -> Job {
    job::purge(server, operator_namespace)
}

/// One that is leaving waits for no address: its Deployment only sends its pods away.
fn is_awaited(slot: &Slot) -> bool {
    !slot.leaving && matches!(slot.announced, Announced::Pending(_))
}
