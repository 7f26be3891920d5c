//! One watch per kind: fills a cache and names the servers that a change concerns.

mod servers;

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::networking::v1::IngressClass;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::context::Context;
use crate::crd::{GrytServer, GrytServerClass};
use crate::endings::Endings;
use crate::events::Notice;
use crate::fetch::ServerKey;
use crate::fetch::live;
use crate::fetch::object::Object;
use crate::fetch::surroundings::ForeignApi;
use crate::labels::{
    ADMINISTRATION, COMPONENT_LABEL, INSTANCE_LABEL, MANAGED_BY_LABEL, MANAGER,
    SERVER_NAMESPACE_LABEL,
};
use crate::names::ServerName;
use crate::objects::Child;

/// The tasks that watch. Dropping it ends them.
pub(super) type Watches = JoinSet<()>;

/// The writers of the two caches that are kube's own.
pub(super) struct Writers {
    pub(super) servers: Writer<GrytServer>,
    pub(super) classes: Writer<GrytServerClass>,
}

/// Tells when each watch has delivered its first listing.
struct Listed(watch::Sender<bool>);

/// Starts all watches. `synced` turns true when every one of them has listed once.
pub(super) fn start(
    ctx: &Arc<Context>,
    config: &Config,
    writers: Writers,
    synced: watch::Sender<bool>,
) -> Watches {
    let mut watches = JoinSet::new();
    let mut pending = Vec::new();
    let mut listed = || {
        let (sender, receiver) = watch::channel(false);
        pending.push(receiver);
        Listed(sender)
    };
    let Writers { servers, classes } = writers;
    let client = || ctx.client.clone();
    let scoped = config
        .clone()
        .labels(&format!("{MANAGED_BY_LABEL}={MANAGER}"));

    let api = Api::all(client());
    watches.spawn(servers::watch(
        Arc::clone(ctx),
        api,
        config.clone(),
        servers,
        listed(),
    ));
    let api = Api::all(client());
    watches.spawn(classes_watch(
        Arc::clone(ctx),
        api,
        config.clone(),
        classes,
        listed(),
    ));
    for kind in Child::ALL.into_iter().filter(|kind| kind.is_built_in()) {
        watches.spawn(children_watch(
            Arc::clone(ctx),
            kind,
            scoped.clone(),
            listed(),
        ));
    }
    let api = Api::all(client());
    watches.spawn(pods_watch(Arc::clone(ctx), api, scoped.clone(), listed()));
    let api = Api::all(client());
    watches.spawn(nodes_watch(Arc::clone(ctx), api, config.clone(), listed()));
    let api = Api::all(client());
    watches.spawn(ingress_classes_watch(
        Arc::clone(ctx),
        api,
        config.clone(),
        listed(),
    ));
    for (api, kind) in [
        (ForeignApi::GatewayApi, Child::HttpRoute),
        (ForeignApi::CertManager, Child::Certificate),
    ] {
        let (ctx, scoped) = (Arc::clone(ctx), scoped.clone());
        watches.spawn(foreign_watch(
            ctx,
            api,
            kind,
            config.clone(),
            scoped,
            listed(),
        ));
    }
    watches.spawn(async move {
        for mut listed in pending {
            if listed.wait_for(|listed| *listed).await.is_err() {
                return;
            }
        }
        tracing::info!("caches filled");
        synced.send_replace(true);
        synced.closed().await;
    });
    watches
}

/// Follows one kind for ever: `on` takes each event and names whom it concerns.
async fn follow<K>(
    ctx: &Context,
    api: Api<K>,
    config: Config,
    listed: &Listed,
    mut on: impl FnMut(Event<K>) -> Vec<ServerKey> + Send,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let done = matches!(event, Event::InitDone);
                let concerned = on(event);
                if done {
                    listed.0.send_replace(true);
                }
                ctx.queue.send(concerned).await;
            }
            Err(error) => {
                ctx.metrics.watch_failed();
                tracing::warn!(error = &error as &dyn std::error::Error, "a watch broke");
            }
        }
    }
}

