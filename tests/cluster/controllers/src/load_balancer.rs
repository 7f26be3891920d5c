//! Addresses for Services of type LoadBalancer. An address is a route of the host to a node that has
//! an endpoint of the Service; kube-proxy on that node does the rest, also where the Service's
//! externalTrafficPolicy is Local.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::process::Command;
use tracing::info;

use crate::Seen;

pub(crate) struct LoadBalancer {
    client: Client,
    first: Ipv4Addr,
    last: Ipv4Addr,
    /// Service -> its address. Written here first: the next look may still see the Service without.
    given: BTreeMap<(String, String), Ipv4Addr>,
    /// Address -> node, as the host's routes are.
    routes: BTreeMap<Ipv4Addr, Ipv4Addr>,
}

impl LoadBalancer {
    pub(crate) fn new(client: Client, first: Ipv4Addr, last: Ipv4Addr) -> Self {
        Self {
            client,
            first,
            last,
            given: BTreeMap::new(),
            routes: BTreeMap::new(),
        }
    }

    /// Gives and takes back addresses, and leads each to its Service's node.
    pub(crate) async fn reconcile(&mut self, seen: &Seen) -> Result<()> {
        let services: BTreeMap<(String, String), _> = seen
            .services
            .state()
            .into_iter()
            .filter(|service| wants_address(service))
            .map(|service| (key(&service), service))
            .collect();
        self.given.retain(|key, _| services.contains_key(key));
        for (key, service) in &services {
            if let Some(address) = address_of(service) {
                self.given.insert(key.clone(), address);
            }
        }
        for (key, service) in &services {
            if address_of(service).is_some() {
                continue;
            }
            let address = match self.given.get(key) {
                Some(address) => *address,
                None => next_free(self.first, self.last, &self.given)
                    .context("all addresses are given away")?,
            };
            self.given.insert(key.clone(), address);
            self.announce(service, address).await?;
        }
        self.route(seen).await
    }

    async fn announce(&self, service: &Service, address: Ipv4Addr) -> Result<()> {
        let namespace = service.namespace().unwrap_or_default();
        let services: Api<Service> = Api::namespaced(self.client.clone(), &namespace);
        let patch = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        services
            .patch_status(
                &service.name_any(),
                &PatchParams::default(),
                &Patch::Merge(&patch),
            )
            .await
            .context("write the address into the Service")?;
        info!(namespace, service = service.name_any(), %address, "given");
        Ok(())
    }

    async fn route(&mut self, seen: &Seen) -> Result<()> {
        let nodes = node_addresses(&seen.nodes.state());
        let slices = seen.endpoints.state();
        let mut wanted = BTreeMap::new();
        for (key, address) in &self.given {
            let endpoints = slices.iter().filter(|slice| is_of(slice, key));
            let node = best_node(endpoints.flat_map(|slice| &slice.endpoints));
            // Without an endpoint the address stays where it was, as a real one would.
            let stays = self.routes.get(address).or_else(|| nodes.values().next());
            if let Some(node) = node.and_then(|name| nodes.get(&name)).or(stays) {
                wanted.insert(*address, *node);
            }
        }
        for (address, node) in &wanted {
            if self.routes.get(address) != Some(node) {
                ip(&[
                    "route",
                    "replace",
                    &address.to_string(),
                    "via",
                    &node.to_string(),
                ])
                .await?;
                info!(%address, %node, "routed");
            }
        }
        for address in self.routes.keys().filter(|a| !wanted.contains_key(*a)) {
            ip(&["route", "delete", &address.to_string()]).await?;
        }
        self.routes = wanted;
        Ok(())
    }
}

fn key(service: &Service) -> (String, String) {
    (service.namespace().unwrap_or_default(), service.name_any())
}

fn wants_address(service: &Service) -> bool {
    let spec = service.spec.as_ref();
    spec.and_then(|s| s.type_.as_deref()) == Some("LoadBalancer")
        && spec.is_some_and(|s| s.load_balancer_class.is_none())
        && service.metadata.deletion_timestamp.is_none()
}

