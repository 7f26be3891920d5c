//! What each part of a server does, in words that a person can act on.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Facts, Outcome, backends, previous_conditions};
use crate::conditions::{
    Draft, MEDIA_AVAILABLE, SIGNALING_AVAILABLE, STORAGE_READY, TLS_READY, Truth, find,
};
use crate::crd::WebType;
use crate::observed::{
    Children, Component, DeploymentSeen, PodSeen, PodTrouble, RouteSeen, VolumeSeen,
};
use crate::quantity::bytes;
use crate::valid::{Announced, Pending, Tls, ValidServer, Web};

/// The reason of a Deployment that doesn't come up.
const STUCK: &str = "PodsNotCreated";
/// The reason of a part that isn't there.
const NOT_CREATED: &str = "NotCreated";
/// The reason of a server without a volume, that has none to have.
const NOT_NEEDED: &str = "NotNeeded";
/// The reason of a volume that is gone.
const LOST: &str = "VolumeLost";

/// Certificate, volume, back ends, signaling, SFUs. Certificate and back ends only of a server that
/// was validated.
pub(super) fn parts(facts: &Facts<'_>) -> Vec<Draft> {
    let mut parts = Vec::new();
    if let Some(valid) = facts.outcome.valid() {
        parts.push(tls(facts, valid));
    }
    parts.push(storage(facts));
    if let Some(valid) = facts.outcome.valid() {
        parts.extend(backends::parts(facts, valid));
    }
    parts.push(available(facts, Component::Signaling));
    parts.push(available(facts, Component::Sfu));
    parts
}

/// "ready/wanted".
pub(super) fn count(facts: &Facts<'_>, component: Component) -> String {
    let deployments = deployments(facts, component);
    let ready: i32 = deployments.iter().map(|seen| seen.ready).sum();
    format!("{ready}/{}", wanted(facts, component))
}

/// The version that serves. While pods of two versions do, the one that was there before.
pub(super) fn version(facts: &Facts<'_>) -> Option<String> {
    let pods = facts.children.pods.iter();
    let serves = |pod: &&PodSeen| {
        pod.component == Component::Signaling && pod.ready && !pod.terminating && !pod.ended
    };
    let versions: Vec<&String> = pods
        .filter(serves)
        .filter_map(|pod| pod.version.as_ref())
        .collect();
    let before = facts.server.status.as_ref();
    let before = before.and_then(|status| status.version.as_ref());
    let stays = before.filter(|before| versions.contains(before));
    stays.or_else(|| versions.first().copied()).cloned()
}

/// Without SFUs that are leaving, as far as that is known.
fn deployments<'a>(facts: &Facts<'a>, component: Component) -> Vec<&'a DeploymentSeen> {
    match component {
        Component::Signaling => facts.children.signaling.iter().collect(),
        Component::Sfu => sfus(facts).map(|(_, seen)| seen).collect(),
    }
}

fn sfus<'a>(facts: &Facts<'a>) -> impl Iterator<Item = (i32, &'a DeploymentSeen)> {
    let valid = facts.outcome.valid();
    let stays = move |slot: i32| {
        valid.is_none_or(|valid| valid.wanted_slots().any(|wanted| wanted.number == slot))
    };
    let sfus = facts.children.sfus.iter();
    sfus.map(|(slot, seen)| (*slot, seen))
        .filter(move |(slot, _)| stays(*slot))
}

/// What is asked for; of a refused server what its Deployments still have.
fn wanted(facts: &Facts<'_>, component: Component) -> i32 {
    match (facts.outcome.valid(), component) {
        (Some(valid), _) if valid.suspended => 0,
        (Some(valid), Component::Signaling) => valid.signaling_replicas,
        (Some(valid), Component::Sfu) => {
            i32::try_from(valid.wanted_slots().count()).unwrap_or(i32::MAX)
        }
        (None, component) => deployments(facts, component)
            .iter()
            .map(|seen| seen.wanted)
            .sum(),
    }
}

