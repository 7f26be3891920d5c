//! Deletes CAs whose GrytServer is gone. They live in the operator's namespace, where no owner
//! reference reaches; a finalizer would hold up a tenant's deletion while no operator runs.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use kube::runtime::reflector::ObjectRef;
use tokio::time::{sleep, timeout};

use crate::context::Context;
use crate::crd::GrytServer;
use crate::fetch::{ServerKey, authority_name};
use crate::metrics::Verb;
use crate::objects::Child;

/// Looks again this often by itself: a deletion may have failed.
const EVERY: Duration = Duration::from_secs(60);
/// After a server went: a reconcile of it may still be writing.
const SETTLE: Duration = Duration::from_millis(500);
const DELETE_LIMIT: Duration = Duration::from_secs(10);

/// Sweeps until it is dropped.
pub(super) async fn run(ctx: &Context) {
    let mut synced = ctx.synced.clone();
    if synced.wait_for(|synced| *synced).await.is_err() {
        return;
    }
    loop {
        sweep(ctx).await;
        let _woken_or_time = timeout(EVERY, ctx.sweep.notified()).await;
        sleep(SETTLE).await;
    }
}

async fn sweep(ctx: &Context) {
    for (key, name, uid) in ctx.live.authorities() {
        if is_wanted(ctx, &key, &name) {
            continue;
        }
        let secrets: Api<Secret> = Api::namespaced(ctx.client.clone(), ctx.namespace.as_str());
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.clone()),
            resource_version: None,
        });
        let deleted = timeout(DELETE_LIMIT, secrets.delete(&name, &params)).await;
        ctx.metrics.wrote(Child::Secret, Verb::Delete);
        match deleted {
            Ok(Ok(_)) => tracing::info!(name, "deleted the CA of a server that is gone"),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {}
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(name, error, "the CA of a server that is gone stays");
                continue;
            }
            Err(_elapsed) => continue,
        }
        ctx.live.remove(&key, Child::Secret, &name, &uid);
    }
}

/// A server with this id exists, whatever its name: a kept id may have moved.
fn is_wanted(ctx: &Context, key: &ServerKey, name: &str) -> bool {
    let has = |server: &GrytServer| {
        let id = server.spec.server_id.as_deref();
        id.is_some_and(|id| authority_name(id) == name)
    };
    let named = ObjectRef::new(&key.name).within(&key.namespace);
    ctx.servers.get(&named).is_some_and(|server| has(&server)) || ctx.servers.find(has).is_some()
}
