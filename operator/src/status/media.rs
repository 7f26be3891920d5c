//! Where each SFU tells browsers to send media, and whether that address answers.

use super::{Facts, Probe};
use crate::conditions::{Draft, MEDIA_REACHABLE, Truth, find};
use crate::crd::{GrytServerStatus, MediaStatus};
use crate::observed::{Children, Component, PodSeen};
use crate::valid::{Announced, Pending, Slot, ValidServer};

/// The address that each slot's SFU announces: `status.media`, and what to probe.
#[must_use]
pub fn media_addresses(valid: &ValidServer, children: &Children) -> Vec<MediaStatus> {
    let slots = valid.slots.iter().map(|slot| {
        let (address, port) = match &slot.announced {
            // It is asked for again until the cluster says which one it is.
            Announced::Pending(Pending::NodePort { before }) => (None, *before),
            Announced::Pending(_) => (None, None),
            Announced::NodeAddress { port } => {
                let pod = announcing_pod(children, slot.number);
                (pod.and_then(|pod| node_address(valid, pod)), Some(*port))
            }
            Announced::Fixed { addresses, port } => {
                (addresses.first().map(ToString::to_string), Some(*port))
            }
        };
        MediaStatus {
            slot: slot.number,
            address,
            port,
        }
    });
    slots.collect()
}

/// The pod that new calls go to: ready before starting before ending.
fn announcing_pod(children: &Children, slot: i32) -> Option<&PodSeen> {
    let pods = children.pods.iter();
    pods.filter(|pod| pod.component == Component::Sfu && pod.slot == Some(slot))
        .filter(|pod| pod.node.is_some())
        .max_by_key(|pod| (!pod.terminating, pod.ready))
}

/// What the class says about the pod's node, else the node's own address: as the SFU chooses.
fn node_address(valid: &ValidServer, pod: &PodSeen) -> Option<String> {
    let listed = &valid.class.spec.exposure.media.node_addresses;
    let listed = listed
        .iter()
        .find(|node| Some(&node.node) == pod.node.as_ref());
    listed
        .map(|node| node.address.clone())
        .or_else(|| pod.host_ip.map(|address| address.to_string()))
}

/// Never claims more than the probe shows: it comes from inside the cluster.
pub(super) fn reachable(facts: &Facts<'_>, valid: &ValidServer, next: &GrytServerStatus) -> Draft {
    let draft =
        |truth, reason: &str, message: String| Draft::new(MEDIA_REACHABLE, truth, reason, message);
    if valid.suspended {
        let message = "spec.suspend is true: no SFU answers.".to_owned();
        return draft(Truth::Unknown, "Suspended", message);
    }
    if let Some(slot) = without_address(facts, valid) {
        let service = valid.name.sfu_media(slot.number);
        let message = format!(
            "The Service \"{service}\" has lost its address: browsers don't reach the SFU until the cluster assigns one."
        );
        return draft(Truth::False, "NoAddress", message);
    }
    let several = valid.wanted_slots().count() > 1;
    let media = || {
        let wanted = |slot: &&MediaStatus| valid.wanted_slots().any(|own| own.number == slot.slot);
        next.media.iter().filter(wanted)
    };
    let vantage = facts.vantage;
    let silent = media().find_map(|slot| {
        let probe = probe_of(facts, slot)?;
        Some((slot.slot, probe, probe.failure.as_ref()?))
    });
    if let Some((slot, probe, failure)) = silent {
        let target = target(probe);
        let whose = if several {
            format!(" of SFU {slot}")
        } else {
            String::new()
        };
        let message = format!(
            "{target}{whose} didn't answer a STUN request from {vantage} ({failure}): check that UDP to it is let through."
        );
        return draft(Truth::False, "NoAnswer", message);
    }
    if let Some(slot) = media().find(|slot| probe_of(facts, slot).is_none()) {
        return last_finding(facts, next).unwrap_or_else(|| {
            let whose = if several {
                format!(" of SFU {}", slot.slot)
            } else {
                String::new()
            };
            let message = format!("The media address{whose} hasn't been probed yet.");
            draft(Truth::Unknown, "NotProbed", message)
        });
    }
    let targets = media().filter_map(|slot| probe_of(facts, slot).map(target));
    let message = format!(
        "{} answered a STUN request from {vantage}. Whether browsers outside reach it isn't shown by that.",
        targets.collect::<Vec<_>>().join(", ")
    );
    draft(Truth::True, "ProbedFromInside", message)
}

/// A slot whose SFU was made for an address that the cluster has taken back.
fn without_address<'a>(facts: &Facts<'_>, valid: &'a ValidServer) -> Option<&'a Slot> {
    valid.wanted_slots().find(|slot| {
        matches!(slot.announced, Announced::Pending(_))
            && facts.children.sfus.contains_key(&slot.number)
    })
}

fn target(probe: &Probe) -> String {
    if probe.address.contains(':') {
        format!("[{}]:{}", probe.address, probe.port)
    } else {
        format!("{}:{}", probe.address, probe.port)
    }
}

/// The slot's probe, if it is about the address that is announced.
fn probe_of<'a>(facts: &Facts<'a>, slot: &MediaStatus) -> Option<&'a Probe> {
    let probe = facts.probes.get(&slot.slot)?;
    let same = slot.address.as_ref() == Some(&probe.address) && slot.port == Some(probe.port);
    same.then_some(probe)
}

/// An operator that has just started knows no probe; what was found about these very addresses
/// holds until it does.
fn last_finding(facts: &Facts<'_>, next: &GrytServerStatus) -> Option<Draft> {
    let previous = facts.server.status.as_ref()?;
    let last = find(&previous.conditions, MEDIA_REACHABLE)?;
    let truth = match last.status.as_str() {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => return None,
    };
    let known = next.media.iter().all(|slot| slot.address.is_some());
    (known && previous.media == next.media)
        .then(|| Draft::new(MEDIA_REACHABLE, truth, &last.reason, last.message.clone()))
}
