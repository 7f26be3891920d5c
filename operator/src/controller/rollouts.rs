//! Holds a server back on the image that it runs until the rollout of its class lets it go on, and
//! lets its SFUs change one by one.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gryt_runtime::occupancy::Occupancy;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;
use tokio::time::Instant;

use super::reconcile::is_paused;
use crate::apply::compare;
use crate::context::Context;
use crate::crd::{GrytServer, MAX_SFUS};
use crate::events::Notice;
use crate::fetch::ServerKey;
use crate::fetch::seen::Seen;
use crate::names::ServerName;
use crate::objects::{Child, Objects, Prepared, Wanted as _};
use crate::observed::{Children, DeploymentSeen};
use crate::rollout::slots::{SlotSeen, turns};
use crate::rollout::{Limits, Member, Plan, Stage, plan};
use crate::valid::{Slot, ValidImages, ValidServer};
use crate::version::version;

/// When servers were told to take a new image, and who waits for that.
#[derive(Debug, Default)]
pub(crate) struct Rollouts {
    inner: Mutex<Inner>,
}

/// An operator that starts knows of no start. Servers that it finds on their way then keep their
/// places for one deadline more, so that a bad image goes no faster; but what they ran before, and
/// whether people could talk there, nobody knows any more, and so they prove nothing against the
/// image. A rollout that was stopped costs up to `maxConcurrent` servers more until it is again.
#[derive(Debug, Default)]
struct Inner {
    started: HashMap<ServerKey, Start>,
    /// The classes whose servers were looked at since the operator started.
    looked_at: HashSet<Option<String>>,
    /// By class: who was held back, for waking them. Bounded by the servers that exist.
    held: HashMap<Option<String>, BTreeSet<ServerKey>>,
    /// By class: the images whose rollout was stopped and told about.
    stopped: HashMap<Option<String>, String>,
}

#[derive(Debug)]
struct Start {
    at: Instant,
    images: String,
    /// The server's generation. Another one means that its tenant had a hand in it.
    generation: Option<i64>,
    /// One that did not serve before proves nothing against the image.
    was_ready: bool,
    /// SFUs that have come through. With each the server's time begins anew: they go one by one.
    through: usize,
}

/// What a plan looks at of one server.
#[derive(Debug, Clone, Copy)]
struct Sight<'a> {
    key: &'a ServerKey,
    generation: Option<i64>,
    suspended: bool,
    /// It is paused or refused: it takes no turn, so nobody waits for it.
    set_aside: bool,
    /// Its Deployments name the new images.
    current: bool,
    /// All pods of its Deployments are available.
    serves: bool,
    /// How many of its SFUs serve with the new image.
    through: usize,
}

/// What a plan goes by.
#[derive(Debug, Clone, Copy)]
struct Round<'a> {
    images: &'a str,
    ready_deadline: Duration,
    now: Instant,
    /// The first look at this class since the operator started.
    first: bool,
}

impl Inner {
    /// How far a server is; `None` if it is to be left out. Only one that this rollout moved from
    /// serving holds others back for longer than its time: a tenant could stop the whole class's
    /// rollout by a server that cannot start.
    fn stage(&mut self, server: Sight<'_>, round: Round<'_>) -> Option<Stage> {
        let Sight { key, current, .. } = server;
        if server.suspended || (current && server.serves) {
            self.started.remove(key);
            return Some(Stage::Done);
        }
        if server.set_aside {
            return None;
        }
        if current && round.first {
            self.started.entry(key.clone()).or_insert_with(|| Start {
                at: round.now,
                images: round.images.to_owned(),
                generation: server.generation,
                was_ready: false,
                through: server.through,
            });
        }
        let told = self.started.get_mut(key);
        let Some(start) = told.filter(|start| start.images == round.images) else {
            return Some(if current {
                Stage::Done
            } else {
                Stage::Waiting {
                    ready: server.serves,
                }
            });
        };
        if start.generation != server.generation {
            start.was_ready = false;
        }
        if server.through > start.through {
            (start.at, start.through) = (round.now, server.through);
        }
        let had_its_time = round.now.duration_since(start.at) > round.ready_deadline;
        Some(if had_its_time && !start.was_ready {
            Stage::Done
        } else {
            Stage::InFlight {
                since: start.at.into_std(),
            }
        })
    }

