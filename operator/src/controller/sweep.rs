//! Deletes CAs and Jobs whose GrytServer is gone. They live in the operator's namespace, where no owner
//! reference reaches; a finalizer would hold up a tenant's deletion while no operator runs.

use std::time::Duration;

use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use tokio::time::{sleep, timeout};

use crate::context::Context;
use crate::fetch::ServerKey;
use crate::fetch::object::Object;
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
    let authorities = ctx.live.authorities().into_iter();
    let authorities = authorities.filter(|(key, name, _)| !is_wanted(ctx, key, name));
    let jobs = ctx.live.jobs().into_iter();
    let jobs = jobs.filter(|(key, ..)| ctx.server(key).is_none());
    let orphans = authorities
        .map(|found| (Child::Secret, found))
        .chain(jobs.map(|found| (Child::Job, found)));
    for (kind, (key, name, uid)) in orphans {
        let namespace = ctx.namespace.as_str();
        let resource = kind.api_resource();
        let api: Api<Object> = Api::namespaced_with(ctx.client.clone(), namespace, &resource);
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.clone()),
            resource_version: None,
        });
        let deleted = timeout(DELETE_LIMIT, api.delete(&name, &params)).await;
        ctx.metrics.wrote(kind, Verb::Delete);
        match deleted {
            Ok(Ok(_)) => tracing::info!(?kind, name, "deleted what a server left that is gone"),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409) => {}
            Ok(Err(error)) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    ?kind,
                    name,
                    error,
                    "something of a server that is gone stays"
                );
                continue;
            }
            Err(_elapsed) => continue,
        }
        ctx.live.remove(&key, kind, &name, &uid);
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
