//! The SFUs of one server in a rollout: each stays as it is until its turn.

use std::time::UNIX_EPOCH;

use kube::ResourceExt;

use super::*;
use crate::build::{Material, Sources, build};
use crate::fixture::{deployment, running as all_running, service};
use crate::observed::OwnSecrets;

const NEW: &str = "registry.example.org/sfu:new";
const OLD: &str = "registry.example.org/sfu:old";

/// `images` are what the SFUs run; all of them serve. The class wants [`NEW`].
fn scene(images: &[&str]) -> (Children, ValidServer) {
    let mut observed = observed().with_class(|class| {
        class.spec.images.sfu = Some(NEW.to_owned());
    });
    observed = observed.with_server(|server| {
        server.spec.sfu.replicas = i32::try_from(images.len()).unwrap();
    });
    observed.children = all_running();
    observed.children.sfus.clear();
    for (slot, image) in (0..).zip(images) {
        let seen = DeploymentSeen {
            image: Some((*image).to_owned()),
            ..deployment()
        };
        observed.children.sfus.insert(slot, seen);
        let media = service("NodePort", Some(30081 + slot));
        observed.children.media_services.insert(slot, media);
    }
    let valid = validate(&observed, &defaults()).unwrap();
    (observed.children, valid)
}

/// What each SFU is built with.
fn images(valid: &ValidServer) -> Vec<&str> {
    let slots = valid.slots.iter();
    slots
        .map(|slot| slot.image.as_deref().unwrap_or(&valid.images.sfu))
        .collect()
}

#[test]
fn the_quieter_one_of_those_that_change_goes_first() {
    let (children, valid) = scene(&[OLD, NEW, OLD]);
    let (changing, calls) = ([0, 2].into(), [(0, 3), (2, 1)].into());
    let turn = turns(&slots(&children, &valid, &changing, &calls));
    assert_eq!(turn, [2].into());
}

#[test]
fn whose_turn_it_is_not_is_neither_applied_nor_deleted() {
    let (_, valid) = scene(&[OLD, NEW, OLD]);
    let sources = Sources {
        own: &OwnSecrets::default(),
        platform_tls: &BTreeMap::new(),
        platform_files: &BTreeMap::new(),
        operator_namespace: &"gryt-system".parse().unwrap(),
    };
    let material = Material::provide(&valid, &sources, [[1; 20]; 3].into(), UNIX_EPOCH).unwrap();
    let mut objects = build(&valid, &material);
    let before = objects.children();
    hold_back([valid.name.sfu_slot(0)].into(), &mut objects);
    let applied: Vec<_> = objects.sfus.iter().map(ResourceExt::name_any).collect();
    assert_eq!(applied, [1, 2].map(|slot| valid.name.sfu_slot(slot)));
    assert_eq!(objects.children(), before);
}

#[test]
fn a_server_that_is_held_rolls_none_of_its_sfus_forth_or_back() {
    let (children, mut valid) = scene(&[NEW, OLD]);
    let found = running(&children, &valid).unwrap();
    assert_eq!(found.sfu, OLD, "it has not come through");
    valid.images = found;
    keep_images(&children, &mut valid);
    assert_eq!(images(&valid), [NEW, OLD]);
}

#[test]
fn an_sfu_that_leaves_is_no_part_of_a_rollout() {
    let (mut children, mut valid) = scene(&[NEW, OLD]);
    valid.slots[1].leaving = true;
    let seen = children.sfus.get_mut(&1).unwrap();
    (seen.wanted, seen.replicas, seen.available) = (0, 0, 0);
    assert_eq!(running(&children, &valid).unwrap().sfu, NEW);
    assert!(is_serving(&children, &valid));
    let seen = slots(&children, &valid, &BTreeSet::new(), &BTreeMap::new());
    assert_eq!(seen.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn with_each_sfu_that_comes_through_the_servers_time_begins_anew() {
    let (mut inner, key, now) = (Inner::default(), key("moved"), Instant::now());
    begin(&mut inner, &key, now, true);
    let later = now + DEADLINE;
    let one_through = Sight {
        through: 1,
        ..broken(&key)
    };
    assert_eq!(inner.stage(one_through, round(later)), in_flight(later));
    let late = later + DEADLINE;
    assert_eq!(inner.stage(one_through, round(late)), in_flight(later));
    assert_eq!(
        inner.stage(broken(&key), round(late)),
        in_flight(later),
        "one that fell back is no progress"
    );
}

#[test]
fn people_are_told_how_several_sfus_follow() {
    let (children, valid) = scene(&[OLD, OLD]);
    let running = running(&children, &valid).unwrap();
    let told = |calls| {
        let occupancy = Occupancy {
            calls,
            participants: 2 * calls,
        };
        rolling_out(Some(occupancy), &running, &valid)
    };
    assert!(told(0).ends_with("; nobody is in a call."));
    assert!(told(2).contains("calls: 2 with 4 in them. Its SFUs follow one by one"));
}