    /// Nobody waits twice, whatever class he had before.
    fn release(&mut self, key: &ServerKey) {
        self.held.retain(|_, held| {
            held.remove(key);
            !held.is_empty()
        });
    }
}

impl Rollouts {
    pub(crate) fn forget(&self, key: &ServerKey) {
        let mut inner = self.lock();
        inner.started.remove(key);
        inner.release(key);
    }

    /// Whether the server was told to take these images, and may not have yet.
    fn has_started(&self, key: &ServerKey, images: &ValidImages) -> bool {
        let inner = self.lock();
        let start = inner.started.get(key);
        start.is_some_and(|start| start.images == mark(images))
    }

    fn hold(&self, key: &ServerKey, class: &Option<String>) {
        let mut inner = self.lock();
        inner.release(key);
        inner
            .held
            .entry(class.clone())
            .or_default()
            .insert(key.clone());
    }

    /// Notes that the rollout of these images is stopped. Returns whether that is news.
    fn stop(&self, valid: &ValidServer) -> bool {
        let images = mark(&valid.images);
        let mut inner = self.lock();
        inner
            .stopped
            .insert(valid.class.name.clone(), images.clone())
            != Some(images)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server was held back, and how often to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It runs, or may run, what its class says.
    Free,
    /// It stays on what it runs until it is woken.
    Held,
}

/// Lets `server` take its class's images, or puts those that it runs in their place.
pub(super) async fn take_turn(
    ctx: &Context,
    key: &ServerKey,
    server: &GrytServer,
    children: &Children,
    valid: &mut ValidServer,
) -> Turn {
    let running = running(children, valid);
    if running
        .as_ref()
        .is_none_or(|running| is_same(running, &valid.images))
        || valid.suspended
        || ctx.rollouts.has_started(key, &valid.images)
    {
        ctx.rollouts.lock().release(key);
        return Turn::Free;
    }
    let Some(running) = running else {
        return Turn::Free;
    };
    let was_ready = is_serving(children, valid);
    let starting = || Starting { key, was_ready };
    let mut plan = plan_class(ctx, valid, None);
    if plan.start.contains(key) {
        let anew = was_ready && ctx.prober.look_again(key).await;
        plan = plan_class(ctx, valid, Some(starting()));
        if anew {
            // Calls that began meanwhile may have put others before this one.
            let mut others = plan.start.clone();
            others.retain(|other| other != key);
            ctx.queue.send(others).await;
        }
    }
    if plan.start.contains(key) {
        ctx.rollouts.lock().release(key);
        // The same version in another image is an edit by hand that is being taken back.
        if running.version != valid.images.version {
            let about = server.object_ref(&());
            let message = rolling_out(ctx.prober.occupancy(key), &running, valid);
            tell(ctx, &about, false, "RollingOut", message).await;
        }
        return Turn::Free;
    }
    ctx.rollouts.hold(key, &valid.class.name);
    tell_if_stopped(ctx, &plan, valid).await;
    valid.images = running;
    keep_images(children, valid);
    Turn::Held
}

/// Leaves out of `objects` all SFUs that would change, but for those whose turn it is: they go one
/// by one. What was edited by hand is taken back at once.
pub(super) async fn one_by_one(
    ctx: &Context,
    key: &ServerKey,
    (children, valid): (&Children, &ValidServer),
    objects: &mut Objects<Prepared>,
) {
    if valid.suspended {
        return;
    }
    let changing = changing(ctx, key, valid, objects);
    let next = || turns(&slots(children, valid, &changing, &ctx.prober.calls(key)));
    let serves = |slot: &i32| children.sfus.get(slot).is_some_and(is_rolled_out);
    let mut turn = next();
    // Among several that serve, calls decide.
    if changing.len() > 1 && turn.iter().any(serves) && ctx.prober.look_again(key).await {
        turn = next();
    }
    let waiting = changing.difference(&turn);
    let waiting: BTreeSet<String> = waiting.map(|slot| valid.name.sfu_slot(*slot)).collect();
    hold_back(waiting, objects);
}

/// The slots whose Deployments are as an apply left them, and not as they are wanted by now.
fn changing(
    ctx: &Context,
    key: &ServerKey,
    valid: &ValidServer,
    objects: &Objects<Prepared>,
) -> BTreeSet<i32> {
    let changes = |slot: &&Slot| {
        let name = valid.name.sfu_slot(slot.number);
        let live = ctx.live.one(key, Child::Deployment, &name);
        let applied = live.as_ref().and_then(|live| live.digest.as_ref());
        let wanted = objects.sfus.iter().find(|sfu| sfu.name() == name);
        let wanted = wanted.and_then(|sfu| sfu.body().ok());
        wanted.is_some_and(|body| applied.is_some_and(|old| *old != compare::digest(&body)))
    };
    let slots = valid.wanted_slots().filter(changes);
    slots.map(|slot| slot.number).collect()
}

fn hold_back(waiting: BTreeSet<String>, objects: &mut Objects<Prepared>) {
    objects.sfus.retain(|sfu| !waiting.contains(&sfu.name()));
    objects.awaited.extend(waiting);
}

/// The slots that have a Deployment, as a rollout sees them.
fn slots(
    children: &Children,
    valid: &ValidServer,
    changing: &BTreeSet<i32>,
    calls: &BTreeMap<i32, u32>,
) -> Vec<SlotSeen> {
    sfus(children, valid)
        .map(|(number, seen)| SlotSeen {
            number,
            current: !changing.contains(&number),
            serves: is_rolled_out(seen),
            calls: calls.get(&number).copied(),
        })
        .collect()
}

/// The SFUs of a server that is held keep the images that they run.
fn keep_images(children: &Children, valid: &mut ValidServer) {
    for slot in valid.slots.iter_mut().filter(|slot| !slot.leaving) {
        let seen = children.sfus.get(&slot.number);
        let image = seen.and_then(|seen| seen.image.clone());
        slot.image = image.filter(|image| *image != valid.images.sfu);
    }
}

/// The Deployments of the SFUs that are asked for.
fn sfus<'a>(
    children: &'a Children,
    valid: &'a ValidServer,
) -> impl Iterator<Item = (i32, &'a DeploymentSeen)> {
    let slots = valid.wanted_slots();
    slots.filter_map(|slot| Some((slot.number, children.sfus.get(&slot.number)?)))
}

