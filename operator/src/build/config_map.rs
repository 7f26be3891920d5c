//! ConfigMap: at which address browsers reach each node, where that isn't the node's own.

use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata::{Of, child};
use crate::observed::Component;
use crate::valid::ValidServer;

/// The file in the ConfigMap, in lines of `<node> <address>`.
pub(super) const FILE: &str = "nodes";

/// A pod reads the file when it starts and finds its own node there, so a node that joins costs
/// no running pod a restart.
pub(super) fn node_addresses(server: &ValidServer) -> Option<ConfigMap> {
    let addresses = &server.class.spec.exposure.media.node_addresses;
    if addresses.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = addresses
        .iter()
        .map(|entry| format!("{} {}\n", entry.node, entry.address))
        .collect();
    lines.sort();
    Some(ConfigMap {
        metadata: child(server, server.name.nodes(), Of::Component(Component::Sfu)),
        data: Some([(FILE.to_owned(), lines.concat())].into()),
        ..ConfigMap::default()
    })
}
