//! The road of one server: fetch > validate > build > apply > status. Safe to stop after any line
//! and to run again.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinError;
use tokio::time::timeout;

use super::prober::MediaAddress;
use super::purge;
use super::rollouts::{self, Turn};
use crate::apply::{self, FIELD_MANAGER, WRITE_LIMIT, apply, apply_services};
use crate::build::{
    Material, MaterialError, Preparing, Random, Sources, awaited, build, preparing, services,
};
use crate::context::Context;
use crate::crd::{GrytServer, GrytServerStatus, PAUSED_ANNOTATION};
use crate::events::notices;
use crate::fetch::{self, ServerKey, fetch};
use crate::metrics::{Kind, ReconcileResult, Verb};
use crate::objects::{Objects, Prepared};
use crate::observed::{Children, NamedSecrets, Observed, PodSeen};
use crate::refusal::Refusals;
use crate::secrets::{DrawError, draw, draw_server_id};
use crate::status::{Facts, Outcome, Setback, Step, media_addresses, status};
use crate::valid::{Tls, ValidServer};
use crate::validate::validate;

/// A look without any reason, for what no watch shows.
const RESYNC: Duration = Duration::from_secs(3600);
/// A look at what was refused: most causes are watched, foreign Secrets are not.
const REFUSED_AGAIN: Duration = Duration::from_secs(10);
/// A look at Secrets of others that the server uses, for renewed certificates.
const NAMED_AGAIN: Duration = Duration::from_secs(300);
/// A reconcile that takes longer is broken off. Most take well under a second.
const LIMIT: Duration = Duration::from_secs(120);
/// The same for telling how it failed.
const TELL_LIMIT: Duration = Duration::from_secs(30);
/// How often build may run again because the cluster assigned something at once.
const PASSES: usize = 3;
/// What is written to, in words.
const STATUS: &str = "the status";
const SERVER_ID: &str = "spec.serverId";
/// How people are told of a call without an answer: the client's own words differ each time.
const UNREACHABLE: &str = "the API server can't be reached or gave no answer in time";
/// Where probes come from, for people.
const VANTAGE: &str = "the operator's pod";

