//! Whose trouble stops a rollout, and who is told about it.

mod slots;

use super::*;
use crate::class::ResolvedClass;
use crate::fixture::{defaults, observed};
use crate::validate::validate;

const DEADLINE: Duration = Duration::from_secs(300);

fn key(name: &str) -> ServerKey {
    ServerKey {
        namespace: "team-a".to_owned(),
        name: name.to_owned(),
    }
}

/// A server whose Deployments name the new image and whose pods do not run.
fn broken(key: &ServerKey) -> Sight<'_> {
    Sight {
        key,
        generation: Some(1),
        suspended: false,
        set_aside: false,
        current: true,
        serves: false,
        through: 0,
    }
}

fn round(now: Instant) -> Round<'static> {
    Round {
        images: "new",
        ready_deadline: DEADLINE,
        now,
        first: false,
    }
}

fn begin(inner: &mut Inner, key: &ServerKey, at: Instant, was_ready: bool) {
    let start = Start {
        at,
        images: "new".to_owned(),
        generation: Some(1),
        was_ready,
        through: 0,
    };
    inner.started.insert(key.clone(), start);
}

fn in_flight(since: Instant) -> Option<Stage> {
    Some(Stage::InFlight {
        since: since.into_std(),
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_made_with_the_new_image_and_cannot_start_stops_nobody() {
    let (mut inner, key, now) = (Inner::default(), key("made"), Instant::now());
    for later in [Duration::ZERO, 2 * DEADLINE] {
        let stage = inner.stage(broken(&key), round(now + later));
        assert_eq!(stage, Some(Stage::Done));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_moved_from_serving_stops_the_others() {
    let (mut inner, key, now) = (Inner::default(), key("moved"), Instant::now());
    begin(&mut inner, &key, now, true);
    let late = now + 2 * DEADLINE;
    assert_eq!(inner.stage(broken(&key), round(late)), in_flight(now));
    let serves = Sight {
        serves: true,
        ..broken(&key)
    };
    assert_eq!(inner.stage(serves, round(late)), Some(Stage::Done));
    assert_eq!(
        inner.stage(broken(&key), round(late)),
        Some(Stage::Done),
        "it came through"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tenant_who_changes_his_server_on_its_way_stops_nobody() {
    let (mut inner, key, now) = (Inner::default(), key("edited"), Instant::now());
    begin(&mut inner, &key, now, true);
    let edited = Sight {
        generation: Some(2),
        ..broken(&key)
    };
    assert_eq!(inner.stage(edited, round(now)), in_flight(now));
    let late = round(now + 2 * DEADLINE);
    assert_eq!(inner.stage(edited, late), Some(Stage::Done));
}

#[tokio::test(start_paused = true)]
async fn what_a_new_operator_finds_on_its_way_keeps_its_place_for_one_deadline() {
    let (mut inner, key, now) = (Inner::default(), key("found"), Instant::now());
    let first = Round {
        first: true,
        ..round(now)
    };
    assert_eq!(inner.stage(broken(&key), first), in_flight(now));
    assert_eq!(
        inner.stage(broken(&key), round(now + DEADLINE)),
        in_flight(now)
    );
    let late = round(now + 2 * DEADLINE);
    assert_eq!(inner.stage(broken(&key), late), Some(Stage::Done));
}

#[tokio::test(start_paused = true)]
async fn paused_and_refused_servers_are_left_out_even_on_their_way() {
    let (mut inner, key, now) = (Inner::default(), key("paused"), Instant::now());
    begin(&mut inner, &key, now, true);
    let aside = Sight {
        set_aside: true,
        ..broken(&key)
    };
    assert_eq!(inner.stage(aside, round(now + 2 * DEADLINE)), None);
}

#[test]
fn a_server_that_changed_its_class_is_held_by_the_new_one_only() {
    let (rollouts, key) = (Rollouts::default(), key("moved"));
    rollouts.hold(&key, &Some("old".to_owned()));
    rollouts.hold(&key, &Some("new".to_owned()));
    let classes = |rollouts: &Rollouts| rollouts.lock().held.keys().cloned().collect::<Vec<_>>();
    assert_eq!(classes(&rollouts), [Some("new".to_owned())]);
    rollouts.lock().release(&key);
    assert!(classes(&rollouts).is_empty());
}

#[test]
fn a_tag_that_is_taken_back_is_told_the_right_way_round() {
    let mut observed = observed().with_class(|class| {
        class.spec.images.tag = Some("test".to_owned());
    });
    observed.children = crate::fixture::running();
    let signaling = observed.children.signaling.as_mut().unwrap();
    signaling.image = Some("ghcr.io/gryt-chat/gryt-signaling:typo".to_owned());
    // No pod ever ran the mistyped one.
    let observed = observed.with_server(|server| {
        server.status = Some(crate::crd::GrytServerStatus {
            version: Some("test".to_owned()),
            ..Default::default()
        });
    });
    let valid = validate(&observed, &defaults()).unwrap();
    let running = running(&observed.children, &valid).unwrap();
    let message = rolling_out(None, &running, &valid);
    assert!(
        message.starts_with("Takes version test in the place of typo;"),
        "{message}"
    );
}

#[test]
fn the_event_about_a_class_names_no_tenant() {
    let mut valid = validate(&observed(), &defaults()).unwrap();
    valid.class = ResolvedClass {
        name: Some("shared".to_owned()),
        ..valid.class
    };
    let plan = Plan {
        overdue: vec![key("secret")],
        waiting: 2,
        ..Plan::default()
    };
    let message = stopped(&plan, &valid);
    assert!(
        message.contains("2 servers to go: 1 not ready"),
        "{message}"
    );
    assert!(!message.contains("team-a") && !message.contains("secret"));
}
