//! Brings prepared objects to the cluster: one server-side apply for each that is missing or not
//! as wanted, none for all others; deletes children that are no longer wanted.
//!
//! Safe to stop after any line: whatever was written is what the next run finds.

pub(crate) mod compare;

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::build::Services;
use crate::context::Context;
use crate::fetch::ServerKey;
use crate::fetch::live::{self, Judgement};
use crate::fetch::object::Object;
use crate::fetch::seen::Seen;
use crate::labels::{INSTANCE_LABEL, SERVER_NAMESPACE_LABEL};
use crate::metrics::Verb;
use crate::objects::{Applied, Child, Objects, Prepared, Wanted};

/// The operator's field manager. There is only this one.
pub const FIELD_MANAGER: &str = "gryt-operator";
/// A write that takes longer counts as failed.
pub(crate) const WRITE_LIMIT: Duration = Duration::from_secs(20);
/// A version that no object has, as etcd counts its first write as 2. An apply with it makes an
/// object or conflicts with the one that is there (kubernetes/kubernetes#106745).
const NO_VERSION: &str = "1";

/// A child could not be brought to what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object cannot be written as JSON.
    #[error("serialize {kind:?} \"{name}\"")]
    Serialize {
        /// Its kind.
        kind: Child,
        /// Its name.
        name: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The API server refused or could not be reached.
    #[error("{verb} {kind:?} \"{name}\"")]
    Write {
        /// What was tried.
        verb: &'static str,
        /// The object's kind.
        kind: Child,
        /// Its name.
        name: String,
        /// Why not.
        #[source]
        source: kube::Error,
    },
    /// The API server did not answer in time.
    #[error("{verb} {kind:?} \"{name}\": no answer in time")]
    Unanswered {
        /// What was tried.
        verb: &'static str,
        /// The object's kind.
        kind: Child,
        /// Its name.
        name: String,
    },
    /// Something of this kind and name stands there that is nobody's child of ours. Taking it over
    /// would give it to the garbage collector together with the server.
    #[error(
        "{kind:?} \"{name}\" exists already and wasn't made for this GrytServer: remove it, or \
         give the GrytServer another name"
    )]
    Taken {
        /// The object's kind.
        kind: Child,
        /// Its name.
        name: String,
    },
    /// The server was deleted while it was being applied.
    #[error("the GrytServer is gone")]
    Gone,
    /// An earlier GrytServer of this name owns it and the garbage collector has not come by yet.
    #[error("{kind:?} \"{name}\" still belongs to another GrytServer")]
    OwnedByAnother {
        /// The object's kind.
        kind: Child,
        /// Its name.
        name: String,
    },
}

impl Error {
    /// What the API server said, if it answered.
    #[must_use]
    pub fn refusal(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Write {
                source: kube::Error::Api(status),
                ..
            } => Some(status),
            Self::Write { .. }
            | Self::Serialize { .. }
            | Self::Unanswered { .. }
            | Self::Taken { .. }
            | Self::Gone
            | Self::OwnedByAnother { .. } => None,
        }
    }
}

/// Applies all `objects` of the server `key` with this `uid`, in the order of their fields.
pub(crate) async fn apply(
    ctx: &Context,
    key: &ServerKey,
    uid: &str,
    objects: Objects<Prepared>,
) -> Result<Objects<Applied>, Error> {
    let wanted = objects.children();
    let mut to = Target {
        ctx,
        key,
        uid,
        leaving: false,
        refused: None,
    };
    for (kind, object) in objects.remembered() {
        to.bring(kind, object).await?;
    }
    if let Some(error) = to.refused {
        return Err(error);
    }
    for (kind, object) in objects.wanted() {
        to.bring(kind, object).await?;
    }

    for ((kind, name), live) in ctx.live.of(key) {
        let ours = live.owners.iter().any(|owner| owner == uid);
        let superfluous = match kind {
            // Kubernetes removes it some time after its end, and until then its log can be read.
            Child::Job => !matches!(&live.seen, Seen::Job(job) if job.complete),
            // Data goes with its server, or by the hand of a person.
            Child::PersistentVolumeClaim => false,
            Child::ServiceAccount
            | Child::Secret
            | Child::ConfigMap
            | Child::NetworkPolicy
            | Child::PodDisruptionBudget
            | Child::Service
            | Child::Certificate
            | Child::HttpRoute
            | Child::Ingress
            | Child::Deployment => ours,
        };
        if superfluous && !live.terminating && !wanted.contains(&(kind, name.clone())) {
            let deleted = to.delete(kind, &name, &live.uid).await;
            to.noted(deleted)?;
        }
    }
    if let Some(error) = to.refused {
        return Err(error);
    }
    Ok(objects.applied())
}

