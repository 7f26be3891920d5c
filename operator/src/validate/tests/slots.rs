//! Which SFUs a server has, and which ports of nodes each of them takes.

use std::collections::BTreeSet;

use super::*;
use crate::fixture::{deployment, pod};
use crate::observed::Component;
use crate::valid::Slot;

fn asking(observed: Observed, replicas: i32) -> Observed {
    observed.with_server(|server| server.spec.sfu.replicas = replicas)
}

fn numbers(slots: &[Slot]) -> Vec<(i32, bool)> {
    let numbers = slots.iter().map(|slot| (slot.number, slot.leaving));
    numbers.collect()
}

/// Two SFUs ran, one is asked for.
fn fewer() -> Observed {
    let mut observed = asking(observed(), 1);
    observed.children = running();
    observed.children.sfus.insert(1, deployment());
    let mut second = pod(Component::Sfu);
    second.slot = Some(1);
    observed.children.pods.push(second);
    let media = service("NodePort", Some(30082));
    observed.children.media_services.insert(1, media);
    observed
}

/// The SFU's Deployment has no pods any more that would not end.
fn let_go(observed: &mut Observed) {
    let seen = observed.children.sfus.get_mut(&1).unwrap();
    (seen.wanted, seen.replicas) = (0, 0);
    for pod in &mut observed.children.pods {
        pod.terminating = pod.slot == Some(1);
    }
}

#[test]
fn each_sfu_announces_what_its_own_service_was_given() {
    let mut observed = asking(observed(), 3);
    observed.children = running();
    let media = service("NodePort", Some(30082));
    observed.children.media_services.insert(2, media);
    let slots = valid(&observed).slots;
    assert_eq!(numbers(&slots), [(0, false), (1, false), (2, false)]);
    let announced: Vec<_> = slots.into_iter().map(|slot| slot.announced).collect();
    assert_eq!(
        announced,
        [
            Announced::NodeAddress { port: 30081 },
            Announced::Pending(Pending::NodePort { before: None }),
            Announced::NodeAddress { port: 30082 },
        ]
    );
}

#[test]
fn an_sfu_that_is_no_longer_asked_for_leaves_with_its_last_pod() {
    let mut observed = fewer();
    assert_eq!(numbers(&valid(&observed).slots), [(0, false), (1, true)]);
    let_go(&mut observed);
    let slots = valid(&observed).slots;
    assert_eq!(numbers(&slots), [(0, false), (1, true)], "its pod drains");
    assert_eq!(slots[1].announced, Announced::NodeAddress { port: 30082 });

    let seen = observed.children.sfus.get_mut(&1).unwrap();
    seen.generation += 1;
    observed.children.pods.retain(|pod| pod.slot != Some(1));
    let slots = valid(&observed).slots;
    assert_eq!(numbers(&slots), [(0, false), (1, true)], "not seen to yet");
    let seen = observed.children.sfus.get_mut(&1).unwrap();
    seen.observed_generation = seen.generation;
    assert_eq!(numbers(&valid(&observed).slots), [(0, false)]);
}

#[test]
fn an_sfu_that_is_asked_for_again_stays() {
    let mut observed = fewer();
    let_go(&mut observed);
    let observed = asking(observed, 2);
    assert_eq!(numbers(&valid(&observed).slots), [(0, false), (1, false)]);
}

#[test]
fn only_pods_that_may_have_calls_keep_an_sfu_and_only_one_that_can_be() {
    let mut observed = fewer();
    let_go(&mut observed);
    for pod in &mut observed.children.pods {
        pod.ended = pod.slot == Some(1);
    }
    let mut labelled = pod(Component::Sfu);
    for slot in [-1, 16, 4_000] {
        labelled.slot = Some(slot);
        observed.children.pods.push(labelled.clone());
    }
    assert_eq!(numbers(&valid(&observed).slots), [(0, false)]);
}

/// The three ports of each SFU in the network of its node.
fn taken(observed: &Observed) -> Vec<i32> {
    let slots = valid(observed).slots.into_iter();
    let ports = slots.flat_map(|slot| {
        let SlotPorts {
            media,
            grpc,
            probes,
        } = slot.ports;
        assert_eq!(
            slot.announced,
            Announced::NodeAddress { port: media },
            "{}",
            slot.number
        );
        [media, grpc, probes]
    });
    ports.collect()
}

#[test]
fn sfus_of_one_server_never_share_a_port_of_a_node() {
    let media = MediaType::HostNetwork;
    // 16 places for three ports; one is held by another server.
    let observed = on_nodes(media, 40_000, 40_047, &[(9, 40_006)]);
    let ports = taken(&asking(observed.clone(), 15));
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 45);
    assert!(ports.iter().all(|port| (40_000..=40_047).contains(port)));
    assert!(!ports.contains(&40_006));

    let refused = validate(&asking(observed, 16), &defaults()).unwrap_err();
    let refusal = refused.iter().next().unwrap();
    assert_eq!(refusal.reason, Reason::NoFreePort);
    assert!(
        refusal.message.contains("16 SFUs") && refusal.message.contains("spec.sfu.replicas"),
        "{}",
        refusal.message
    );
}

#[test]
fn another_sfu_moves_none_of_those_that_are_there() {
    let media = MediaType::HostPort;
    let mut observed = asking(on_nodes(media, 40_000, 40_009, &[]), 2);
    let slots = |observed: &Observed| valid(observed).slots;
    let shown = |slots: &[Slot]| {
        let shown = slots.iter().map(|slot| MediaStatus {
            slot: slot.number,
            address: None,
            port: match slot.announced {
                Announced::NodeAddress { port } => Some(port),
                Announced::Pending(_) | Announced::Fixed { .. } => None,
            },
        });
        shown.collect::<Vec<_>>()
    };
    let before = shown(&slots(&observed));
    observed = holding(observed, media, 0).with_server(|server| {
        server.status.as_mut().unwrap().media.clone_from(&before);
    });
    let after = shown(&slots(&asking(observed.clone(), 4)));
    assert_eq!(after[..2], before);
    let other_way = asking(observed, 1);
    assert_eq!(shown(&slots(&other_way)), before[..1]);
}

#[test]
fn an_sfu_that_leaves_holds_its_port_until_it_is_gone() {
    let media = MediaType::HostPort;
    let observed = holding(on_nodes(media, 40_000, 40_001, &[]), media, 40_000);
    let mut observed = observed.with_server(|server| {
        let media = &mut server.status.as_mut().unwrap().media;
        media[0].slot = 1;
    });
    observed.children.sfus.insert(1, deployment());
    let slots = valid(&observed).slots;
    let [first, leaving] = &slots[..] else {
        panic!("{slots:?}");
    };
    assert_eq!(first.announced, Announced::NodeAddress { port: 40_001 });
    assert_eq!(leaving.announced, Announced::NodeAddress { port: 40_000 });
    assert!(leaving.leaving);
}