async fn classes_watch(
    ctx: Arc<Context>,
    api: Api<GrytServerClass>,
    config: Config,
    mut writer: Writer<GrytServerClass>,
    listed: Listed,
) {
    let watched = Arc::clone(&ctx);
    follow(&ctx, api, config, &listed, move |event| {
        writer.apply_watcher_event(&event);
        match event {
            Event::Apply(class) | Event::Delete(class) => served_by(&watched, &class.name_any()),
            Event::Init | Event::InitApply(_) => Vec::new(),
            // A listing that begins anew may hide a class that went.
            Event::InitDone => watched.all_servers(),
        }
    })
    .await;
}

/// The servers that a class serves, may serve or should serve.
fn served_by(ctx: &Context, class: &str) -> Vec<ServerKey> {
    let servers = ctx.servers.state();
    let concerned = servers.iter().filter(|server| {
        let status = server.status.as_ref();
        let pinned = status.and_then(|status| status.class_name.as_deref());
        let named = server.spec.class_name.as_deref();
        pinned == Some(class) || named == Some(class) || (pinned.is_none() && named.is_none())
    });
    let mut keys: Vec<ServerKey> = concerned.map(|server| ServerKey::of(server)).collect();
    keys.extend(ctx.refused());
    keys
}

async fn children_watch(ctx: Arc<Context>, kind: Child, config: Config, listed: Listed) {
    // What is kept of a child depends on whether its server exists.
    let mut servers = ctx.servers_listed.subscribe();
    if servers.wait_for(|listed| *listed).await.is_err() {
        return;
    }
    let resource = kind.api_resource();
    let client = ctx.client.clone();
    let api: Api<Object> = if kind == Child::Job {
        Api::namespaced_with(client, ctx.namespace.as_str(), &resource)
    } else {
        Api::all_with(client, &resource)
    };
    follow(&ctx, api, config, &listed, |event| {
        child_event(&ctx, kind, event)
    })
    .await;
}

fn child_event(ctx: &Context, kind: Child, event: Event<Object>) -> Vec<ServerKey> {
    match event {
        Event::Apply(object) | Event::InitApply(object) => {
            let Some(key) = server_of(ctx, &object) else {
                return Vec::new();
            };
            // A CA or a Job that was written while its server went: the sweep at the deletion missed it.
            if matches!(kind, Child::Secret | Child::Job) && ctx.server(&key).is_none() {
                ctx.sweep.notify_one();
            }
            if ctx.live.knows(&key, kind, &object) {
                return Vec::new();
            }
            let found = if is_expected(ctx, &key, kind, &object) {
                live::read(kind, &object)
            } else {
                live::outline(kind, &object)
            };
            let news = ctx.live.put(key.clone(), kind, object.name_any(), found);
            news.then_some(key).into_iter().collect()
        }
        Event::Delete(object) => {
            let Some(key) = server_of(ctx, &object) else {
                return Vec::new();
            };
            let uid = object.uid().unwrap_or_default();
            ctx.live.remove(&key, kind, &object.name_any(), &uid);
            vec![key]
        }
        Event::Init => {
            ctx.live.begin_listing(kind);
            Vec::new()
        }
        Event::InitDone => ctx.live.end_listing(kind).into_iter().collect(),
    }
}

/// Whether an object is one that the operator makes: a child of a server that exists, by its name,
/// or something of the operator's own namespace.
fn is_expected(ctx: &Context, key: &ServerKey, kind: Child, object: &Object) -> bool {
    if object.namespace().as_deref() == Some(ctx.namespace.as_str()) {
        return true;
    }
    let name = key.name.parse::<ServerName>();
    ctx.server(key).is_some() && name.is_ok_and(|server| kind.can_be(&server, &object.name_any()))
}