fn available(facts: &Facts<'_>, component: Component) -> Draft {
    let (type_, noun) = match component {
        Component::Signaling => (SIGNALING_AVAILABLE, "signaling"),
        Component::Sfu => (MEDIA_AVAILABLE, "SFU"),
    };
    let draft = |truth, reason: &str, message: String| Draft::new(type_, truth, reason, message);
    if facts.outcome.valid().is_some_and(|valid| valid.suspended) {
        let message = format!("spec.suspend is true: no {noun} pod is wanted.");
        return draft(Truth::False, "Suspended", message);
    }
    let wanted = wanted(facts, component);
    let seen = deployments(facts, component);
    let available: i32 = seen.iter().map(|seen| seen.available).sum();
    if wanted > 0 && available >= wanted {
        let message = format!("{available} of {wanted} {noun} pods are available.");
        return draft(Truth::True, "Available", message);
    }
    if wanted == 0 {
        let message = format!("There is no {noun} pod{}.", yet(facts));
        return draft(Truth::False, NOT_CREATED, message);
    }
    if component == Component::Sfu && wanted > 1 {
        return missing_sfu(facts, wanted, available);
    }
    if let Some(trouble) = seen.iter().find_map(|seen| seen.trouble.as_ref()) {
        return draft(Truth::False, STUCK, stuck(noun, trouble));
    }
    if let Some(trouble) = pod_trouble(facts.children, component, None) {
        let image = seen.iter().find_map(|seen| seen.image.as_deref());
        let (reason, message) = explain(trouble, noun, image.unwrap_or_default());
        return draft(Truth::False, reason, message.into_owned());
    }
    if seen.is_empty()
        && let Some((reason, message)) = awaited(facts, component)
    {
        return draft(Truth::False, reason, message);
    }
    let message = format!("{available} of {wanted} {noun} pods are available.");
    draft(Truth::False, "Progressing", message)
}

/// What isn't there comes, unless the operator keeps its hands off.
fn yet(facts: &Facts<'_>) -> &'static str {
    if matches!(facts.outcome, Outcome::Paused) {
        ""
    } else {
        " yet"
    }
}

/// Of several SFUs that are not all available: which one isn't, and why. The first for which a
/// reason is known speaks for all.
fn missing_sfu(facts: &Facts<'_>, wanted: i32, available: i32) -> Draft {
    let draft =
        |reason: &str, message: String| Draft::new(MEDIA_AVAILABLE, Truth::False, reason, message);
    let known: BTreeMap<i32, &DeploymentSeen> = sfus(facts).collect();
    let down = (0..wanted).filter(|slot| known.get(slot).is_none_or(|seen| seen.available < 1));
    let reason = |slot: i32| {
        let Some(seen) = known.get(&slot) else {
            return awaited_sfu(facts, slot).map(|(reason, why)| (reason.to_owned(), why));
        };
        if let Some(trouble) = &seen.trouble {
            return Some((STUCK.to_owned(), stuck("SFU", trouble)));
        }
        let trouble = pod_trouble(facts.children, Component::Sfu, Some(slot))?;
        let image = seen.image.as_deref().unwrap_or_default();
        let (reason, why) = explain(trouble, "SFU", image);
        Some((reason.to_owned(), why.into_owned()))
    };
    let found = down.clone().find_map(|slot| Some((slot, reason(slot)?)));
    if let Some((slot, (reason, why))) = found {
        return draft(&reason, format!("SFU {slot}: {why}"));
    }
    let missing: Vec<String> = down.map(|slot| slot.to_string()).collect();
    let message = format!(
        "{available} of {wanted} SFU pods are available. Missing: SFU {}.",
        missing.join(", ")
    );
    draft("Progressing", message)
}

fn stuck(noun: &str, trouble: &str) -> String {
    format!("The {noun} pods don't come up: {trouble}")
}

/// Of any pod of the component, or of those of one slot.
fn pod_trouble(
    children: &Children,
    component: Component,
    slot: Option<i32>,
) -> Option<&PodTrouble> {
    children
        .pods
        .iter()
        .filter(|pod| pod.component == component && !pod.terminating && !pod.ready)
        .filter(|pod| slot.is_none() || pod.slot == slot)
        .find_map(|pod| pod.trouble.as_ref())
}

/// Kubelets vary their words and count seconds in them; these must hold still.
pub(super) fn explain<'a>(
    trouble: &'a PodTrouble,
    noun: &str,
    image: &str,
) -> (&'a str, Cow<'a, str>) {
    match trouble.reason.as_str() {
        "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => (
            "ImagePullBackOff",
            format!(
                "The image \"{image}\" of the {noun} can't be pulled: check that it exists, and that the nodes may pull it (spec.template.imagePullSecrets)."
            )
            .into(),
        ),
        "CrashLoopBackOff" | "Error" | "RunContainerError" => (
            "CrashLoopBackOff",
            format!("The {noun} container keeps ending: read its logs (kubectl logs).").into(),
        ),
        "Unschedulable" => (
            "Unschedulable",
            format!("No node takes the {noun} pod: {}", trouble.message).into(),
        ),
        reason => (
            reason,
            format!("The {noun} pod doesn't start: {reason}: {}", trouble.message).into(),
        ),
    }
}