/// Applies only the Services, whose ports the API server assigns at once: what announces them is
/// then built once and right.
pub(crate) async fn apply_services(
    ctx: &Context,
    key: &ServerKey,
    uid: &str,
    services: &Services,
) -> Result<(), Error> {
    let Services {
        media,
        sfus,
        signaling,
    } = services;
    let mut to = Target {
        ctx,
        key,
        uid,
        leaving: false,
        refused: None,
    };
    for service in media.iter().chain(sfus).chain([signaling]) {
        to.bring(Child::Service, service).await?;
    }
    Ok(())
}

/// Applies one Job of a server that is being deleted, and ends its other Jobs.
pub(crate) async fn apply_job(
    ctx: &Context,
    key: &ServerKey,
    uid: &str,
    job: &Job,
) -> Result<(), Error> {
    let mut to = Target {
        ctx,
        key,
        uid,
        leaving: true,
        refused: None,
    };
    for ((kind, name), live) in ctx.live.of(key) {
        if kind == Child::Job && !live.terminating && name != job.name_any() {
            to.delete(kind, &name, &live.uid).await?;
        }
    }
    to.bring(Child::Job, job).await?;
    to.refused.map_or(Ok(()), Err)
}

/// Where the objects go.
struct Target<'a> {
    ctx: &'a Context,
    key: &'a ServerKey,
    uid: &'a str,
    /// It is being deleted.
    leaving: bool,
    /// The first child that the API server refused. The others are applied all the same: one
    /// that cannot be must not keep a server from being repaired.
    refused: Option<Error>,
}

