//! The volume: within the class's limit, never smaller than it is, never another server's.

use kube::ResourceExt as _;

use super::Names;
use crate::class::ResolvedClass;
use crate::crd::ADOPT_ANNOTATION;
use crate::observed::{Observed, VolumeSeen};
use crate::quantity::bytes;
use crate::refusal::{Reason, Refusal};
use crate::valid::ValidStorage;

pub(super) fn resolve(
    observed: &Observed,
    names: &Names,
    class: &ResolvedClass,
    refusals: &mut Vec<Refusal>,
) -> ValidStorage {
    let storage = &observed.server.spec.storage;
    let size = bytes(&storage.size);
    if size.is_none() {
        refusals.push(Refusal::new(
            Reason::InvalidSpec,
            format!("spec.storage.size: \"{}\" is no size.", storage.size),
        ));
    }
    let has = observed.children.volume.as_ref();
    let has = has.and_then(|volume| volume.requested.as_deref());
    // A limit that came after the volume can't ask for what no volume can do.
    if let Some(limit) = &class.spec.limits.max_storage
        && size > bytes(limit)
        && size > has.and_then(bytes)
    {
        let down_to = has.map_or_else(String::new, |has| {
            format!(", but no less than the {has} that the volume has")
        });
        refusals.push(Refusal::new(
            Reason::StorageAboveLimit,
            format!(
                "spec.storage.size is {}, and {} allows {limit} at most: ask for less{down_to}, or ask the platform to raise limits.maxStorage.",
                storage.size,
                class.title()
            ),
        ));
    }
    if let Some(volume) = &observed.children.volume {
        refusals.extend(check_owner(observed, names, volume));
        refusals.extend(check_volume(observed, names, volume));
    }
    ValidStorage {
        size: storage.size.clone(),
        storage_class_name: storage.storage_class_name.clone(),
    }
}

/// A volume that this object doesn't own is taken over only if both say so.
fn check_owner(observed: &Observed, names: &Names, volume: &VolumeSeen) -> Option<Refusal> {
    let server = &observed.server;
    if volume.owner_uid.is_some() && volume.owner_uid == server.metadata.uid {
        return None;
    }
    let id = names.id.as_str();
    let annotations = server.metadata.annotations.as_ref();
    let adopted = annotations.and_then(|annotations| annotations.get(ADOPT_ANNOTATION));
    if volume.server_id.as_deref() == Some(id) && adopted.map(String::as_str) == Some(id) {
        return None;
    }
    let name = names.name.data();
    let whose = match &volume.server_id {
        Some(other) if other != id => format!("holds the data of the server {other}"),
        Some(_) | None => "wasn't made for this GrytServer".to_owned(),
    };
    Some(Refusal::new(
        Reason::VolumeOfAnotherServer,
        format!(
            "The PersistentVolumeClaim \"{name}\" {whose}: delete it, or take its data over with that server's id in spec.serverId and in the annotation {ADOPT_ANNOTATION}."
        ),
    ))
}

fn check_volume(observed: &Observed, names: &Names, volume: &VolumeSeen) -> Vec<Refusal> {
    let storage = &observed.server.spec.storage;
    let name = names.name.data();
    // The operator may not delete claims, whose volumes hold what people wrote: a person may.
    let or_anew = if volume.was_never_bound() {
        let namespace = observed.server.namespace().unwrap_or_default();
        format!(
            " No volume was ever bound to this claim: after kubectl delete persistentvolumeclaim {name} --namespace {namespace} it is made anew."
        )
    } else {
        String::new()
    };
    let mut refusals = Vec::new();
    if let Some(requested) = &volume.requested
        && bytes(&storage.size) < bytes(requested)
    {
        refusals.push(Refusal::new(
            Reason::StorageCannotShrink,
            format!(
                "spec.storage.size is {}, but a volume can't shrink: it has {requested} (PersistentVolumeClaim \"{name}\"). Ask for at least {requested}.{or_anew}",
                storage.size
            ),
        ));
    }
    if let (Some(wanted), Some(has)) = (&storage.storage_class_name, &volume.storage_class_name)
        && wanted != has
    {
        refusals.push(Refusal::new(
            Reason::StorageClassFixed,
            format!(
                "spec.storage.storageClassName is \"{wanted}\", but the PersistentVolumeClaim \"{name}\" has \"{has}\", which can't change: set it back.{or_anew}"
            ),
        ));
    }
    refusals
}