/// After a reconcile that had its turn: wakes whoever may go on because this server has come
/// through. `valid` has the images of the class.
pub(super) async fn wake_next(ctx: &Context, valid: &ValidServer) {
    let waits = {
        let inner = ctx.rollouts.lock();
        let held = inner.held.get(&valid.class.name);
        held.is_some_and(|held| !held.is_empty())
    };
    if waits {
        let plan = plan_class(ctx, valid, None);
        tell_if_stopped(ctx, &plan, valid).await;
        ctx.queue.send(plan.start).await;
    }
}

/// Time until a server in flight is overdue, if one is.
pub(super) fn deadline(ctx: &Context, key: &ServerKey, valid: &ValidServer) -> Option<Duration> {
    let inner = ctx.rollouts.lock();
    let start = inner.started.get(key)?;
    let left = (start.at + limits(valid).ready_deadline).saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

/// Who takes the new images if the plan lets it.
#[derive(Debug, Clone, Copy)]
struct Starting<'a> {
    key: &'a ServerKey,
    was_ready: bool,
}

/// Plans for all servers that the class of `valid` serves, and notes the start of the one that is
/// starting, so that no other plan is made between.
fn plan_class(ctx: &Context, valid: &ValidServer, starting: Option<Starting<'_>>) -> Plan {
    let now = Instant::now();
    let servers = ctx.servers.state();
    let of_class = servers.iter().filter(|server| {
        let pinned = server
            .status
            .as_ref()
            .and_then(|status| status.class_name.as_ref());
        let class = server.spec.class_name.as_ref().or(pinned);
        class == valid.class.name.as_ref() && server.metadata.deletion_timestamp.is_none()
    });
    let images = mark(&valid.images);
    let limits = limits(valid);
    let refused = ctx.refused();
    let mut inner = ctx.rollouts.lock();
    let round = Round {
        images: &images,
        ready_deadline: limits.ready_deadline,
        now,
        first: inner.looked_at.insert(valid.class.name.clone()),
    };
    let members: Vec<Member> = of_class
        .filter_map(|server| {
            let key = ServerKey::of(server);
            let (signaling, sfus) = deployments(ctx, server, &key)?;
            let is_current =
                |sfu: &&DeploymentSeen| sfu.image.as_deref() == Some(&*valid.images.sfu);
            let sight = Sight {
                key: &key,
                generation: server.metadata.generation,
                suspended: server.spec.suspend,
                set_aside: is_paused(server) || (refused.contains(&key) && key != own_key(valid)),
                current: signaling.image.as_deref() == Some(&*valid.images.signaling)
                    && sfus.iter().all(|sfu| is_current(&sfu)),
                serves: is_rolled_out(&signaling) && sfus.iter().all(is_rolled_out),
                through: sfus
                    .iter()
                    .filter(is_current)
                    .filter(|sfu| is_rolled_out(sfu))
                    .count(),
            };
            let stage = inner.stage(sight, round)?;
            let calls = ctx.prober.occupancy(&key).map(|known| known.calls);
            Some(Member { key, stage, calls })
        })
        .collect();
    let plan = plan(&members, limits, now.into_std());
    if let Some(Starting { key, was_ready }) = starting
        && plan.start.contains(key)
    {
        let start = Start {
            at: now,
            images,
            generation: Some(valid.generation),
            was_ready,
            through: 0,
        };
        inner.started.insert(key.clone(), start);
    }
    plan
}

