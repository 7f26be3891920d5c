//! The watch of the GrytServers: whom a change of one concerns. Servers are reconciled when somebody
//! changed what they ask for, never for our own status.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use kube::api::Api;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{Config, Event};

use super::{Listed, follow};
use crate::claims;
use crate::context::Context;
use crate::crd::GrytServer;
use crate::fetch::ServerKey;

/// Follows the GrytServers for ever.
pub(super) async fn watch(
    ctx: Arc<Context>,
    api: Api<GrytServer>,
    config: Config,
    mut writer: Writer<GrytServer>,
    listed: Listed,
) {
    let mut known = Known::default();
    let watched = Arc::clone(&ctx);
    follow(&ctx, api, config, &listed, move |mut event| {
        if let Event::Apply(server) | Event::InitApply(server) = &mut event {
            server.metadata.managed_fields = None;
        }
        writer.apply_watcher_event(&event);
        if matches!(event, Event::InitDone) {
            watched.servers_listed.send_replace(true);
        }
        server_event(&watched, &mut known, event)
    })
    .await;
}

/// What was known of the servers before an event.
#[derive(Debug, Default)]
struct Known {
    asked: HashMap<ServerKey, Asked>,
    /// Those whose claims the listing that goes on shows changed.
    changed: BTreeSet<ServerKey>,
    /// There was a listing already.
    listed: bool,
}

/// Names whom an event concerns, after the cache has taken it.
fn server_event(ctx: &Context, known: &mut Known, event: Event<GrytServer>) -> Vec<ServerKey> {
    let mut concerned = Vec::new();
    let mut freed = false;
    match event {
        Event::Apply(server) => {
            ctx.claimants().put(&server);
            let changed = known.learn(ctx, &server, &mut concerned);
            if changed.claims {
                concerned.extend(rivals(ctx, &[&server]));
            }
            freed = changed.freed;
        }
        Event::InitApply(server) => {
            ctx.claimants().put(&server);
            let changed = known.learn(ctx, &server, &mut concerned);
            if changed.claims && known.listed {
                known.changed.insert(ServerKey::of(&server));
            }
            freed = changed.freed;
        }
        Event::Delete(server) => {
            let key = ServerKey::of(&server);
            known.asked.remove(&key);
            ctx.claimants().remove(&key);
            ctx.forget(&key);
            freed = true;
        }
        Event::Init => known.changed.clear(),
        Event::InitDone => {
            let held: BTreeSet<ServerKey> = ctx.all_servers().into_iter().collect();
            let gone = known.asked.extract_if(|key, _| !held.contains(key));
            for (key, _) in gone {
                ctx.claimants().remove(&key);
                ctx.forget(&key);
                freed = true;
            }
            let changed = std::mem::take(&mut known.changed).into_iter();
            let changed = changed.filter_map(|key| ctx.server(&key));
            let changed: Vec<Arc<GrytServer>> = changed.collect();
            let changed: Vec<&GrytServer> = changed.iter().map(AsRef::as_ref).collect();
            concerned.extend(rivals(ctx, &changed));
            known.listed = true;
            ctx.sweep.notify_one();
        }
    }
    if freed {
        concerned.extend(ctx.refused());
    }
    concerned
}

impl Known {
    /// Takes a server as a watch shows it.
    fn learn(
        &mut self,
        ctx: &Context,
        server: &GrytServer,
        concerned: &mut Vec<ServerKey>,
    ) -> Changed {
        let key = ServerKey::of(server);
        ctx.caught_up(server);
        let asked = Asked::of(server);
        let before = self.asked.insert(key.clone(), asked);
        if before.is_none_or(|before| before.all != asked.all) {
            concerned.push(key);
        }
        Changed {
            claims: before
                .is_none_or(|before| before.claims != asked.claims || before.holds != asked.holds),
            freed: before.is_some_and(|before| {
                before.claims != asked.claims
                    || before.holds.is_some() && before.holds != asked.holds
            }),
        }
    }
}

/// What a server's news may decide for others.
#[derive(Debug, Clone, Copy)]
struct Changed {
    /// It claims something else than before, or is new.
    claims: bool,
    /// It may have given up what others wait for.
    freed: bool,
}

/// The servers that claim something that one of `changed` claims too: whoever has it now may have
/// to give it up, or to move.
fn rivals(ctx: &Context, changed: &[&GrytServer]) -> Vec<ServerKey> {
    let mut rivals = Vec::new();
    for changed in changed {
        let others = ctx.beside(changed).into_iter();
        let met = others.filter(|other| {
            changed.metadata.uid != other.metadata.uid && claims::meet(changed, other)
        });
        rivals.extend(met.map(|other| ServerKey::of(&other)));
    }
    rivals
}

/// What a server asks for and what it holds, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    all: u64,
    claims: u64,
    /// What its status shows that nobody else may have; `None` where it shows nothing.
    holds: Option<u64>,
}

impl Asked {
    fn of(server: &GrytServer) -> Self {
        let metadata = &server.metadata;
        let mut all = DefaultHasher::new();
        metadata.uid.hash(&mut all);
        metadata.generation.hash(&mut all);
        metadata.annotations.hash(&mut all);
        metadata.deletion_timestamp.is_some().hash(&mut all);
        let mut claims = DefaultHasher::new();
        metadata.uid.hash(&mut claims);
        server.spec.hostname.hash(&mut claims);
        server.spec.server_id.hash(&mut claims);
        server.spec.class_name.hash(&mut claims);
        let reached_by = claims::reached_by(server);
        let ports = claims::ports(server);
        let mut holds = DefaultHasher::new();
        (reached_by, &ports).hash(&mut holds);
        Self {
            all: all.finish(),
            claims: claims.finish(),
            holds: (reached_by.is_some() || !ports.is_empty()).then(|| holds.finish()),
        }
    }
}