impl Target<'_> {
    /// By its owner; what has none because it lives in our own namespace, by its labels.
    fn is_ours(&self, object: &PartialObjectMeta<Object>) -> bool {
        let label = |name: &str| object.labels().get(name).map(String::as_str);
        let owners = object.owner_references();
        owners.iter().any(|owner| owner.uid == self.uid)
            || (object.metadata.namespace.as_deref() == Some(self.ctx.namespace.as_str())
                && label(SERVER_NAMESPACE_LABEL) == Some(&self.key.namespace)
                && label(INSTANCE_LABEL) == Some(&self.key.name))
    }

    async fn bring(&mut self, kind: Child, object: &dyn Wanted) -> Result<(), Error> {
        let name = object.name();
        let wanted = object.body().map_err(|source| Error::Serialize {
            kind,
            name: name.clone(),
            source,
        })?;
        let done = self.one(kind, &object.namespace(), &name, wanted).await;
        self.noted(done)
    }

    /// Goes on after a refusal, stops at everything else.
    fn noted(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Err(error) if error.refusal().is_some() => {
                self.refused.get_or_insert(error);
                Ok(())
            }
            done => done,
        }
    }

    async fn one(
        &self,
        kind: Child,
        namespace: &str,
        name: &str,
        mut wanted: Value,
    ) -> Result<(), Error> {
        let objects = &self.ctx.live;
        let digest = compare::digest(&wanted);
        match objects.judge(self.key, kind, name, &digest) {
            Judgement::Holds => return Ok(()),
            Judgement::Terminating => {
                // Its end is an event that brings us back.
                tracing::debug!(?kind, name, "waits until its predecessor is gone");
                return Ok(());
            }
            Judgement::Compare(live, fingerprint) => {
                if compare::holds(&wanted, &live) {
                    objects.confirm(self.key, (kind, name), &digest, fingerprint);
                    return Ok(());
                }
            }
            Judgement::Missing | Judgement::Differs => {}
        }
        if let Some(live) = objects.one(self.key, kind, name)
            && !live.owners.is_empty()
            && !live.owners.iter().any(|owner| owner == self.uid)
        {
            let name = name.to_owned();
            return Err(Error::OwnedByAnother { kind, name });
        }
        if !self.leaving && !self.ctx.holds(self.key, self.uid) {
            return Err(Error::Gone);
        }
        wanted["metadata"]["annotations"][compare::APPLIED_ANNOTATION] = Value::from(&*digest);
        let written = match objects.one(self.key, kind, name) {
            Some(_) => self.write(kind, namespace, name, &wanted).await?,
            None => self.create(kind, namespace, name, &mut wanted).await?,
        };
        tracing::debug!(?kind, name, "applied");
        let found = live::read(kind, &written).compared();
        let fingerprint = found.live.fingerprint;
        objects.put(self.key.clone(), kind, name.to_owned(), found);
        objects.confirm(self.key, (kind, name), &digest, fingerprint);
        Ok(())
    }

    /// The first apply. Our watches see only what carries our labels, so something of somebody
    /// else's may stand there, and an apply would take it over.
    async fn create(
        &self,
        kind: Child,
        namespace: &str,
        name: &str,
        wanted: &mut Value,
    ) -> Result<Object, Error> {
        wanted["metadata"]["resourceVersion"] = Value::from(NO_VERSION);
        let created = self.apply_with_ports(kind, namespace, name, wanted).await;
        if let Some(metadata) = wanted["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        if !created.as_ref().is_err_and(|error| is_status(error, 409)) {
            return created;
        }
        let api = self.api(kind, namespace);
        match self.look_for(&api, kind, name).await? {
            Some(found) if self.is_ours(&found) => {
                self.apply_with_ports(kind, namespace, name, wanted).await
            }
            Some(_) => {
                let name = name.to_owned();
                Err(Error::Taken { kind, name })
            }
            // Another conflict, such as a quota that was counted twice at once.
            None => created,
        }
    }

    /// One apply. Where somebody added items to a list that is ours, apply alone cannot remove
    /// them, and the sum may even be invalid: then the lists are set as a whole first.
    async fn write(
        &self,
        kind: Child,
        namespace: &str,
        name: &str,
        wanted: &Value,
    ) -> Result<Object, Error> {
        let applied = self.apply_with_ports(kind, namespace, name, wanted).await;
        let repairable = kind != Child::PersistentVolumeClaim
            && match &applied {
                Ok(object) => {
                    let live = serde_json::from_str(&object.steady()).unwrap_or_default();
                    !compare::holds(wanted, &live)
                }
                Err(error) => is_status(error, 422) || is_status(error, 409),
            };
        if !repairable {
            return applied;
        }
        tracing::info!(?kind, name, "takes back what was added by hand");
        let api = self.api(kind, namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(wanted);
        let merged = timeout(WRITE_LIMIT, api.patch(name, &params, &patch)).await;
        self.ctx.metrics.wrote(kind, Verb::Patch);
        answer(merged, "patch", kind, name)?;
        self.give_up_the_update(&api, kind, name).await?;
        self.apply_once(kind, namespace, name, wanted).await
    }

    /// A patch makes us an owner once more, beside our apply, and a field with two owners stays when
    /// one of them gives it up. So only the apply's share is left.
    async fn give_up_the_update(
        &self,
        api: &Api<Object>,
        kind: Child,
        name: &str,
    ) -> Result<(), Error> {
        let Some(object) = self.look_for(api, kind, name).await? else {
            return Ok(());
        };
        let mut managed = object.metadata.managed_fields.unwrap_or_default();
        managed.retain(|entry| {
            entry.manager.as_deref() != Some(FIELD_MANAGER)
                || entry.operation.as_deref() == Some("Apply")
                || entry.subresource.is_some()
        });
        let rest = json!({"metadata": {
            "resourceVersion": object.metadata.resource_version,
            "managedFields": managed,
        }});
        let params = PatchParams::default();
        let patch = Patch::Merge(&rest);
        let patched = timeout(WRITE_LIMIT, api.patch_metadata(name, &params, &patch)).await;
        self.ctx.metrics.wrote(kind, Verb::Patch);
        answer(patched, "patch", kind, name)?;
        Ok(())
    }

    /// What stands under this name, whoever made it.
    async fn look_for(
        &self,
        api: &Api<Object>,
        kind: Child,
        name: &str,
    ) -> Result<Option<PartialObjectMeta<Object>>, Error> {
        // As a list, which the operator may do already for its watches.
        let by_name = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = timeout(WRITE_LIMIT, api.list_metadata(&by_name)).await;
        let found = answer(found, "look for", kind, name)?;
        Ok(found.items.into_iter().next())
    }

    /// One apply, and one more if it asks for a nodePort that it cannot have.
    async fn apply_with_ports(
        &self,
        kind: Child,
        namespace: &str,
        name: &str,
        wanted: &Value,
    ) -> Result<Object, Error> {
        let applied = self.apply_once(kind, namespace, name, wanted).await;
        if applied.as_ref().is_err_and(|error| is_status(error, 422))
            && let Some(any_port) = compare::without_node_ports(wanted)
        {
            // Somebody has it by now, or it lies outside of the range.
            tracing::info!(?kind, name, "takes another nodePort than it had");
            return self.apply_once(kind, namespace, name, &any_port).await;
        }
        applied
    }

    async fn apply_once(
        &self,
        kind: Child,
        namespace: &str,
        name: &str,
        wanted: &Value,
    ) -> Result<Object, Error> {
        let api = self.api(kind, namespace);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(wanted);
        let written = timeout(WRITE_LIMIT, api.patch(name, &params, &patch)).await;
        self.ctx.metrics.wrote(kind, Verb::Apply);
        answer(written, "apply", kind, name)
    }

    async fn delete(&self, kind: Child, name: &str, uid: &str) -> Result<(), Error> {
        let namespace = if kind == Child::Job {
            self.ctx.namespace.as_str()
        } else {
            &self.key.namespace
        };
        let api = self.api(kind, namespace);
        let params = DeleteParams::background().preconditions(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        });
        let deleted = timeout(WRITE_LIMIT, api.delete(name, &params)).await;
        self.ctx.metrics.wrote(kind, Verb::Delete);
        match answer(deleted, "delete", kind, name) {
            Ok(_) => tracing::info!(?kind, name, "deleted what is no longer wanted"),
            // Gone already, or another of the same name by now.
            Err(error) if is_status(&error, 404) || is_status(&error, 409) => {}
            Err(error) => return Err(error),
        }
        self.ctx.live.remove(self.key, kind, name, uid);
        Ok(())
    }

    fn api(&self, kind: Child, namespace: &str) -> Api<Object> {
        let client = self.ctx.client.clone();
        Api::namespaced_with(client, namespace, &kind.api_resource())
    }
}

fn is_status(error: &Error, code: u16) -> bool {
    error.refusal().is_some_and(|status| status.code == code)
}

fn answer<T>(
    answered: Result<Result<T, kube::Error>, tokio::time::error::Elapsed>,
    verb: &'static str,
    kind: Child,
    name: &str,
) -> Result<T, Error> {
    let name = || name.to_owned();
    match answered {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(source)) => Err(Error::Write {
            verb,
            kind,
            name: name(),
            source,
        }),
        Err(_elapsed) => Err(Error::Unanswered {
            verb,
            kind,
            name: name(),
        }),
    }
}