/// Whose child an object is: by its owner, which lives in the same namespace, else by its label.
fn server_of(ctx: &Context, object: &Object) -> Option<ServerKey> {
    let namespace = object.namespace()?;
    let label = |name: &str| object.labels().get(name).cloned();
    let owners = object.owner_references().iter();
    let owner = owners
        .filter(|owner| owner.kind == "GrytServer")
        .find(|owner| owner.api_version.starts_with("gryt.chat/"));
    if let Some(owner) = owner {
        let name = owner.name.clone();
        return Some(ServerKey { namespace, name });
    }
    let name = label(INSTANCE_LABEL)?;
    match label(SERVER_NAMESPACE_LABEL) {
        // Only what stands in our own namespace may speak for another one.
        Some(of) => (namespace == ctx.namespace.as_str()).then_some(ServerKey {
            namespace: of,
            name,
        }),
        None => Some(ServerKey { namespace, name }),
    }
}

async fn pods_watch(ctx: Arc<Context>, api: Api<Pod>, config: Config, listed: Listed) {
    let (tell, told) = mpsc::channel(MOST_ENDINGS);
    let around = &ctx.surroundings;
    let mut endings = Endings::default();
    let ended = |key: Option<&ServerKey>, notice: Option<Notice>| {
        if let Some((key, notice)) = key.cloned().zip(notice)
            && tell.try_send((key, notice)).is_err()
        {
            tracing::warn!("too many SFUs ended at once to tell of each");
        }
    };
    let watched = follow(&ctx, api, config, &listed, |event| match event {
        Event::Apply(pod) => {
            let key = server_of_pod(&ctx, &pod);
            ended(key.as_ref(), endings.learn(&pod));
            let changed = key.filter(|key| around.put_pod(key.clone(), &pod));
            changed.into_iter().collect()
        }
        Event::InitApply(pod) => {
            let key = server_of_pod(&ctx, &pod);
            ended(key.as_ref(), endings.list(&pod));
            let changed = key.filter(|key| around.put_pod(key.clone(), &pod));
            changed.into_iter().collect()
        }
        Event::Delete(pod) => {
            let key = server_of_pod(&ctx, &pod);
            ended(key.as_ref(), endings.learn(&pod));
            endings.forget(&pod);
            if let Some(key) = &key {
                around.remove_pod(key, &pod);
            }
            key.into_iter().collect()
        }
        Event::Init => {
            endings.begin();
            around.begin_pods();
            Vec::new()
        }
        Event::InitDone => {
            endings.end();
            around.end_pods().into_iter().collect()
        }
    });
    tokio::join!(watched, tell_endings(&ctx, told));
}

/// Endings that wait to be told. One more is left out: Events explain, nothing waits for them.
const MOST_ENDINGS: usize = 256;

/// Tells of SFUs that ended, beside the watch, which does not wait for writes.
async fn tell_endings(ctx: &Context, mut told: mpsc::Receiver<(ServerKey, Notice)>) {
    while let Some((key, notice)) = told.recv().await {
        if let Some(server) = ctx.server(&key) {
            ctx.events.tell(&server.object_ref(&()), notice).await;
        }
    }
}

/// A Job's pod is in our own namespace and says whose it is.
fn server_of_pod(ctx: &Context, pod: &Pod) -> Option<ServerKey> {
    let label = |name: &str| pod.labels().get(name).cloned();
    let name = label(INSTANCE_LABEL)?;
    let namespace = pod.namespace()?;
    let is_of_job = label(COMPONENT_LABEL).is_some_and(|component| component == ADMINISTRATION);
    let namespace = match is_of_job {
        true if namespace == ctx.namespace.as_str() => label(SERVER_NAMESPACE_LABEL)?,
        true => return None,
        false => namespace,
    };
    Some(ServerKey { namespace, name })
}

async fn nodes_watch(ctx: Arc<Context>, api: Api<Node>, config: Config, listed: Listed) {
    let around = &ctx.surroundings;
    follow(&ctx, api, config, &listed, |event| match event {
        Event::Apply(node) | Event::InitApply(node) => {
            around.put_node(node.name_any(), Some(&node))
        }
        Event::Delete(node) => around.put_node(node.name_any(), None),
        Event::Init => {
            around.begin_nodes();
            Vec::new()
        }
        Event::InitDone => {
            around.end_nodes();
            Vec::new()
        }
    })
    .await;
}

