//! First step of the reconcile road: what the cluster holds about one server. Reads the caches
//! that the watches fill, and asks the API server only for Secrets of others.

pub(crate) mod live;
pub(crate) mod named;
pub(crate) mod object;
pub(crate) mod seen;
pub(crate) mod surroundings;

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt as _;

use crate::claims::{self, Grounds};
use crate::context::Context;
use crate::crd::{GrytServer, GrytServerClass, TlsSource};
use crate::names::{self, ObjectName, ServerName};
use crate::objects::Child;
use crate::observed::{Children, NamedSecrets, Observed, OwnSecrets, Record, SecretContents};

use live::LiveObjects;
pub use live::ServerKey;
use named::Wanted;
use seen::Seen;

/// A Secret of others could not be asked for.
#[derive(Debug, thiserror::Error)]
#[error("read the Secret \"{name}\" in \"{namespace}\"")]
pub struct Error {
    namespace: String,
    name: ObjectName,
    #[source]
    source: named::FindError,
}

impl Error {
    /// What the API server said, if it answered.
    #[must_use]
    pub fn refusal(&self) -> Option<&kube::core::Status> {
        match &self.source {
            named::FindError::Ask(kube::Error::Api(status)) => Some(status),
            named::FindError::Ask(_) | named::FindError::Unanswered => None,
        }
    }
}

impl ServerKey {
    /// The key of a server that the cluster holds.
    #[must_use]
    pub fn of(server: &GrytServer) -> Self {
        Self {
            namespace: server.namespace().unwrap_or_default(),
            name: server.name_any(),
        }
    }
}

/// Collects everything about `server`.
pub(crate) async fn fetch(ctx: &Context, server: &Arc<GrytServer>) -> Result<Observed, Error> {
    let key = ServerKey::of(server);
    let classes = ctx.classes.state();
    let named_secrets = named_secrets(ctx, &key, server, &classes).await?;
    let others = ctx.beside(server);
    let authority_of = authority_of(ctx, &key, server, &others);
    let grounds = Grounds {
        classes: &classes,
        authority_of: &authority_of,
    };
    Ok(Observed {
        claims: claims::of_others(server, &others, grounds),
        cluster: ctx.surroundings.cluster(),
        named_secrets,
        own_secrets: own_secrets(ctx, &key, server, &classes),
        classes,
        children: children(ctx, &key),
        nodes: ctx.surroundings.of(&key).nodes,
        server: Arc::clone(server),
    })
}

/// The children as the caches have them, our last writes included.
pub(crate) fn children(ctx: &Context, key: &ServerKey) -> Children {
    let around = ctx.surroundings.of(key);
    let mut children = Children {
        pods: around.pods,
        job_pods: around.job_pods,
        ..Children::default()
    };
    let Ok(server) = key.name.parse::<ServerName>() else {
        return children;
    };
    let slot = |name: &str, media: bool| -> Option<i32> {
        let rest = name
            .strip_prefix(server.sfu().as_str())?
            .strip_prefix('-')?;
        let number = if media {
            rest.strip_suffix("-media")?
        } else {
            rest
        };
        number.parse().ok()
    };
    for ((kind, name), live) in ctx.live.of(key) {
        match (kind, &live.seen) {
            (Child::Deployment, Seen::Deployment(seen)) => {
                if name == server.signaling() {
                    children.signaling = Some(seen.clone());
                } else if let Some(slot) = slot(&name, false) {
                    children.sfus.insert(slot, seen.clone());
                }
            }
            (Child::Service, Seen::Service(seen)) => {
                if name == server.signaling() {
                    children.web_service = Some(seen.clone());
                } else if let Some(slot) = slot(&name, true) {
                    children.media_services.insert(slot, seen.clone());
                }
            }
            (Child::PersistentVolumeClaim, Seen::Volume(seen)) if name == server.data() => {
                children.volume = Some(seen.clone());
            }
            (Child::HttpRoute, Seen::Route(seen)) if name == server.web() => {
                children.route = Some(seen.clone());
            }
            (Child::Ingress, Seen::Ingress(seen)) if name == server.web() => {
                children.ingress = Some(seen.clone());
            }
            (Child::Job, Seen::Job(seen)) => {
                children.jobs.insert(name, seen.clone());
            }
            (_, _) => {}
        }
    }
    children
}