/// What has to be assigned before the Deployment can be made.
fn awaited(facts: &Facts<'_>, component: Component) -> Option<(&'static str, String)> {
    let valid = facts.outcome.valid()?;
    match component {
        Component::Signaling if valid.origin.is_none() => Some((
            "WaitingForNodePort",
            format!(
                "The Service \"{}\" has no nodePort yet, and signaling needs to know it.",
                valid.name.signaling()
            ),
        )),
        Component::Signaling if !facts.preparing.is_empty() => Some((
            "WaitingForBackends",
            "Signaling starts when the back ends are prepared.".to_owned(),
        )),
        Component::Signaling => None,
        Component::Sfu => {
            let mut slots = valid.wanted_slots();
            slots.find_map(|slot| awaited_sfu(facts, slot.number))
        }
    }
}

fn awaited_sfu(facts: &Facts<'_>, number: i32) -> Option<(&'static str, String)> {
    let valid = facts.outcome.valid()?;
    let slot = valid.wanted_slots().find(|slot| slot.number == number)?;
    let Announced::Pending(pending) = &slot.announced else {
        return None;
    };
    let service = valid.name.sfu_media(slot.number);
    Some(match pending {
        Pending::NodePort { before: _ } => (
            "WaitingForNodePort",
            format!(
                "The Service \"{service}\" has no nodePort yet, and the SFU has to announce it."
            ),
        ),
        Pending::LoadBalancer => (
            "WaitingForLoadBalancer",
            format!(
                "The Service \"{service}\" has no address yet: a load balancer controller has to assign one. Without one in the cluster, choose another exposure.media.type in the class."
            ),
        ),
        Pending::LoadBalancerHostname => (
            "LoadBalancerWithoutIP",
            format!(
                "The load balancer gave the Service \"{service}\" a host name, and media needs an IP address: ask for one by exposure.media.annotations in the class."
            ),
        ),
    })
}

fn tls(facts: &Facts<'_>, valid: &ValidServer) -> Draft {
    let draft =
        |truth, reason: &str, message: String| Draft::new(TLS_READY, truth, reason, message);
    match &valid.tls {
        Tls::AtGateway => {
            let unused = if facts.server.spec.tls.is_some() {
                " spec.tls isn't used."
            } else {
                ""
            };
            let message = format!("The Gateway's listener holds the certificate.{unused}");
            draft(Truth::True, "GatewayCertificate", message)
        }
        Tls::TenantSecret { name } => draft(
            Truth::True,
            "TenantCertificate",
            format!("The certificate is in the Secret \"{name}\"."),
        ),
        Tls::ClassSecret { .. } => draft(
            Truth::True,
            "ClassCertificate",
            "The certificate is the class's.".to_owned(),
        ),
        Tls::Issuer { name, kind } => {
            let secret = valid.name.web_tls();
            let issued = facts.named_secrets.tenant.get(&secret).is_some_and(|seen| {
                ["tls.crt", "tls.key"].iter().all(|key| seen.keys.contains(*key))
            });
            if issued {
                let message = format!("The {kind} \"{name}\" has issued the certificate.");
                draft(Truth::True, "Issued", message)
            } else {
                let message = format!(
                    "cert-manager hasn't written the certificate yet: kubectl describe certificate {secret} says why."
                );
                draft(Truth::False, "Issuing", message)
            }
        }
        Tls::SelfSigned => draft(
            Truth::True,
            "SelfSigned",
            "The operator has signed the certificate itself, and browsers warn about it: name a Secret or an issuer in spec.tls, or in the class.".to_owned(),
        ),
    }
}

