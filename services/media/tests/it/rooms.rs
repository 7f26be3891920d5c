//! Places, offers, epochs, and how a place ends.

use std::time::Duration;

use gryt_media::{EventKind, LossCause, Place, Refusal};
use gryt_model::Epoch;

use crate::world::{FRAME, World, limit, place, room};

#[test]
fn a_join_or_leave_costs_the_others_no_offer_except_at_a_step() {
    let mut world = World::with(25, 1..=9);
    for id in 2..=9 {
        world.node.leave(&place(id)).unwrap();
        world.join(id);
    }
    assert_eq!(world.offers.len(), 0, "8 others fit in 8 slots");
    world.join(10);
    let stepped: Vec<u32> = world.offers.keys().copied().collect();
    assert_eq!(stepped, (1..=9).collect::<Vec<u32>>());
    assert!(world.offers.values().all(|offers| *offers == 1));
    for id in 11..=17 {
        world.join(id);
    }
    assert!(world.offers.values().all(|offers| *offers == 1));
    assert_eq!(world.clients[&1].mids.len(), 1 + 16);
    world.join(18);
    assert_eq!(world.clients[&1].mids.len(), 1 + 25);
    assert_eq!(world.offers[&1], 2);
}

#[test]
fn a_low_limit_keeps_a_full_room_at_the_first_step() {
    let mut world = World::with(8, 1..=20);
    assert!(world.offers.is_empty());
    assert_eq!(world.clients[&1].mids.len(), 1 + 8);
    let epoch = Epoch(5);
    world
        .node
        .set_audible_limit(&room(), epoch, limit(20), world.now)
        .unwrap();
    world.pump();
    assert_eq!(world.clients[&1].mids.len(), 1 + 25);
}

#[test]
fn one_offer_is_in_flight_at_a_time() {
    let mut world = World::new(25);
    let first = world.node.seat(world.seat(1), world.now).unwrap();
    for id in 2..=30 {
        world.enter(id).unwrap();
    }
    assert_eq!(world.offers.get(&1), None, "the first is unanswered");
    let mut client = crate::client::Client::new(1, &first.sdp, world.now);
    let answer = client.answer(&first.sdp);
    let stale = world.node.answer(&place(1), 7, &answer, world.now);
    assert_eq!(stale, Err(Refusal::StaleOffer { latest: 1 }));
    world.clients.insert(1, client);
    world
        .node
        .answer(&place(1), first.revision, &answer, world.now)
        .unwrap();
    world.pump();
    assert_eq!(world.offers[&1], 1, "all steps came as one offer");
    assert_eq!(world.clients[&1].mids.len(), 1 + 25);
}

#[test]
fn commands_name_why_they_are_refused() {
    let mut world = World::with(25, 1..=2);
    let stale = Place {
        epoch: Epoch(4),
        ..place(1)
    };
    let highest = Epoch(5);
    assert_eq!(
        world.node.leave(&stale),
        Err(Refusal::StaleEpoch { highest })
    );
    assert_eq!(
        world.node.leave(&place(3)),
        Err(Refusal::UnknownParticipant)
    );
    let newer = Place {
        epoch: Epoch(6),
        ..place(1)
    };
    world.node.leave(&newer).unwrap();
    let highest = Epoch(6);
    assert_eq!(world.enter(4), Err(Refusal::StaleEpoch { highest }));
    let last = Place {
        epoch: Epoch(6),
        ..place(2)
    };
    world.node.leave(&last).unwrap();
    assert_eq!(world.node.leave(&last), Err(Refusal::UnknownRoom));
    assert_eq!(world.node.seated().count(), 0);
    assert_eq!(world.node.poll_timeout(), None);
}

#[test]
fn a_broken_answer_is_refused_and_a_right_one_still_taken() {
    let mut world = World::new(25);
    let offer = world.node.seat(world.seat(1), world.now).unwrap();
    for sdp in ["", "v=0", "garbage\r\n"] {
        let refused = world.node.answer(&place(1), offer.revision, sdp, world.now);
        assert!(matches!(refused, Err(Refusal::BadAnswer { .. })), "{sdp}");
    }
    let answer = crate::client::Client::new(1, &offer.sdp, world.now).answer(&offer.sdp);
    world
        .node
        .answer(&place(1), offer.revision, &answer, world.now)
        .unwrap();
}

