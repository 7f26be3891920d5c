//! The end of a server that has something in back ends: its finalizer, and what happens before that
//! is given up. Its processes stop, a Job removes what is there, then the GrytServer may go.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::json;
use tokio::time::timeout;

use super::reconcile::{Done, Error, answer, now, report, servers};
use crate::apply::{FIELD_MANAGER, WRITE_LIMIT, apply_job};
use crate::build::purge;
use crate::context::Context;
use crate::crd::{DeletionPolicy, GrytServer, SKIP_PURGE_ANNOTATION};
use crate::fetch::object::Object;
use crate::fetch::{ServerKey, fetch};
use crate::metrics::{Kind, ReconcileResult, Verb};
use crate::names;
use crate::objects::Child;
use crate::observed::{Component, Observed};
use crate::record;
use crate::status::{Departure, Facts, Outcome, status};
use crate::validate::leaving;

/// Holds a GrytServer until nothing of it is left in back ends.
const FINALIZER: &str = "gryt.chat/backends";
/// What is written to, in words.
const FINALIZERS: &str = "metadata.finalizers";
const STOP: &str = "the number of signaling pods";
const RECORD: &str = "the record of the back ends";
/// A look at what stands in the way: not all of it is watched.
const AGAIN: Duration = Duration::from_secs(10);

/// Whether the server waits for us.
pub(super) fn is_held(server: &GrytServer) -> bool {
    server.finalizers().iter().any(|held| held == FINALIZER)
}

/// Holds the server, or doesn't, as its policy says. Before anything is made in a back end.
pub(super) async fn hold(
    ctx: &Context,
    server: Arc<GrytServer>,
    keeps_something: bool,
) -> Result<Arc<GrytServer>, Error> {
    let wanted = keeps_something && server.spec.deletion_policy == DeletionPolicy::Delete;
    if wanted == is_held(&server) {
        return Ok(server);
    }
    set_held(ctx, &server, wanted).await
}

async fn set_held(
    ctx: &Context,
    server: &GrytServer,
    held: bool,
) -> Result<Arc<GrytServer>, Error> {
    let others = server.finalizers().iter().filter(|held| *held != FINALIZER);
    let mut finalizers: Vec<&str> = others.map(String::as_str).collect();
    if held {
        finalizers.push(FINALIZER);
    }
    // The list is written as a whole: the version makes sure that nobody's part of it is lost.
    let patch = json!({"metadata": {
        "resourceVersion": server.resource_version(),
        "finalizers": finalizers,
    }});
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let (api, name) = (servers(ctx, server), server.name_any());
    let patch = Patch::Merge(&patch);
    let written = timeout(WRITE_LIMIT, api.patch(&name, &params, &patch)).await;
    ctx.metrics.wrote(Kind::GrytServer, Verb::Patch);
    let written = Arc::new(answer(FINALIZERS, written)?);
    ctx.wrote(&written);
    Ok(written)
}

/// Clears the back ends of a server that is being deleted, and lets it go.
pub(super) async fn clear(
    ctx: &Context,
    key: &ServerKey,
    server: &Arc<GrytServer>,
) -> Result<Done, Error> {
    let skip = server.annotations().get(SKIP_PURGE_ANNOTATION);
    let retained = server.spec.deletion_policy == DeletionPolicy::Retain;
    if retained || skip.is_some_and(|value| value == "true") {
        tracing::info!(server = %key.name, "leaves what the server has in back ends");
        return let_go(ctx, server).await;
    }
    let observed = fetch(ctx, server).await.map_err(Error::Fetch)?;
    let record = observed.own_secrets.backends.as_ref();
    let owner = record.and_then(|record| record.contents.annotations.get(record::SERVER_UID));
    // Nothing was made, or all is removed, or it is another's.
    if owner.is_none() || owner != server.metadata.uid.as_ref() {
        return let_go(ctx, server).await;
    }
    if stop(ctx, key, &observed).await? {
        let departure = Departure::stopping();
        return tell(ctx, &observed, &departure).await;
    }
    let leaving = match leaving(&observed, &ctx.defaults) {
        Ok(leaving) => leaving,
        Err(refusals) => {
            let departure = Departure::blocked(&refusals);
            return tell(ctx, &observed, &departure).await;
        }
    };
    let job = purge(&leaving, &ctx.namespace);
    let name = job.name_any();
    let seen = observed.children.jobs.get(&name);
    if seen.is_some_and(|job| job.complete) {
        forget(ctx, key, &observed).await?;
        return let_go(ctx, server).await;
    }
    let uid = server.uid().unwrap_or_default();
    let applied = Box::pin(apply_job(ctx, key, &uid, &job)).await;
    applied.map_err(Error::Apply)?;
    let departure = Departure::clearing(&name, failure(&observed, &name).as_deref());
    tell(ctx, &observed, &departure).await
}