/// A reconcile that did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// What the server names could not be read.
    #[error("fetch")]
    Fetch(#[source] fetch::Error),
    /// No randomness.
    #[error("draw an id or a token")]
    Draw(#[source] DrawError),
    /// Certificates or tokens could not be made.
    #[error("provide certificates and tokens")]
    Provide(#[source] MaterialError),
    /// A child could not be written.
    #[error("apply")]
    Apply(#[source] apply::Error),
    /// The API server refuses a child for good, and the status says so.
    #[error("apply")]
    Refused(#[source] apply::Error),
    /// The server itself could not be written.
    #[error("write {what}")]
    WriteServer {
        /// Its spec or its status.
        what: &'static str,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The API server did not answer in time.
    #[error("write {0}: no answer in time")]
    Unanswered(&'static str),
    /// It came to no end.
    #[error("no end after {} s", LIMIT.as_secs())]
    TimedOut,
    /// A bug: the reconcile panicked.
    #[error("the reconcile broke off")]
    Crashed(#[source] JoinError),
}

impl Error {
    /// The error and its causes in one line. What the API server answered is cut to its sentence.
    pub(super) fn told(&self) -> String {
        if let Self::Apply(error) | Self::Refused(error) = self
            && let Some(status) = error.refusal()
        {
            return format!("{error}: {}", status.message);
        }
        let mut told = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            told = format!("{told}: {error}");
            cause = error.source();
        }
        told
    }

    /// Whether the cause may go away without any news that would bring us back: a quota, a policy,
    /// a Secret of others.
    pub(super) fn may_heal_unseen(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Provide(_))
    }

    /// What the status says about it. Nothing about what it says already, about conflicts, which
    /// the next try settles, and about a status that can't be written.
    fn setback(&self) -> Option<Setback> {
        let said = |status: Option<&kube::core::Status>| {
            let said = status.map_or(UNREACHABLE, |status| status.message.as_str());
            said.trim_end_matches('.').to_owned()
        };
        let (step, trouble) = match self {
            Self::Fetch(error) => (Step::Fetch, format!("{error}: {}", said(error.refusal()))),
            // Not the causes: what is wrong with a certificate or a key goes to the log.
            Self::Provide(error) => (Step::Provide, error.to_string()),
            Self::Draw(_) => (Step::Provide, self.to_string()),
            Self::Apply(error) => match error.refusal() {
                Some(status) if status.code == 409 => return None,
                None if !matches!(error, apply::Error::Write { .. }) => {
                    (Step::Apply, error.to_string())
                }
                status => (Step::Apply, format!("{error}: {}", said(status))),
            },
            Self::WriteServer { what: STATUS, .. } | Self::Unanswered(STATUS) => return None,
            Self::WriteServer { source, .. } => {
                let status = if let kube::Error::Api(status) = source {
                    Some(&**status)
                } else {
                    None
                };
                if status.is_some_and(|status| matches!(status.code, 404 | 409)) {
                    return None;
                }
                (Step::Write, format!("{self}: {}", said(status)))
            }
            Self::Unanswered(_) => (Step::Write, self.to_string()),
            Self::TimedOut => (Step::Time, self.to_string()),
            Self::Refused(_) | Self::Crashed(_) => return None,
        };
        Some(Setback {
            step,
            message: format!("The operator fails, and tries again by itself: {trouble}."),
        })
    }
}

/// A reconcile that came to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) result: ReconcileResult,
    /// When to look again if nothing happens.
    pub(super) again: Duration,
}

impl Done {
    pub(super) fn new(result: ReconcileResult, again: Duration) -> Self {
        Self { result, again }
    }
}

/// Brings the cluster to what `cached` asks for.
pub(super) async fn reconcile(ctx: &Context, cached: &Arc<GrytServer>) -> Result<Done, Error> {
    let server = ctx.newest(cached);
    let key = ServerKey::of(&server);
    let deleted = server.metadata.deletion_timestamp.is_some();
    if deleted || is_paused(&server) {
        ctx.prober.aim(&key, BTreeMap::new());
        if !deleted {
            look_only(ctx, &key, &server).await?;
        }
    }
    if is_paused(&server) || deleted && !purge::is_held(&server) {
        return Ok(Done::new(ReconcileResult::Skipped, RESYNC));
    }
    let ended = if deleted {
        within(LIMIT, Box::pin(purge::clear(ctx, &key, &server))).await
    } else {
        within(LIMIT, Box::pin(follow(ctx, &key, server))).await
    };
    if let Err(error) = &ended {
        let told = timeout(TELL_LIMIT, tell(ctx, &key, cached, error)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::debug!(server = %key.name, "the status does not say why a reconcile failed");
        }
    }
    ended
}

/// Changes nothing but the status: what a person does at a paused server shows.
async fn look_only(ctx: &Context, key: &ServerKey, server: &GrytServer) -> Result<(), Error> {
    let facts = Facts {
        server,
        outcome: Outcome::Paused,
        children: &fetch::children(ctx, key),
        named_secrets: &NamedSecrets::default(),
        probes: &BTreeMap::new(),
        vantage: VANTAGE,
        held: false,
        preparing: &[],
    };
    report(ctx, server, status(&facts, now())).await
}

/// Nothing may take a worker away for good.
async fn within(
    limit: Duration,
    reconcile: impl Future<Output = Result<Done, Error>>,
) -> Result<Done, Error> {
    let ended = timeout(limit, reconcile).await;
    ended.unwrap_or(Err(Error::TimedOut))
}

/// Tells of a failure that isn't the first in a row: one alone is over in a second.
async fn tell(
    ctx: &Context,
    key: &ServerKey,
    cached: &Arc<GrytServer>,
    error: &Error,
) -> Result<(), Error> {
    let Some(setback) = error.setback() else {
        return Ok(());
    };
    if ctx.failures(key) == 0 {
        return Ok(());
    }
    let server = ctx.newest(cached);
    let facts = Facts {
        server: &server,
        outcome: Outcome::Failed(&setback),
        children: &fetch::children(ctx, key),
        named_secrets: &NamedSecrets::default(),
        probes: &BTreeMap::new(),
        vantage: VANTAGE,
        held: false,
        preparing: &[],
    };
    report(ctx, &server, status(&facts, now())).await
}

/// The whole road.
async fn follow(ctx: &Context, key: &ServerKey, server: Arc<GrytServer>) -> Result<Done, Error> {
    let mut server = with_id(ctx, server).await?;
    let mut pass = 1;
    loop {
        let observed = fetch(ctx, &server).await.map_err(Error::Fetch)?;
        let valid = match validate(&observed, &ctx.defaults) {
            Ok(valid) => valid,
            Err(refusals) => return refuse(ctx, &observed, &refusals).await,
        };
        let record = observed.own_secrets.backends.as_ref();
        let keeps_something = valid.backends.keep_something() || record.is_some();
        server = purge::hold(ctx, server, keeps_something).await?;
        match Box::pin(bring(ctx, key, &observed, valid, pass)).await {
            Ok(Some(brought)) => return conclude(ctx, key, &observed, brought).await,
            Ok(None) => pass += 1,
            Err(Error::Apply(apply::Error::Gone)) => {
                ctx.sweep.notify_one();
                return Ok(Done::new(ReconcileResult::Skipped, RESYNC));
            }
            Err(error) => return Err(error),
        }
    }
}

/// What one pass over the road left.
struct Brought {
    valid: ValidServer,
    turn: Turn,
    children: Children,
    /// When certificates are due.
    due: SystemTime,
    /// A child that the API server refuses for good, and what it says.
    refused: Option<(apply::Error, String)>,
    /// What has to be done in back ends.
    preparing: Vec<Preparing>,
}

/// Build and apply. `None` if the API server has assigned a port meanwhile that build should know.
async fn bring(
    ctx: &Context,
    key: &ServerKey,
    observed: &Observed,
    mut valid: ValidServer,
    pass: usize,
) -> Result<Option<Brought>, Error> {
    let seen = &observed.children;
    let turn = rollouts::take_turn(ctx, key, &observed.server, seen, &mut valid).await;
    let wanted = wanted(&valid, observed);
    if let Some(due) = ctx.settled(key, wanted, now().into()) {
        return Ok(Some(Brought {
            children: seen.clone(),
            valid,
            turn,
            due,
            refused: None,
            preparing: Vec::new(),
        }));
    }
    let waits = !awaited(&valid).is_empty() && pass < PASSES;
    if waits {
        // Before certificates are made, which the next pass would make once more.
        match apply_services(ctx, key, &valid.uid, &services(&valid)).await {
            Ok(()) if assigned_since(ctx, key, seen) => return Ok(None),
            // The whole apply is refused the same, and that is told.
            Err(error) if final_refusal(&error).is_none() => return Err(Error::Apply(error)),
            Ok(()) | Err(_) => {}
        }
    }
    let sources = Sources {
        own: &observed.own_secrets,
        platform_tls: &observed.named_secrets.platform_tls,
        platform_files: &observed.named_secrets.platform_files,
        operator_namespace: &ctx.namespace,
    };
    let drawn = || draw().map_err(Error::Draw);
    let random = Random::from([drawn()?, drawn()?, drawn()?]);
    let material = Material::provide(&valid, &sources, random, now().into());
    let material = material.map_err(Error::Provide)?;
    let due = material.certificates.due;
    let preparing = preparing(&valid, &material);
    let mut objects = build(&valid, &material);
    keep_signaling_for_calls(&valid, seen, &mut objects);
    rollouts::one_by_one(ctx, key, (seen, &valid), &mut objects).await;
    let applied = Box::pin(apply(ctx, key, &valid.uid, objects)).await;
    let refused = match applied {
        Ok(applied) => {
            if applied.awaited.is_empty() && preparing.is_empty() {
                ctx.settle(key, wanted, due);
            }
            None
        }
        Err(error) => match final_refusal(&error) {
            Some(text) => Some((error, text)),
            None => return Err(Error::Apply(error)),
        },
    };
    // A Service that a quota refused a moment ago may have come through this time, and our own
    // write is no news that would bring us back.
    if waits && refused.is_none() && assigned_since(ctx, key, seen) {
        return Ok(None);
    }
    Ok(Some(Brought {
        children: fetch::children(ctx, key),
        valid,
        turn,
        due,
        refused,
        preparing,
    }))
}

/// Whether the cluster has assigned something that build didn't know.
fn assigned_since(ctx: &Context, key: &ServerKey, seen: &Children) -> bool {
    let now = fetch::children(ctx, key);
    now.media_services != seen.media_services || now.web_service != seen.web_service
}

/// Stands for everything that decides what is built.
fn wanted(valid: &ValidServer, observed: &Observed) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Text, because quantities and tolerations of the API have no hash. No secret is in it.
    format!("{valid:?}").hash(&mut hasher);
    for (name, secret) in &observed.named_secrets.platform_tls {
        (name, &secret.resource_version).hash(&mut hasher);
    }
    for (name, secret) in &observed.named_secrets.platform_files {
        (name, &secret.resource_version).hash(&mut hasher);
    }
    let pods = &observed.children.pods;
    let draining = pods.iter().any(PodSeen::may_have_calls);
    (valid.suspended && draining).hash(&mut hasher);
    hasher.finish()
}

/// Reports, and says when to look again.
async fn conclude(
    ctx: &Context,
    key: &ServerKey,
    observed: &Observed,
    brought: Brought,
) -> Result<Done, Error> {
    let Brought {
        valid,
        turn,
        children,
        due,
        refused,
        preparing,
    } = brought;
    let probes = ctx.prober.aim(key, announced(&valid, &children));
    let facts = Facts {
        server: &observed.server,
        outcome: match &refused {
            Some((_, text)) => Outcome::ApplyFailed(&valid, text),
            None => Outcome::Applied(&valid),
        },
        children: &children,
        named_secrets: &observed.named_secrets,
        probes: &probes,
        vantage: VANTAGE,
        held: turn == Turn::Held,
        preparing: &preparing,
    };
    report(ctx, &observed.server, status(&facts, now())).await?;
    // One that is held carries the images that it runs: by those, nobody is on his way.
    if turn == Turn::Free {
        rollouts::wake_next(ctx, &valid).await;
    }
    if let Some((error, _)) = refused {
        return Err(Error::Refused(error));
    }
    let due = due.duration_since(now().into()).unwrap_or_default();
    let named = &observed.named_secrets;
    let uses_named = !named.tenant.is_empty() || !named.platform.is_empty();
    let waits_for_named = valid.tls.secret_name(&valid.name).is_some_and(|name| {
        matches!(valid.tls, Tls::Issuer { .. }) && !named.tenant.contains_key(&name)
    });
    let again = [
        Some(RESYNC),
        Some(due.max(Duration::from_secs(1))),
        rollouts::deadline(ctx, key, &valid),
        uses_named.then_some(NAMED_AGAIN),
        waits_for_named.then_some(REFUSED_AGAIN),
        // Another administrator's secret is worth another try.
        (!preparing.is_empty()).then_some(REFUSED_AGAIN),
    ];
    let again = again.into_iter().flatten().min().unwrap_or(RESYNC);
    Ok(Done::new(ReconcileResult::Applied, again))
}

/// Changes nothing but the status: the last good state stays.
async fn refuse(ctx: &Context, observed: &Observed, refusals: &Refusals) -> Result<Done, Error> {
    let facts = Facts {
        server: &observed.server,
        outcome: Outcome::Refused(refusals),
        children: &observed.children,
        named_secrets: &observed.named_secrets,
        probes: &BTreeMap::new(),
        vantage: VANTAGE,
        held: false,
        preparing: &[],
    };
    report(ctx, &observed.server, status(&facts, now())).await?;
    Ok(Done::new(ReconcileResult::Refused, REFUSED_AGAIN))
}

/// What to probe: the addresses of SFUs that run and are to stay.
fn announced(valid: &ValidServer, children: &Children) -> BTreeMap<i32, MediaAddress> {
    let addresses = media_addresses(valid, children).into_iter();
    let running = addresses.filter(|media| {
        let sfu = children.sfus.get(&media.slot);
        let stays = valid.wanted_slots().any(|slot| slot.number == media.slot);
        stays && sfu.is_some_and(|sfu| sfu.ready > 0)
    });
    running
        .filter_map(|media| {
            let address = MediaAddress {
                host: media.address?,
                port: media.port?.try_into().ok()?,
            };
            Some((media.slot, address))
        })
        .collect()
}

/// What the API server says if it will say the same again: quota, admission, an invalid value.
fn final_refusal(error: &apply::Error) -> Option<String> {
    if let apply::Error::Taken { .. } = error {
        return Some(format!("{error}."));
    }
    let status = error.refusal()?;
    let is_final = matches!(status.code, 400 | 403 | 413 | 422);
    let terminating = status.message.contains("because it is being terminated");
    (is_final && !terminating)
        .then(|| format!("{error}: {}.", status.message.trim_end_matches('.')))
}

/// A suspended server ends its calls first: as long as an SFU drains, signaling stays.
fn keep_signaling_for_calls(valid: &ValidServer, seen: &Children, objects: &mut Objects<Prepared>) {
    let draining = seen.pods.iter().any(PodSeen::may_have_calls);
    let runs = seen.signaling.as_ref().is_some_and(|seen| seen.wanted > 0);
    let signaling = objects.signaling.as_mut();
    if valid.suspended
        && draining
        && runs
        && let Some(spec) = signaling.and_then(|signaling| signaling.spec.as_mut())
    {
        spec.replicas = Some(valid.signaling_replicas);
    }
}

/// Whether the operator keeps its hands off.
pub(super) fn is_paused(server: &GrytServer) -> bool {
    let annotation = server.annotations().get(PAUSED_ANNOTATION);
    annotation.is_some_and(|value| value == "true")
}

/// Writes `spec.serverId` once, before anything is named after it.
async fn with_id(ctx: &Context, server: Arc<GrytServer>) -> Result<Arc<GrytServer>, Error> {
    if server.spec.server_id.is_some() {
        return Ok(server);
    }
    let id = draw_server_id().map_err(Error::Draw)?;
    // The resourceVersion makes it a test: whoever was faster has written another id.
    let patch = json!({
        "metadata": {"resourceVersion": server.resource_version()},
        "spec": {"serverId": id.as_str()},
    });
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let (api, name, patch) = (
        servers(ctx, &server),
        server.name_any(),
        Patch::Merge(&patch),
    );
    let written = timeout(WRITE_LIMIT, api.patch(&name, &params, &patch)).await;
    ctx.metrics.wrote(Kind::GrytServer, Verb::Patch);
    let written = Arc::new(answer(SERVER_ID, written)?);
    ctx.wrote(&written);
    Ok(written)
}

/// Writes a status that differs from the one before, and tells what changed.
pub(super) async fn report(
    ctx: &Context,
    server: &GrytServer,
    status: GrytServerStatus,
) -> Result<(), Error> {
    if server.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let news = notices(server.status.as_ref(), &status);
    let patch = json!({
        "apiVersion": GrytServer::api_version(&()),
        "kind": GrytServer::kind(&()),
        "metadata": {"uid": server.uid()},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let (api, name, patch) = (
        servers(ctx, server),
        server.name_any(),
        Patch::Apply(&patch),
    );
    let written = timeout(WRITE_LIMIT, api.patch_status(&name, &params, &patch)).await;
    ctx.metrics.wrote(Kind::GrytServerStatus, Verb::Apply);
    let written = match answer(STATUS, written) {
        Ok(written) => written,
        // Deleted meanwhile, or another of this name by now: nobody is left to tell.
        Err(Error::WriteServer {
            source: kube::Error::Api(status),
            ..
        }) if matches!(status.code, 404 | 409) => return Ok(()),
        Err(error) => return Err(error),
    };
    ctx.wrote(&Arc::new(written));
    let about = server.object_ref(&());
    for notice in news {
        ctx.events.tell(&about, notice).await;
    }
    Ok(())
}

pub(super) fn servers(ctx: &Context, server: &GrytServer) -> Api<GrytServer> {
    let namespace = server.namespace().unwrap_or_default();
    Api::namespaced(ctx.client.clone(), &namespace)
}

pub(super) fn answer<T>(
    what: &'static str,
    answered: Result<Result<T, kube::Error>, tokio::time::error::Elapsed>,
) -> Result<T, Error> {
    match answered {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(Error::WriteServer { what, source }),
        Err(_elapsed) => Err(Error::Unanswered(what)),
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
