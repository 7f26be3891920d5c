//! PodDisruptionBudgets. One pod may always go: a budget that keeps a single replica blocks the
//! drain of its node for ever.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::{Of, child, selector};
use crate::observed::Component;
use crate::valid::ValidServer;

pub(super) fn build(server: &ValidServer) -> Vec<PodDisruptionBudget> {
    let names = [
        (server.name.signaling(), Component::Signaling),
        (server.name.sfu(), Component::Sfu),
    ];
    names
        .into_iter()
        .map(|(name, component)| {
            let of = Of::Component(component);
            PodDisruptionBudget {
                metadata: child(server, name, of),
                spec: Some(PodDisruptionBudgetSpec {
                    max_unavailable: Some(IntOrString::Int(1)),
                    selector: Some(selector(server, of)),
                    // A pod that is broken anyway holds up nobody.
                    unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
                    ..PodDisruptionBudgetSpec::default()
                }),
                status: None,
            }
        })
        .collect()
}