fn address_of(service: &Service) -> Option<Ipv4Addr> {
    let balancer = service.status.as_ref()?.load_balancer.as_ref()?;
    let ingress = balancer.ingress.as_ref()?.first()?;
    ingress.ip.as_ref()?.parse().ok()
}

fn next_free(
    first: Ipv4Addr,
    last: Ipv4Addr,
    given: &BTreeMap<(String, String), Ipv4Addr>,
) -> Option<Ipv4Addr> {
    (u32::from(first)..=u32::from(last))
        .map(Ipv4Addr::from)
        .find(|address| !given.values().any(|taken| taken == address))
}

fn is_of(slice: &EndpointSlice, (namespace, service): &(String, String)) -> bool {
    slice.metadata.namespace.as_ref() == Some(namespace)
        && slice.labels().get("kubernetes.io/service-name") == Some(service)
}

/// The node of an endpoint that is ready, else of one that still serves while it ends.
fn best_node<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Option<String> {
    let mut best: Option<(u8, &String)> = None;
    for endpoint in endpoints {
        let Some(node) = &endpoint.node_name else {
            continue;
        };
        let conditions = endpoint.conditions.clone().unwrap_or_default();
        let rank = match (
            conditions.terminating == Some(true),
            conditions.ready != Some(false),
            conditions.serving != Some(false),
        ) {
            (false, true, _) => 3,
            (false, false, true) => 2,
            (true, _, true) => 1,
            (_, _, false) => 0,
        };
        if best.is_none_or(|(known, _)| rank > known) {
            best = Some((rank, node));
        }
    }
    best.filter(|(rank, _)| *rank > 0)
        .map(|(_, node)| node.clone())
}

fn node_addresses(nodes: &[std::sync::Arc<Node>]) -> BTreeMap<String, Ipv4Addr> {
    let address = |node: &Node| {
        let addresses = node.status.as_ref()?.addresses.as_ref()?;
        let internal = addresses.iter().find(|a| a.type_ == "InternalIP")?;
        internal.address.parse().ok()
    };
    nodes
        .iter()
        .filter_map(|node| Some((node.name_any(), address(node)?)))
        .collect()
}

async fn ip(args: &[&str]) -> Result<()> {
    let status = Command::new("ip").args(args).status().await;
    let status = status.context("start ip")?;
    ensure!(
        status.success(),
        "`ip {}` ended with {status}",
        args.join(" ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::discovery::v1::EndpointConditions;

    use super::*;

    fn endpoint(node: &str, ready: bool, serving: bool, terminating: bool) -> Endpoint {
        Endpoint {
            node_name: Some(node.to_owned()),
            conditions: Some(EndpointConditions {
                ready: Some(ready),
                serving: Some(serving),
                terminating: Some(terminating),
            }),
            ..Endpoint::default()
        }
    }

    #[test]
    fn an_address_leads_to_a_ready_endpoint_before_one_that_ends() {
        let ending = endpoint("node1", true, true, true);
        let ready = endpoint("node2", true, true, false);
        let gone = endpoint("node3", false, false, true);
        assert_eq!(
            best_node([&ending, &ready].into_iter()).as_deref(),
            Some("node2")
        );
        assert_eq!(
            best_node([&gone, &ending].into_iter()).as_deref(),
            Some("node1")
        );
        assert_eq!(best_node([&gone].into_iter()), None);
    }

    #[test]
    fn the_lowest_free_address_is_given() {
        let first = Ipv4Addr::new(10, 0, 0, 100);
        let last = Ipv4Addr::new(10, 0, 0, 101);
        let mut given = BTreeMap::new();
        assert_eq!(next_free(first, last, &given), Some(first));
        given.insert(("a".to_owned(), "b".to_owned()), first);
        assert_eq!(next_free(first, last, &given), Some(last));
        given.insert(("a".to_owned(), "c".to_owned()), last);
        assert_eq!(next_free(first, last, &given), None);
    }
}
