//! Deployments: signaling, and one per SFU slot.

mod sfu;
mod signaling;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata::{Of, selector};
use crate::valid::ValidServer;

pub(super) use sfu::build as sfu;
pub(super) use signaling::build as signaling;

/// How many ReplicaSets are kept: the operator, not `kubectl rollout undo`, goes back.
const REVISIONS: i32 = 2;

fn deployment(
    server: &ValidServer,
    metadata: ObjectMeta,
    of: Of,
    (replicas, strategy, template): (i32, DeploymentStrategy, PodTemplateSpec),
) -> Deployment {
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(if server.suspended { 0 } else { replicas }),
            revision_history_limit: Some(REVISIONS),
            selector: selector(server, of),
            strategy: Some(strategy),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}