#[test]
fn a_full_node_refuses_and_takes_again_after_a_leave() {
    let mut world = World::new(25);
    for id in 1..=64 {
        world.enter(id).unwrap();
    }
    assert_eq!(world.enter(65), Err(Refusal::Full { places: 64 }));
    world.node.leave(&place(9)).unwrap();
    world.enter(65).unwrap();
}

#[test]
fn a_participant_without_valid_packets_is_lost_after_15_seconds() {
    let mut world = World::with(25, 1..=2);
    world.clients.remove(&1);
    world.pass(Duration::from_secs(10));
    let lost = (
        1,
        EventKind::Lost {
            cause: LossCause::Silent,
        },
    );
    assert!(!world.events.contains(&lost));
    for _ in 0..6 {
        world.pass(Duration::from_secs(1));
    }
    assert!(world.events.contains(&lost));
    let left: Vec<u32> = world.node.seated().map(|s| s.participant.get()).collect();
    assert_eq!(left, [2]);
}

#[test]
fn a_participant_that_ends_its_association_is_lost_at_once() {
    let mut world = World::with(25, 1..=2);
    world.clients.get_mut(&1).unwrap().close();
    world.pump();
    let cause = LossCause::Closed;
    assert_eq!(world.events.last(), Some(&(1, EventKind::Lost { cause })));
    assert_eq!(world.node.seated().count(), 1);
}

#[test]
fn a_participant_that_never_gets_through_is_told_apart_from_one_that_fell_silent() {
    let mut world = World::with(25, 1..=1);
    let offer = world.node.seat(world.seat(2), world.now).unwrap();
    assert!(!offer.sdp.is_empty());
    for _ in 0..7 {
        world.pass(Duration::from_secs(5));
    }
    let cause = LossCause::NeverConnected;
    assert_eq!(world.events.last(), Some(&(2, EventKind::Lost { cause })));
    assert_eq!(world.node.seated().count(), 1);
}

#[test]
fn changed_candidates_are_offered_from_the_next_seat_on() {
    let candidates = |sdp: &str| -> Vec<String> {
        let lines = sdp.lines().filter(|line| line.starts_with("a=candidate:"));
        let addresses = lines.map(|line| line.split(' ').skip(4).take(2).collect::<Vec<_>>());
        addresses.map(|address| address.join(":")).collect()
    };
    let mut world = World::new(25);
    let before = world.node.seat(world.seat(1), world.now).unwrap();
    assert_eq!(candidates(&before.sdp), ["10.0.0.1:8081"]);
    world
        .node
        .set_candidates(vec![([192, 0, 2, 7], 31_000).into()]);
    let after = world.node.seat(world.seat(2), world.now).unwrap();
    assert_eq!(candidates(&after.sdp), ["192.0.2.7:31000"]);
}

#[test]
fn a_place_ends_after_12_hours() {
    let mut world = World::with(25, 1..=1);
    let begin = world.now;
    while world.node.seated().count() == 1 {
        world.pass(Duration::from_secs(5));
    }
    let hours = (world.now - begin).as_secs_f32() / 3_600.0;
    assert!((11.9..12.1).contains(&hours), "{hours}");
    let expired = (
        1,
        EventKind::Lost {
            cause: LossCause::Expired,
        },
    );
    assert_eq!(world.events.last(), Some(&expired));
}

#[test]
fn who_is_seated_again_starts_over_and_keeps_its_slot() {
    let mut world = World::with(25, 1..=3);
    for _ in 0..10 {
        world.speak(&[1]);
    }
    world.join(1);
    for _ in 0..10 {
        world.speak(&[1]);
    }
    let heard = &world.clients[&3].heard;
    assert_eq!(heard.slots[&1].len(), 1);
    assert_eq!(heard.packets[&1].len(), 20);
    assert_eq!(
        (heard.gaps, heard.sealed_twice, heard.time_jumps),
        (0, 0, 0)
    );
    world.pass(FRAME);
    assert!(world.offers.is_empty());
}
