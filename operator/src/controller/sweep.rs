//! Deletes CAs whose GrytServer is gone. They live in the operator's namespace, where no owner
//! reference reaches; a finalizer would hold up a tenant's deletion while no operator runs.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use tokio::time::{sleep, timeout};

use crate::context::Context;
use crate::fetch::ServerKey;
use crate::metrics::Verb;
use crate::names;
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

/// The server that the CA names exists and has this id. What we have just written counts: the watch
/// may still show the server without an id. Nobody else with the id does: he takes over no CA, and
/// is refused until this one is gone.
fn is_wanted(ctx: &Context, key: &ServerKey, name: &str) -> bool {
    let server = ctx.server(key).map(|cached| ctx.newest(&cached));
    let id = server.and_then(|server| server.spec.server_id.clone());
    id.is_some_and(|id| names::authority(&id) == name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kube::runtime::watcher::Event;

    use super::*;
    use crate::fixture::{ID, context, server};

    #[tokio::test]
    async fn a_ca_is_kept_whose_id_the_watch_does_not_show_yet() {
        let (ctx, mut servers) = context();
        let mut cached = server("chat");
        cached.metadata.resource_version = Some("1".to_owned());
        cached.spec.server_id = None;
        let key = ServerKey::of(&cached);
        servers.apply_watcher_event(&Event::Apply(cached.clone()));
        assert!(!is_wanted(&ctx, &key, &names::authority(ID)));

        cached.metadata.resource_version = Some("2".to_owned());
        cached.spec.server_id = Some(ID.to_owned());
        ctx.wrote(&Arc::new(cached));
        assert!(is_wanted(&ctx, &key, &names::authority(ID)));
    }

    #[tokio::test]
    async fn a_ca_goes_with_its_server_even_if_another_names_its_id() {
        let (ctx, mut servers) = context();
        let thief = server("thief");
        servers.apply_watcher_event(&Event::Apply(thief.clone()));
        assert!(is_wanted(
            &ctx,
            &ServerKey::of(&thief),
            &names::authority(ID)
        ));
        let gone = ServerKey::of(&server("gone"));
        assert!(!is_wanted(&ctx, &gone, &names::authority(ID)));
    }
}