/// Whose CA the one with the server's id is. Only what stands in the operator's namespace counts.
fn authority_of(
    ctx: &Context,
    key: &ServerKey,
    server: &GrytServer,
    others: &[Arc<GrytServer>],
) -> Vec<ServerKey> {
    let Some(id) = &server.spec.server_id else {
        return Vec::new();
    };
    let wanted = names::authority(id);
    let alone = others
        .iter()
        .all(|other| other.spec.server_id.as_ref() != Some(id) || ServerKey::of(other) == *key);
    // The usual case, without a pass over all CAs.
    if alone && ctx.live.one(key, Child::Secret, &wanted).is_some() {
        return vec![key.clone()];
    }
    ctx.live.holders_of(&wanted)
}

/// The file of the SFUs' private key, as the cache has it.
pub(crate) fn sfu_private_key(live: &LiveObjects, key: &ServerKey) -> Option<Vec<u8>> {
    let name = key.name.parse::<ServerName>().ok()?.sfu_tls();
    let file = |contents: &SecretContents| contents.data.get("tls.key").cloned();
    own_secret(live, key, &name, file)?.map(|file| file.0)
}

fn own_secret<T>(
    live: &LiveObjects,
    key: &ServerKey,
    name: &str,
    read: impl FnOnce(&SecretContents) -> T,
) -> Option<T> {
    match &live.one(key, Child::Secret, name)?.seen {
        Seen::Secret(contents) => Some(read(contents)),
        Seen::Nothing
        | Seen::Deployment(_)
        | Seen::Service(_)
        | Seen::Volume(_)
        | Seen::Route(_)
        | Seen::Ingress(_)
        | Seen::Job(_) => None,
    }
}

fn own_secrets(
    ctx: &Context,
    key: &ServerKey,
    server: &GrytServer,
    classes: &[Arc<GrytServerClass>],
) -> OwnSecrets {
    let Ok(name) = key.name.parse::<ServerName>() else {
        return OwnSecrets::default();
    };
    let find = |name: &str| own_secret(&ctx.live, key, name, SecretContents::clone);
    let id = server.spec.server_id.as_deref();
    OwnSecrets {
        authority: id.and_then(|id| find(&names::authority(id))),
        signaling_tls: find(&name.signaling_tls()),
        sfu_tls: find(&name.sfu_tls()),
        web_tls: find(&name.web_tls()),
        owner: find(&name.owner()),
        backends: id.and_then(|id| record(&ctx.live, key, id, classes)),
    }
}

/// What is kept of the back ends of the server `id`: as a rule under the server's own name, else
/// under that of another.
fn record(
    live: &LiveObjects,
    key: &ServerKey,
    id: &str,
    classes: &[Arc<GrytServerClass>],
) -> Option<Record> {
    let name = names::backends(id);
    let of = |holder: ServerKey| {
        let contents = own_secret(live, &holder, &name, SecretContents::clone)?;
        Some(Record { contents, holder })
    };
    if let Some(own) = of(key.clone()) {
        return Some(own);
    }
    // A pass over all servers, where there may be such a thing at all.
    let kept = |class: &Arc<GrytServerClass>| {
        let backends = &class.spec.backends;
        backends.redis.is_some() || backends.cql.is_some()
    };
    let mut holders = match classes.iter().any(kept) {
        true => live.holders_of(&name),
        false => Vec::new(),
    }
    .into_iter();
    holders.find_map(of)
}