fn storage(facts: &Facts<'_>) -> Draft {
    let draft =
        |truth, reason: &str, message: String| Draft::new(STORAGE_READY, truth, reason, message);
    if needs_no_volume(facts) {
        let message = "The back ends keep everything: no volume is needed.";
        return draft(Truth::True, NOT_NEEDED, message.to_owned());
    }
    let Some(volume) = &facts.children.volume else {
        return draft(
            Truth::False,
            NOT_CREATED,
            format!("There is no volume{}.", yet(facts)),
        );
    };
    match volume.phase.as_str() {
        "Bound" => bound(volume, draft),
        "Lost" => draft(
            Truth::False,
            LOST,
            "The PersistentVolume behind the server's data is gone: restore it, or delete the claim to begin with an empty one.".to_owned(),
        ),
        _ => draft(
            Truth::False,
            "VolumePending",
            unbound(volume),
        ),
    }
}

/// Of a server that isn't validated now, what was found before stays true while it has no volume.
fn needs_no_volume(facts: &Facts<'_>) -> bool {
    if let Some(valid) = facts.outcome.valid() {
        return valid.backends.are_shared();
    }
    let before = find(previous_conditions(facts.server), STORAGE_READY);
    facts.children.volume.is_none() && before.is_some_and(|before| before.reason == NOT_NEEDED)
}

/// The operator reads no StorageClasses, so it can only name the one that matters.
fn unbound(volume: &VolumeSeen) -> String {
    let provider = match volume.storage_class_name.as_deref() {
        None => "a StorageClass: it has none, and the cluster had no default one".to_owned(),
        Some("") => "a PersistentVolume made by hand, as its storageClassName is empty".to_owned(),
        Some(name) => format!(
            "the StorageClass \"{name}\", which has to exist and to provide volumes (kubectl get storageclass {name})"
        ),
    };
    format!("The volume isn't bound: it waits for the pod that uses it, or for {provider}.")
}

fn bound(volume: &VolumeSeen, draft: impl Fn(Truth, &str, String) -> Draft) -> Draft {
    let capacity = volume.capacity.as_deref().unwrap_or("unknown size");
    let requested = volume.requested.as_deref().unwrap_or_default();
    if let Some(trouble) = &volume.trouble {
        let message = format!("The volume stays at {capacity}: {trouble}");
        return draft(Truth::True, "ExpansionFailed", message);
    }
    if bytes(requested) > volume.capacity.as_deref().and_then(bytes) {
        let message = format!("The volume has {capacity} and grows to {requested}.");
        return draft(Truth::True, "Expanding", message);
    }
    draft(Truth::True, "Bound", format!("The volume has {capacity}."))
}

/// A finding that heals by nobody but a person.
pub(super) fn is_lost(part: &Draft) -> bool {
    part.reason == LOST
}

/// A Deployment that the cluster has given up on, also if its old pods still serve.
pub(super) fn stuck_deployment(facts: &Facts<'_>, type_: &'static str) -> Option<Draft> {
    let of = |component, noun| {
        let seen = deployments(facts, component);
        let trouble = seen.iter().find_map(|seen| seen.trouble.as_ref())?;
        Some(Draft::new(type_, Truth::True, STUCK, stuck(noun, trouble)))
    };
    of(Component::Signaling, "signaling").or_else(|| of(Component::Sfu, "SFU"))
}

/// The Gateway's answer stands until somebody changes the Gateway or the server.
pub(super) fn misfit(facts: &Facts<'_>, valid: &ValidServer) -> Option<Draft> {
    let route = facts.children.route.as_ref()?;
    route.misfits().then(|| at_gateway(facts, valid)).flatten()
}

/// What a paused server lacks, beside its parts, of what the operator watches.
pub(super) fn taken_away(facts: &Facts<'_>) -> Option<Draft> {
    let children = facts.children;
    let status = facts.server.status.as_ref();
    let web = status
        .and_then(|status| status.exposure.as_ref())
        .map(|exposure| exposure.web);
    let missing = if children.web_service.is_none() {
        "There is no Service of the web page."
    } else if web == Some(WebType::Gateway) && children.route.is_none() {
        "There is no HTTPRoute."
    } else if web == Some(WebType::Ingress) && children.ingress.is_none() {
        "There is no Ingress."
    } else {
        return None;
    };
    Some(closed(NOT_CREATED, missing.to_owned()))
}

