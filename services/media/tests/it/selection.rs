//! Rooms above their audible limit.

use std::time::Duration;

use gryt_media::Discard;
use gryt_model::Epoch;

use crate::world::{World, limit, room};

/// 12 speakers and a listener in a room that hears 8.
fn crowded() -> (World, Vec<u32>) {
    let mut world = World::with(8, 1..=13);
    let speakers: Vec<u32> = (1..=12).collect();
    world.clients.get_mut(&12).unwrap().microphone.level = Some(127);
    for _ in 0..100 {
        world.speak(&speakers);
    }
    (world, speakers)
}

#[test]
fn with_12_speaking_exactly_8_are_heard() {
    let (mut world, speakers) = crowded();
    world.clients.get_mut(&13).unwrap().heard.clear();
    for _ in 0..200 {
        world.speak(&speakers);
    }
    let heard = &world.clients[&13].heard;
    assert_eq!(heard.speakers().len(), 8);
    assert!(heard.packets.values().all(|packets| packets.len() == 200));
    assert_eq!(
        (heard.gaps, heard.wrong_names, heard.sealed_twice),
        (0, 0, 0)
    );
    assert!(world.node.counters().discarded(Discard::NotAudible) > 0);
}

#[test]
fn a_loud_ninth_is_heard_within_half_a_second_and_still_8_are() {
    let (mut world, speakers) = crowded();
    world.clients.get_mut(&13).unwrap().heard.clear();
    world.clients.get_mut(&12).unwrap().microphone.level = Some(15);
    let begin = world.now;
    while !world.clients[&13].heard.packets.contains_key(&12) {
        world.speak(&speakers);
        assert!(world.now - begin <= Duration::from_millis(500));
    }
    world.clients.get_mut(&13).unwrap().heard.clear();
    for _ in 0..200 {
        world.speak(&speakers);
    }
    let heard = &world.clients[&13].heard;
    assert_eq!(heard.speakers().len(), 8);
    assert!(heard.packets.contains_key(&12));
    assert_eq!(
        (heard.gaps, heard.wrong_names, heard.sealed_twice),
        (0, 0, 0)
    );
    // The newcomer took the place of one, and nobody else moved.
    assert!(heard.slots.values().all(|slots| slots.len() == 1));
}

#[test]
fn a_change_of_the_limit_counts_from_the_next_packet() {
    let (mut world, speakers) = crowded();
    for (value, expected) in [(3, 3), (8, 8), (1, 1)] {
        world
            .node
            .set_audible_limit(&room(), Epoch(5), limit(value), world.now)
            .unwrap();
        world.speak(&speakers);
        world.clients.get_mut(&13).unwrap().heard.clear();
        for _ in 0..50 {
            world.speak(&speakers);
        }
        let heard = world.clients[&13].heard.speakers().len();
        assert_eq!(heard, expected, "limit {value}");
    }
}

#[test]
fn no_packet_of_a_newcomer_is_lost_to_one_who_fell_silent() {
    let mut world = World::with(2, 1..=4);
    for _ in 0..100 {
        world.speak(&[1, 2]);
    }
    world.clients.get_mut(&1).unwrap().microphone.level = Some(127);
    world.speak(&[1, 2]);
    for _ in 0..10 {
        world.speak(&[1, 2, 3]);
    }
    let heard = &world.clients[&4].heard;
    assert_eq!(heard.packets[&3].len(), 10);
    assert_eq!(
        (heard.gaps, heard.wrong_names, heard.sealed_twice),
        (0, 0, 0)
    );
}