async fn named_secrets(
    ctx: &Context,
    key: &ServerKey,
    server: &GrytServer,
    classes: &[Arc<GrytServerClass>],
) -> Result<NamedSecrets, Error> {
    let candidates = || {
        let pinned = server
            .status
            .as_ref()
            .and_then(|status| status.class_name.as_deref());
        let named = server.spec.class_name.as_deref().or(pinned);
        let serves = move |class: &&Arc<GrytServerClass>| {
            named.map_or(class.spec.default, |name| class.name_any() == name)
        };
        classes.iter().filter(serves)
    };
    // What is no name is not looked for: validate says so, and never does it get into a URL.
    let name_of = |name: &String| name.parse::<ObjectName>().ok();
    let secret_of = |source: Option<&TlsSource>| name_of(source?.secret_name.as_ref()?);

    let pull_secrets = server.spec.template.image_pull_secrets.iter();
    let mut tenant: BTreeSet<ObjectName> = pull_secrets
        .filter_map(|secret| name_of(&secret.name))
        .collect();
    tenant.extend(secret_of(server.spec.tls.as_ref()));
    let issued = server
        .spec
        .tls
        .iter()
        .chain(candidates().filter_map(|class| class.spec.tls.as_ref()));
    if issued.clone().any(|source| source.issuer_ref.is_some())
        && let Ok(name) = key.name.parse::<ServerName>()
    {
        tenant.extend(name_of(&name.web_tls()));
    }
    let certificates: BTreeSet<ObjectName> = candidates()
        .filter_map(|class| secret_of(class.spec.tls.as_ref()))
        .collect();
    let backends = || candidates().map(|class| &class.spec.backends);
    let redis = || backends().filter_map(|backends| backends.redis.as_ref());
    let cql = || backends().filter_map(|backends| backends.cql.as_ref());
    let issuers = backends().flat_map(|backends| &backends.issuers);
    let administrators = redis().map(|redis| &redis.admin_secret_ref);
    let administrators = administrators.chain(cql().map(|cql| &cql.admin_secret_ref));
    let administrators: BTreeSet<ObjectName> = administrators
        .filter_map(|secret| name_of(&secret.name))
        .collect();
    let sentinels = redis().filter_map(|redis| redis.sentinel_secret_ref.as_ref());
    let authorities = redis()
        .map(|redis| &redis.ca_secret_ref)
        .chain(cql().map(|cql| &cql.ca_secret_ref))
        .chain(issuers.map(|issuer| &issuer.ca_secret_ref));
    let files: BTreeSet<ObjectName> = authorities
        .flatten()
        .map(|file| &file.name)
        .chain(sentinels.map(|secret| &secret.name))
        .filter_map(name_of)
        .collect();
    let turn = candidates().flat_map(|class| &class.spec.turn);
    let turn: BTreeSet<ObjectName> = turn
        .filter_map(|turn| name_of(&turn.secret_ref.name))
        .collect();

    let mut secrets = NamedSecrets::default();
    for name in tenant {
        if let Some(found) = find(ctx, &key.namespace, &name, Wanted::Outside).await? {
            secrets.tenant.insert(name.to_string(), found.seen.clone());
        }
    }
    let own = ctx.namespace.as_str();
    for name in certificates {
        if let Some(found) = find(ctx, own, &name, Wanted::Certificate).await? {
            let name = name.to_string();
            let contents = found.contents.clone();
            secrets
                .platform_tls
                .extend(contents.map(|contents| (name.clone(), contents)));
            secrets.platform.insert(name, found.seen.clone());
        }
    }
    for name in turn.into_iter().chain(administrators) {
        // After the certificates: a Secret that is both is seen with all of its keys.
        if let Some(found) = find(ctx, own, &name, Wanted::Keys).await? {
            secrets
                .platform
                .insert(name.to_string(), found.seen.clone());
        }
    }
    for name in files {
        if let Some(found) = find(ctx, own, &name, Wanted::Contents).await? {
            let name = name.to_string();
            let contents = found.contents.clone();
            secrets
                .platform_files
                .extend(contents.map(|contents| (name.clone(), contents)));
            secrets.platform.insert(name, found.seen.clone());
        }
    }
    Ok(secrets)
}

async fn find(
    ctx: &Context,
    namespace: &str,
    name: &ObjectName,
    wanted: Wanted,
) -> Result<Option<Arc<named::Named>>, Error> {
    let found = ctx.named.find(namespace, name, wanted).await;
    found.map_err(|source| Error {
        namespace: namespace.to_owned(),
        name: name.clone(),
        source,
    })
}
