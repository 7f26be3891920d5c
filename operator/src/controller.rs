//! Runs the reconcile road for every server that something happened to: bounded in parallel, never
//! twice at once for one server, with a growing delay where the cluster refuses.

pub(crate) mod prober;
mod purge;
pub(crate) mod queue;
mod reconcile;
pub(crate) mod rollouts;
mod sweep;
mod watches;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use kube::Client;
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config as ApplierConfig, Error as ApplierError};
use kube::runtime::reflector;
use kube::runtime::watcher;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::class::Defaults;
use crate::config::Config;
use crate::context::Context;
use crate::crd::GrytServer;
use crate::events::Events;
use crate::fetch::ServerKey;
use crate::fetch::live::LiveObjects;
use crate::fetch::named::NamedSecretsByName;
use crate::fetch::surroundings::Surroundings;
use crate::metrics::{Metrics, ReconcileResult};
use crate::names::{InvalidName, Namespace};
use crate::secrets::draw;

use prober::Prober;
use reconcile::{Done, Error, reconcile};
use rollouts::Rollouts;

/// News of one server come in bursts, and each wants the same reconcile.
const SETTLE: Duration = Duration::from_millis(50);
/// First wait after a failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait after a failure.
const LAST_RETRY: Duration = Duration::from_secs(300);
/// The same where nothing would tell that the cause is gone. With [`jittered`] below 30 s.
const LAST_UNSEEN_RETRY: Duration = Duration::from_secs(24);

/// The operator cannot start to work.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The namespace of the operator is no name.
    #[error("read the operator's namespace")]
    ParseNamespace(#[source] InvalidName),
    /// The API server does not say who it is.
    #[error("ask the API server for its version")]
    AskVersion(#[source] kube::Error),
}

/// Reconciles until it is dropped. Only the holder of the lease may run this.
///
/// # Errors
/// The configuration does not fit, or the API server cannot be reached at the start.
pub async fn run(
    client: Client,
    config: &Config,
    identity: &str,
    metrics: &Metrics,
) -> Result<(), StartError> {
    let namespace: Namespace = config
        .namespace
        .parse()
        .map_err(StartError::ParseNamespace)?;
    let watching = watch_config(&client).await?;
    let (servers, server_writer) = reflector::store();
    let (classes, class_writer) = reflector::store();
    let (synced_sender, synced) = watch::channel(false);
    let (queue, requests) = queue::queue();
    let ctx = Arc::new(Context {
        namespace,
        defaults: Defaults {
            image_registry: config.image_registry.clone(),
            image_tag: config.image_tag.clone(),
            namespace: config.namespace.clone(),
        },
        servers: servers.clone(),
        servers_listed: watch::Sender::new(false),
        classes,
        claimants: Mutex::default(),
        live: LiveObjects::default(),
        surroundings: Surroundings::default(),
        named: NamedSecretsByName::new(client.clone()),
        metrics: metrics.clone(),
        events: Events::new(client.clone(), identity.to_owned(), metrics.clone()),
        queue,
        prober: Prober::default(),
        rollouts: Rollouts::default(),
        synced,
        sweep: Notify::new(),
        memory: Mutex::new(HashMap::new()),
        client,
    });
    let writers = watches::Writers {
        servers: server_writer,
        classes: class_writer,
    };
    let _watches = watches::start(&ctx, &watching, writers, synced_sender);

    let applied = applier(
        |server, ctx| Box::pin(spawned(server, ctx)),
        |server, error, ctx| retry(&server, error, &ctx),
        Arc::clone(&ctx),
        servers,
        requests,
        ApplierConfig::default()
            .concurrency(config.concurrency)
            .debounce(SETTLE),
    );
    let reconciling = applied.for_each(|ended| async move {
        match ended {
            Ok(_) => {}
            Err(ApplierError::ReconcilerFailed(error, server)) => {
                tracing::warn!(error = error.told(), %server, "reconcile failed");
            }
            // Deleted between the event and its turn.
            Err(ApplierError::ObjectNotFound(server)) => {
                tracing::debug!(%server, "gone before its turn");
            }
            Err(error @ (ApplierError::QueueError(_) | ApplierError::RunnerError(_))) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the controller stumbled");
            }
        }
    });
    tokio::select! {
        () = reconciling => {}
        () = ctx.prober.run(&ctx.live, &ctx.queue, metrics) => {}
        () = sweep::run(&ctx) => {}
    }
    Ok(())
}

/// A task of its own, so that a panic ends one reconcile and no other; it ends when the controller
/// is dropped.
async fn spawned(server: Arc<GrytServer>, ctx: Arc<Context>) -> Result<Action, Error> {
    let task = tokio::spawn(async move {
        let mut synced = ctx.synced.clone();
        if synced.wait_for(|synced| *synced).await.is_err() {
            return Ok(Action::await_change());
        }
        let begun = tokio::time::Instant::now();
        let ended = Box::pin(reconcile(&ctx, &server)).await;
        let key = ServerKey::of(&server);
        let (result, action) = match ended {
            Ok(Done { result, again }) => {
                ctx.finished(&key, result == ReconcileResult::Refused);
                (result, Ok(Action::requeue(jittered(again))))
            }
            Err(error) => (ReconcileResult::Failed, Err(error)),
        };
        ctx.metrics.reconciled(result, begun.elapsed());
        action
    });
    AbortOnDropHandle::new(task)
        .await
        .unwrap_or_else(|ended| Err(Error::Crashed(ended)))
}

fn retry(server: &GrytServer, error: &Error, ctx: &Context) -> Action {
    let failures = ctx.failed(&ServerKey::of(server));
    tracing::debug!(?error, failures, "tried again later");
    Action::requeue(jittered(wait_after(error, failures)))
}

fn wait_after(error: &Error, failures: u32) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(if error.may_heal_unseen() {
        LAST_UNSEEN_RETRY
    } else {
        LAST_RETRY
    })
}

/// Up to a quarter more, so that what failed together does not come back together.
fn jittered(wait: Duration) -> Duration {
    let [random] = draw::<1>().unwrap_or([0]);
    wait + wait.mul_f64(f64::from(random) / 1024.0)
}

/// Streaming lists where the API server has them by default: nothing is listed in one piece.
async fn watch_config(client: &Client) -> Result<watcher::Config, StartError> {
    let version = client
        .apiserver_version()
        .await
        .map_err(StartError::AskVersion)?;
    let digits = |text: &str| {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().unwrap_or(0)
    };
    let at_least_1_34 = (digits(&version.major), digits(&version.minor)) >= (1, 34);
    let config = watcher::Config::default();
    Ok(if at_least_1_34 {
        config.streaming_lists()
    } else {
        config
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply;
    use crate::build::MaterialError;

    #[test]
    fn what_heals_unseen_is_tried_again_within_half_a_minute() {
        let refused = Error::Refused(apply::Error::Gone);
        let broken = Error::Provide(MaterialError::CopyClassSecret("w".to_owned()));
        for error in [refused, broken] {
            assert_eq!(wait_after(&error, 1), Duration::from_secs(1));
            for _ in 0..100 {
                let wait = jittered(wait_after(&error, 1000));
                assert!(wait < Duration::from_secs(30), "{wait:?}");
            }
        }
        let other = Error::TimedOut;
        assert_eq!(wait_after(&other, 4), Duration::from_secs(8));
        assert_eq!(wait_after(&other, 1000), LAST_RETRY);
    }
}
