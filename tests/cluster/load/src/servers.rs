//! Many GrytServers of a few tenants: made as tenants make them, and followed until each is
//! reported.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gryt_operator::crd::GrytServer;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

const TENANTS: usize = 10;
const TENANT: &str = "tenant";
/// The longest time in which not one more server gets reported.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the progress is printed.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Servers to be, spread over namespaces that exist.
pub(crate) struct Tenants {
    namespaces: Vec<String>,
    group: &'static str,
    servers: usize,
}

/// One server to be.
pub(crate) struct Wish {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) hostname: String,
}

impl Wish {
    /// What a tenant writes.
    pub(crate) fn manifest(&self) -> Value {
        json!({
            "apiVersion": "gryt.chat/v1alpha1",
            "kind": "GrytServer",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"hostname": self.hostname},
        })
    }
}

/// The server's own field manager stands for kubectl.
pub(crate) fn as_tenant() -> PatchParams {
    PatchParams::apply(TENANT)
}

impl Tenants {
    /// Makes the namespaces of `group`.
    pub(crate) async fn create(
        admin: &Client,
        group: &'static str,
        servers: usize,
    ) -> Result<Self> {
        let names = (0..TENANTS).map(|number| format!("{group}-{number}"));
        let namespaces: Vec<String> = names.collect();
        let api: Api<Namespace> = Api::all(admin.clone());
        for name in &namespaces {
            let manifest = json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name},
            });
            let made = api
                .patch(name, &as_tenant(), &Patch::Apply(&manifest))
                .await;
            made.with_context(|| format!("make the namespace \"{name}\""))?;
        }
        Ok(Self {
            namespaces,
            group,
            servers,
        })
    }

    /// Every server in the order of applying.
    pub(crate) fn wishes(&self) -> impl Iterator<Item = Wish> + '_ {
        (0..self.servers).map(|number| Wish {
            namespace: self.namespaces[number % TENANTS].clone(),
            name: format!("server-{number}"),
            hostname: format!("server-{number}.{}.gryt.test", self.group),
        })
    }

    /// Applies all servers, `at_once` at the same time, and waits until each has its status.
    pub(crate) async fn apply_and_wait(&self, admin: &Client, at_once: usize) -> Result<()> {
        let apply = stream::iter(self.wishes().map(Ok::<_, anyhow::Error>));
        let apply = apply.try_for_each_concurrent(at_once, |wish| async move {
            let api: Api<GrytServer> = Api::namespaced(admin.clone(), &wish.namespace);
            let manifest = wish.manifest();
            let patch = Patch::Apply(&manifest);
            api.patch(&wish.name, &as_tenant(), &patch).await?;
            Ok(())
        });
        tokio::try_join!(apply, self.wait(admin))?;
        Ok(())
    }

    async fn wait(&self, admin: &Client) -> Result<()> {
        let api: Api<GrytServer> = Api::all(admin.clone());
        let mut events = pin!(watcher(api, watcher::Config::default().streaming_lists()));
        let mut reported = HashSet::new();
        let (mut news, mut told) = (Instant::now(), Instant::now());
        while reported.len() < self.servers {
            let event = timeout_at(news + PATIENCE, events.next()).await;
            let Ok(Some(event)) = event else {
                bail!(
                    "{} of {} servers are reported",
                    reported.len(),
                    self.servers
                );
            };
            let (Event::Apply(server) | Event::InitApply(server)) = event? else {
                continue;
            };
            if self.has(&server) && is_reported(&server)? && reported.insert(server.name_any()) {
                news = Instant::now();
            }
            if told.elapsed() >= TELL_EVERY {
                eprintln!("  {} of {}", reported.len(), self.servers);
                told = Instant::now();
            }
        }
        Ok(())
    }

    fn has(&self, server: &GrytServer) -> bool {
        server
            .namespace()
            .is_some_and(|of| self.namespaces.contains(&of))
    }

    /// How many Deployments there are.
    pub(crate) async fn deployments(&self, admin: &Client) -> Result<usize> {
        let mut all = 0;
        for namespace in &self.namespaces {
            let api: Api<Deployment> = Api::namespaced(admin.clone(), namespace);
            all += api.list_metadata(&ListParams::default()).await?.items.len();
        }
        Ok(all)
    }

    /// Deletes the GrytServers. Their children stay: no garbage collector runs.
    pub(crate) async fn delete(&self, admin: &Client) -> Result<()> {
        for namespace in &self.namespaces {
            let api: Api<GrytServer> = Api::namespaced(admin.clone(), namespace);
            let all = ListParams::default();
            api.delete_collection(&DeleteParams::default(), &all)
                .await?;
        }
        Ok(())
    }
}

/// Whether the operator has seen the spec as it stands, and applied it.
fn is_reported(server: &GrytServer) -> Result<bool> {
    let Some(status) = &server.status else {
        return Ok(false);
    };
    let stalled = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == "Stalled" && condition.status == "True");
    ensure!(stalled.is_none(), "{}: {stalled:?}", server.name_any());
    Ok(server.spec.server_id.is_some() && status.observed_generation == server.metadata.generation)
}