/// Why the Job doesn't come to its end, as far as that is known.
fn failure(observed: &Observed, job: &str) -> Option<String> {
    let mut pods = observed.children.job_pods.iter();
    let pod = pods.find(|pod| pod.job == job)?;
    let failure = pod.failure.as_ref().map(|failure| failure.said.clone());
    // Kubelets count seconds in their messages: the reason holds still.
    let trouble = pod.trouble.as_ref();
    failure.or_else(|| Some(format!("its pod doesn't start: {}", trouble?.reason)))
}

/// Ends the processes that write to back ends. Returns whether there still are any.
async fn stop(ctx: &Context, key: &ServerKey, observed: &Observed) -> Result<bool, Error> {
    let children = &observed.children;
    let wanted = children.signaling.as_ref().map_or(0, |seen| seen.wanted);
    if wanted > 0 {
        let resource = Child::Deployment.api_resource();
        let client = ctx.client.clone();
        let api: Api<Object> = Api::namespaced_with(client, &key.namespace, &resource);
        let name = format!("{}-signaling", key.name);
        let patch = json!({"spec": {"replicas": 0}});
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(&patch);
        let stopped = timeout(WRITE_LIMIT, api.patch(&name, &params, &patch)).await;
        ctx.metrics.wrote(Child::Deployment, Verb::Patch);
        is_there(answer(STOP, stopped))?;
    }
    let mut pods = children.pods.iter();
    let runs = pods.any(|pod| pod.component == Component::Signaling && !pod.ended);
    Ok(wanted > 0 || runs)
}

/// Nothing is left that the record could be of.
async fn forget(ctx: &Context, key: &ServerKey, observed: &Observed) -> Result<(), Error> {
    let id = observed.server.spec.server_id.as_deref();
    let name = names::backends(id.unwrap_or_default());
    let Some(live) = ctx.live.one(key, Child::Secret, &name) else {
        return Ok(());
    };
    let api: Api<Secret> = Api::namespaced(ctx.client.clone(), ctx.namespace.as_str());
    let params = DeleteParams::background().preconditions(Preconditions {
        uid: Some(live.uid.clone()),
        resource_version: None,
    });
    let deleted = timeout(WRITE_LIMIT, api.delete(&name, &params)).await;
    ctx.metrics.wrote(Child::Secret, Verb::Delete);
    is_there(answer(RECORD, deleted))?;
    ctx.live.remove(key, Child::Secret, &name, &live.uid);
    Ok(())
}

/// What is gone already needs no more.
fn is_there<T>(answered: Result<T, Error>) -> Result<Option<T>, Error> {
    match answered {
        Err(Error::WriteServer {
            source: kube::Error::Api(status),
            ..
        }) if status.code == 404 => Ok(None),
        answered => answered.map(Some),
    }
}

async fn let_go(ctx: &Context, server: &GrytServer) -> Result<Done, Error> {
    is_there(set_held(ctx, server, false).await)?;
    Ok(Done::new(ReconcileResult::Applied, AGAIN))
}

async fn tell(ctx: &Context, observed: &Observed, departure: &Departure) -> Result<Done, Error> {
    let facts = Facts {
        server: &observed.server,
        outcome: Outcome::Leaving(departure),
        children: &observed.children,
        named_secrets: &observed.named_secrets,
        probes: &BTreeMap::new(),
        vantage: "",
        held: false,
        preparing: &[],
    };
    report(ctx, &observed.server, status(&facts, now())).await?;
    let result = match departure.stalled {
        true => ReconcileResult::Refused,
        false => ReconcileResult::Applied,
    };
    Ok(Done::new(result, AGAIN))
}