fn own_key(valid: &ValidServer) -> ServerKey {
    ServerKey {
        namespace: valid.namespace.to_string(),
        name: valid.name.to_string(),
    }
}

/// What a person reads when a server's turn has come.
fn rolling_out(
    occupancy: Option<Occupancy>,
    running: &ValidImages,
    wanted: &ValidServer,
) -> String {
    let begun = format!(
        "Takes version {} in the place of {}",
        wanted.images.version, running.version
    );
    let several = wanted.wanted_slots().count() > 1;
    let ends = if several {
        "its SFUs follow one by one, each ends when its calls have, or after the drain timeout."
    } else {
        "its SFU ends when its calls have, or after the drain timeout."
    };
    match occupancy {
        Some(Occupancy { calls: 0, .. }) => format!("{begun}; nobody is in a call."),
        Some(Occupancy {
            calls,
            participants,
        }) => {
            let ends = ends.replacen("its", "Its", 1);
            format!("{begun}; calls: {calls} with {participants} in them. {ends}")
        }
        None => format!("{begun}; {ends}"),
    }
}

fn limits(valid: &ValidServer) -> Limits {
    let rollout = &valid.class.spec.rollout;
    Limits {
        max_concurrent: usize::try_from(rollout.max_concurrent).unwrap_or(1),
        ready_deadline: Duration::from_secs(
            u64::try_from(rollout.ready_deadline_seconds).unwrap_or(300),
        ),
    }
}

