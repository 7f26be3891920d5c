//! Which replica of the operator works: the holder of one `coordination.k8s.io` Lease.
//!
//! Every write carries the resourceVersion that was read, so two candidates can never both win.
//! Another holder is given up only after it stood still for a whole term by our own clock: clocks
//! of two machines are never compared.

mod term;

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::time::{Instant, sleep, timeout};

use term::{Observer, Step};

/// A holder that has not renewed for this long has lost the lease.
const TERM: Duration = Duration::from_secs(15);
/// Time between two renewals.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Time between two looks at a lease that another holds.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// The holder stops by itself this long after its last renewal: before anyone else may start.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// A request that takes longer counts as failed.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// A lease that this process may hold.
#[derive(Debug)]
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    observer: Observer,
}

/// How [`Candidate::hold`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held<T> {
    /// The work came to its own end; the lease is free again.
    Finished(T),
    /// The lease was lost and the work was dropped.
    Lost,
}

/// A lease could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refused or could not be reached.
    #[error("ask for the lease \"{name}\"")]
    Ask {
        /// The lease.
        name: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The API server did not answer in time.
    #[error("the lease \"{0}\" was not answered for in time")]
    Unanswered(String),
}

impl Candidate {
    /// A candidate for the lease `name` in `namespace`. `identity` must differ between replicas.
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: String) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            observer: Observer::new(identity.clone(), TERM),
            identity,
        }
    }

    /// Waits until the lease is ours. Never gives up: an unreachable API server is waited for.
    pub async fn acquire(&mut self) {
        loop {
            match self.attempt().await {
                Ok(true) => {
                    tracing::info!(lease = self.name, identity = self.identity, "leading");
                    return;
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no lease yet");
                }
            }
            sleep(RETRY_EVERY).await;
        }
    }

    /// Runs `work` for as long as the lease is held; drops it at once when the lease is lost.
    /// At the end of `work` the lease is given back, so that the next replica need not wait.
    pub async fn hold<T>(&mut self, work: impl Future<Output = T>) -> Held<T> {
        let done = tokio::select! {
            biased;
            () = self.renew_until_lost() => None,
            done = work => Some(done),
        };
        match done {
            Some(done) => {
                self.release().await;
                Held::Finished(done)
            }
            None => {
                tracing::error!(lease = self.name, "lost the lease");
                Held::Lost
            }
        }
    }

    async fn renew_until_lost(&mut self) {
        let mut renewed = Instant::now();
        loop {
            sleep(RENEW_EVERY.min(GIVE_UP_AFTER.saturating_sub(renewed.elapsed()))).await;
            let asked = Instant::now();
            // A process that was frozen for longer may not even ask first.
            if renewed.elapsed() >= GIVE_UP_AFTER {
                return;
            }
            match self.attempt().await {
                Ok(true) => renewed = asked,
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "lease not renewed"
                    );
                    sleep(RETRY_EVERY).await;
                }
            }
            if renewed.elapsed() >= GIVE_UP_AFTER {
                return;
            }
        }
    }

    /// Takes or renews the lease if that is allowed now. Returns whether it is ours.
    async fn attempt(&mut self) -> Result<bool, Error> {
        let asked = timeout(REQUEST_LIMIT, self.take()).await;
        match asked {
            Ok(answer) => answer.map_err(|source| Error::Ask {
                name: self.name.clone(),
                source,
            }),
            Err(_elapsed) => Err(Error::Unanswered(self.name.clone())),
        }
    }

    async fn take(&mut self) -> Result<bool, kube::Error> {
        let found = self.api.get_opt(&self.name).await?;
        let now = Instant::now();
        let wall = k8s_openapi::jiff::Timestamp::now();
        match self.observer.step(found.as_ref(), now.into_std(), wall) {
            Step::Wait => Ok(false),
            Step::Create(spec) => {
                let lease = Lease {
                    metadata: ObjectMeta {
                        name: Some(self.name.clone()),
                        ..ObjectMeta::default()
                    },
                    spec: Some(spec),
                };
                won(self.api.create(&PostParams::default(), &lease).await)
            }
            Step::Write(spec) => {
                let Some(mut lease) = found else {
                    return Ok(false);
                };
                lease.metadata.managed_fields = None;
                lease.spec = Some(spec);
                let params = PostParams::default();
                won(self.api.replace(&self.name, &params, &lease).await)
            }
        }
    }

    async fn release(&self) {
        let give_back = async {
            let Some(mut lease) = self.api.get_opt(&self.name).await? else {
                return Ok(());
            };
            let Some(spec) = self.observer.released(&lease) else {
                return Ok(());
            };
            lease.metadata.managed_fields = None;
            lease.spec = Some(spec);
            self.api
                .replace(&self.name, &PostParams::default(), &lease)
                .await
                .map(|_| ())
        };
        // Only politeness: whoever comes next waits for the end of the term otherwise.
        if let Ok(Err(error)) = timeout(RENEW_EVERY.min(Duration::from_secs(1)), give_back).await {
            let error: kube::Error = error;
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "lease not given back"
            );
        }
    }
}

/// A conflict means that another candidate was faster, which is no error.
fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}
