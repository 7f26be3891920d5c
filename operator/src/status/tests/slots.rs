//! What a status says of several SFUs: which one is meant, and nothing of those that are leaving
//! but that they are.

use super::*;
use crate::fixture::pod;
use crate::observed::Component;

/// Three SFUs run and answer.
fn three() -> Scene {
    let mut scene = Scene::running().with_spec(|spec| spec.sfu.replicas = 3);
    for slot in 1..3 {
        let port = 30081 + slot;
        let children = &mut scene.observed.children;
        children.sfus.insert(slot, deployment());
        let media = service("NodePort", Some(port));
        children.media_services.insert(slot, media);
        let mut pod = pod(Component::Sfu);
        pod.name = format!("chat-sfu-{slot}");
        pod.slot = Some(slot);
        children.pods.push(pod);
        answers(&mut scene, slot, None);
    }
    scene
}

fn answers(scene: &mut Scene, slot: i32, failure: Option<&str>) {
    let probe = Probe {
        address: "192.0.2.1".to_owned(),
        port: 30081 + slot,
        failure: failure.map(str::to_owned),
    };
    scene.probes.insert(slot, probe);
}

fn down(scene: &mut Scene, slot: i32) {
    let seen = scene.observed.children.sfus.get_mut(&slot).unwrap();
    (seen.ready, seen.available) = (0, 0);
    let mut pods = scene.observed.children.pods.iter_mut();
    pods.find(|pod| pod.slot == Some(slot)).unwrap().ready = false;
}

fn media(status: &GrytServerStatus) -> (&str, &str) {
    let found = find(&status.conditions, MEDIA_AVAILABLE).unwrap();
    (&found.reason, &found.message)
}

#[test]
fn all_sfus_are_counted_and_shown() {
    let status = three().status();
    assert_eq!(status.sfu.as_deref(), Some("3/3"));
    let slots: Vec<_> = status.media.iter().map(|m| (m.slot, m.port)).collect();
    assert_eq!(
        slots,
        [(0, Some(30081)), (1, Some(30082)), (2, Some(30083))]
    );
    assert!(shown(&status).contains(&"Ready=True:Serving".to_owned()));
    assert_eq!(media(&status).1, "3 of 3 SFU pods are available.");
    let reachable = message(&status, MEDIA_REACHABLE);
    assert!(reachable.starts_with("192.0.2.1:30081, 192.0.2.1:30082, 192.0.2.1:30083 answered"));
}

#[test]
fn one_that_is_down_is_named() {
    let mut scene = three();
    down(&mut scene, 1);
    let status = scene.status();
    assert_eq!(status.sfu.as_deref(), Some("2/3"));
    assert_eq!(
        media(&status),
        (
            "Progressing",
            "2 of 3 SFU pods are available. Missing: SFU 1."
        )
    );
    down(&mut scene, 2);
    scene.observed.children.pods.last_mut().unwrap().trouble = Some(PodTrouble {
        reason: "ErrImagePull".to_owned(),
        message: "no such image".to_owned(),
    });
    let status = scene.status();
    let (reason, message) = media(&status);
    assert_eq!(reason, "ImagePullBackOff");
    assert!(message.starts_with("SFU 2: The image "), "{message}");

    let seen = scene.observed.children.sfus.get_mut(&1).unwrap();
    seen.trouble = Some("quota exceeded".to_owned());
    let status = scene.status();
    let (reason, message) = media(&status);
    assert_eq!(reason, "PodsNotCreated");
    assert!(message.starts_with("SFU 1: "), "{message}");
}

#[test]
fn one_that_waits_for_an_address_is_named() {
    let mut scene = three();
    scene.observed.children.sfus.remove(&2);
    scene.observed.children.media_services.remove(&2);
    let status = scene.status();
    let (reason, message) = media(&status);
    assert_eq!(reason, "WaitingForNodePort");
    assert!(message.starts_with("SFU 2: The Service \"chat-sfu-2-media\""));
}

#[test]
fn one_whose_address_is_silent_is_named() {
    let mut scene = three();
    scene.probes.remove(&0);
    answers(&mut scene, 1, Some("timed out"));
    let status = scene.status();
    let reachable = message(&status, MEDIA_REACHABLE);
    assert!(
        reachable.starts_with("192.0.2.1:30082 of SFU 1 didn't answer"),
        "{reachable}"
    );
    answers(&mut scene, 1, None);
    assert!(message(&scene.status(), MEDIA_REACHABLE).contains("SFU 0 hasn't been probed"));
}

#[test]
fn one_that_is_leaving_counts_no_more_and_is_told_of() {
    let mut scene = three().with_spec(|spec| spec.sfu.replicas = 2);
    let seen = scene.observed.children.sfus.get_mut(&2).unwrap();
    (seen.wanted, seen.replicas, seen.updated) = (0, 0, 0);
    (seen.ready, seen.available) = (0, 0);
    let ends = scene.observed.children.pods.last_mut().unwrap();
    ends.terminating = true;
    scene.probes.remove(&2);
    let status = scene.status();
    assert_eq!(status.sfu.as_deref(), Some("2/2"));
    let conditions = shown(&status);
    for expected in [
        "Ready=True:Serving",
        "Reconciling=True:Draining",
        "MediaAvailable=True:Available",
        "MediaReachable=True:ProbedFromInside",
    ] {
        assert!(conditions.contains(&expected.to_owned()), "{conditions:?}");
    }
    assert!(message(&status, RECONCILING).contains("SFU 2"));
    assert_eq!(status.media.len(), 3, "its port is still its own");

    scene.observed.children.pods.pop();
    let status = scene.status();
    assert!(find(&status.conditions, RECONCILING).is_none());
    assert_eq!(status.media.len(), 2);
}

#[test]
fn those_that_are_leaving_are_told_of_in_one_sentence() {
    let scene = three().with_spec(|spec| spec.sfu.replicas = 1);
    let status = scene.status();
    let message = message(&status, RECONCILING);
    assert!(message.starts_with("SFUs 1, 2 are "), "{message}");
}