async fn ingress_classes_watch(
    ctx: Arc<Context>,
    api: Api<IngressClass>,
    config: Config,
    listed: Listed,
) {
    let around = &ctx.surroundings;
    follow(&ctx, api, config, &listed, |event| {
        let changed = match event {
            Event::Apply(class) | Event::InitApply(class) => {
                around.put_ingress_class(class.name_any(), Some(&class))
            }
            Event::Delete(class) => around.put_ingress_class(class.name_any(), None),
            Event::Init => {
                around.begin_ingress_classes();
                false
            }
            Event::InitDone => around.end_ingress_classes(),
        };
        if changed {
            ctx.all_servers()
        } else {
            Vec::new()
        }
    })
    .await;
}

/// Watches for the CRD of `api`, and for our children of its kind while it is served.
async fn foreign_watch(
    ctx: Arc<Context>,
    api: ForeignApi,
    kind: Child,
    config: Config,
    scoped: Config,
    listed: Listed,
) {
    let (served, mut is_served) = watch::channel(None);
    let resource = kind.api_resource();
    let name = format!("{}.{}", resource.plural, resource.group);
    let definitions: Api<CustomResourceDefinition> = Api::all(ctx.client.clone());
    let one = config.fields(&format!("metadata.name={name}"));
    let (crd_listed, _crd_listing) = watch::channel(false);
    let crd_listed = Listed(crd_listed);
    let mut seen = false;
    let watch_definition = follow(&ctx, definitions, one, &crd_listed, |event| {
        match event {
            Event::Apply(crd) | Event::InitApply(crd) => {
                seen = serves(&crd, &resource.version);
                served.send_replace(Some(seen));
            }
            Event::Delete(_) => {
                served.send_replace(Some(false));
            }
            Event::Init => seen = false,
            Event::InitDone => {
                served.send_replace(Some(seen));
            }
        }
        Vec::new()
    });
    let watch_children = async {
        loop {
            let known = is_served.wait_for(Option::is_some).await;
            let now = known.is_ok_and(|known| *known == Some(true));
            if now {
                tracing::info!(crd = name, "served");
                let children = async {
                    let (ctx, scoped) = (Arc::clone(&ctx), scoped.clone());
                    let listing = Listed(listed.0.clone());
                    let announce = announce(&ctx, api, listed.0.subscribe());
                    tokio::join!(
                        children_watch(Arc::clone(&ctx), kind, scoped, listing),
                        announce
                    );
                };
                let mut until = is_served.clone();
                tokio::select! {
                    () = children => {}
                    _ = until.wait_for(|served| *served != Some(true)) => {}
                }
            } else {
                if ctx.surroundings.set_served(api, false) {
                    tracing::info!(crd = name, "no longer served");
                    ctx.live.begin_listing(kind);
                    ctx.live.end_listing(kind);
                    ctx.queue.send(ctx.all_servers()).await;
                }
                listed.0.send_replace(true);
                let changed = is_served.wait_for(|served| *served != Some(false)).await;
                if changed.is_err() {
                    return;
                }
            }
        }
    };
    tokio::join!(watch_definition, watch_children);
}

/// Lets servers use the API once our children of its kind are known.
async fn announce(ctx: &Context, api: ForeignApi, mut listed: watch::Receiver<bool>) {
    if listed.wait_for(|listed| *listed).await.is_ok() && ctx.surroundings.set_served(api, true) {
        ctx.queue.send(ctx.all_servers()).await;
    }
}

fn serves(crd: &CustomResourceDefinition, version: &str) -> bool {
    let versions = crd.spec.versions.iter();
    let served = versions.filter(|known| known.served && known.name == version);
    let conditions = crd.status.iter().flat_map(|status| &status.conditions);
    let established = conditions
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True");
    served.count() > 0 && established
}