/// Whether something is missing that nobody but the operator or a person would make.
pub(super) fn lacks_a_child(facts: &Facts<'_>) -> bool {
    let children = facts.children;
    children.signaling.is_none()
        || children.sfus.is_empty()
        || children.volume.is_none() && !needs_no_volume(facts)
        || taken_away(facts).is_some()
}

/// The way to the server isn't open: its Gateway hasn't taken the HTTPRoute, or page or media have
/// no address from the cluster.
pub(super) fn way_in(facts: &Facts<'_>, valid: &ValidServer) -> Option<Draft> {
    if let Some((reason, message)) = awaited(facts, Component::Sfu) {
        return Some(Draft::new(MEDIA_AVAILABLE, Truth::False, reason, message));
    }
    match &valid.web {
        Web::Ingress { .. } | Web::NodePort { .. } => None,
        Web::Gateway { .. } => at_gateway(facts, valid),
        Web::LoadBalancer { .. } => {
            let service = facts.children.web_service.as_ref();
            let assigned = service.is_some_and(|service| {
                !service.addresses.is_empty() || !service.hostnames.is_empty()
            });
            if assigned {
                return None;
            }
            let message = format!(
                "The Service \"{}\" has no address yet: a load balancer controller has to assign one. Without one in the cluster, choose another exposure.web.type in the class.",
                valid.name.signaling()
            );
            Some(closed("WaitingForLoadBalancer", message))
        }
    }
}

fn closed(reason: &str, message: String) -> Draft {
    Draft::new(SIGNALING_AVAILABLE, Truth::False, reason, message)
}

fn at_gateway(facts: &Facts<'_>, valid: &ValidServer) -> Option<Draft> {
    let Web::Gateway {
        name, namespace, ..
    } = &valid.web
    else {
        return None;
    };
    let gateway = format!("the Gateway \"{name}\" in the namespace \"{namespace}\"");
    let route = facts.children.route.clone().unwrap_or_default();
    match route.accepted {
        Some(true) => None,
        Some(false) => {
            let why = why_not_accepted(&route, valid);
            let message = format!("The HTTPRoute isn't accepted by {gateway}: {why}");
            Some(closed("RouteNotAccepted", message))
        }
        None => {
            let message = format!(
                "The HTTPRoute waits for {gateway}: does it exist, and does its controller run?"
            );
            Some(closed("WaitingForGateway", message))
        }
    }
}

/// Controllers may leave the message empty; the reasons are the Gateway API's own.
fn why_not_accepted(route: &RouteSeen, valid: &ValidServer) -> String {
    let said = [&route.message, &route.reason].into_iter();
    let said = said
        .map(|said| said.trim_end_matches('.'))
        .find(|said| !said.is_empty())
        .unwrap_or("it doesn't say why");
    let way_out = match route.reason.as_str() {
        "NoMatchingListenerHostname" => format!(
            " A listener of that Gateway has to take the host name \"{}\", or the server needs another one in spec.hostname.",
            valid.hostname
        ),
        "NotAllowedByListeners" => format!(
            " A listener of that Gateway has to allow routes from the namespace \"{}\" (allowedRoutes).",
            valid.namespace
        ),
        _ => String::new(),
    };
    format!("{said}.{way_out}")
}

/// Whether new pods are taking the place of old ones.
pub(super) fn rolling_out(children: &Children) -> bool {
    let rolls = |seen: &DeploymentSeen| {
        seen.observed_generation < seen.generation
            || seen.updated < seen.wanted
            || seen.replicas > seen.updated
    };
    children
        .signaling
        .iter()
        .chain(children.sfus.values())
        .any(rolls)
}

/// Which SFUs go, if any.
pub(super) fn leaving(valid: &ValidServer) -> Option<String> {
    let leaving = valid.slots.iter().filter(|slot| slot.leaving);
    let numbers: Vec<String> = leaving.map(|slot| slot.number.to_string()).collect();
    match &numbers[..] {
        [] => None,
        [number] => Some(format!(
            "SFU {number} is no longer asked for: its calls may end first."
        )),
        _ => Some(format!(
            "SFUs {} are no longer asked for: their calls may end first.",
            numbers.join(", ")
        )),
    }
}

pub(super) fn any_pod_left(children: &Children) -> bool {
    let some = |seen: &DeploymentSeen| seen.replicas > 0 || seen.wanted > 0;
    !children.pods.is_empty()
        || children
            .signaling
            .iter()
            .chain(children.sfus.values())
            .any(some)
}