/// Signaling's Deployment and those of the SFUs that are asked for, as far as there are any. An
/// SFU that waits for an address of the cluster says nothing about an image.
fn deployments(
    ctx: &Context,
    server: &GrytServer,
    key: &ServerKey,
) -> Option<(DeploymentSeen, Vec<DeploymentSeen>)> {
    let name: ServerName = key.name.parse().ok()?;
    let find = |name: &str| {
        let live = ctx.live.one(key, Child::Deployment, name)?;
        if let Seen::Deployment(seen) = &live.seen {
            Some(seen.clone())
        } else {
            None
        }
    };
    let slots = 0..server.spec.sfu.replicas.clamp(1, MAX_SFUS);
    let sfus: Vec<_> = slots
        .filter_map(|slot| find(&name.sfu_slot(slot)))
        .collect();
    let signaling = find(&name.signaling())?;
    (!sfus.is_empty()).then_some((signaling, sfus))
}

/// The images that the server's Deployments name, if it has both. Of its SFUs one that differs
/// from what is wanted speaks for all.
fn running(children: &Children, valid: &ValidServer) -> Option<ValidImages> {
    let signaling = children.signaling.as_ref()?.image.clone()?;
    let images = || sfus(children, valid).filter_map(|(_, seen)| seen.image.as_ref());
    let other = images().find(|image| **image != valid.images.sfu);
    let sfu = other.or_else(|| images().next())?.clone();
    Some(ValidImages {
        version: version(&signaling),
        signaling,
        sfu,
        pull_policy: valid.images.pull_policy,
    })
}

fn is_same(one: &ValidImages, other: &ValidImages) -> bool {
    one.signaling == other.signaling && one.sfu == other.sfu
}

fn mark(images: &ValidImages) -> String {
    format!("{} {}", images.signaling, images.sfu)
}

fn is_serving(children: &Children, valid: &ValidServer) -> bool {
    children.signaling.as_ref().is_some_and(is_rolled_out)
        && sfus(children, valid).all(|(_, seen)| is_rolled_out(seen))
}

fn is_rolled_out(seen: &DeploymentSeen) -> bool {
    seen.observed_generation >= seen.generation
        && seen.wanted > 0
        && seen.updated == seen.wanted
        && seen.replicas == seen.wanted
        && seen.available == seen.wanted
}

/// Tells once for each image whose rollout is stopped.
async fn tell_if_stopped(ctx: &Context, plan: &Plan, valid: &ValidServer) {
    if plan.overdue.is_empty() || plan.waiting == 0 || !ctx.rollouts.stop(valid) {
        return;
    }
    let message = stopped(plan, valid);
    // The Event is for everybody who may look at the class; who is late is for the platform.
    let late: Vec<String> = plan
        .overdue
        .iter()
        .take(5)
        .map(|key| format!("{}/{}", key.namespace, key.name))
        .collect();
    let late = late.join(", ");
    tracing::warn!(class = valid.class.name, message, late, "rollout stopped");
    let classes = ctx.classes.state();
    let class = classes
        .iter()
        .find(|class| class.metadata.name == valid.class.name);
    if let Some(class) = class {
        let about = class.object_ref(&());
        tell(ctx, &about, true, "RolloutStopped", message).await;
    }
}

fn stopped(plan: &Plan, valid: &ValidServer) -> String {
    format!(
        "Stopped the rollout of version {} with {} servers to go: {} not ready in time.",
        valid.images.version,
        plan.waiting,
        plan.overdue.len()
    )
}

async fn tell(
    ctx: &Context,
    about: &ObjectReference,
    warning: bool,
    reason: &str,
    message: String,
) {
    let notice = Notice {
        warning,
        reason: reason.to_owned(),
        message,
    };
    ctx.events.tell(about, notice).await;
}
