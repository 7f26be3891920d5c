//! What a listener hears: completeness, names, numbers, pauses, mute.

use std::time::Duration;

use gryt_media::{Capabilities, Discard, EventKind};

use crate::world::{FRAME, TALKER, World, place};

/// Every stream invariant of every listener.
fn check_streams(world: &World) {
    for (id, client) in &world.clients {
        let heard = &client.heard;
        assert_eq!(heard.gaps, 0, "gaps at {id}");
        assert_eq!(heard.wrong_names, 0, "CSRC at {id}");
        assert_eq!(heard.not_opened, 0, "unreadable packets at {id}");
        assert_eq!(heard.sealed_twice, 0, "nonces used twice at {id}");
        assert_eq!(heard.time_jumps, 0, "timestamps at {id}");
    }
}

#[test]
fn each_of_25_hears_every_packet_of_10_speakers_while_slots_change_owners() {
    let everybody: Vec<u32> = (1..=25).collect();
    let mut world = World::with(10, everybody.clone());
    // With a limit of 10 there are 16 slots, so 25 speakers in turn must share them.
    let groups = [1..=10, 11..=20, 16..=25, 1..=10].map(|ids| ids.collect::<Vec<u32>>());
    for group in groups {
        let before: Vec<u32> = group
            .iter()
            .map(|id| world.clients[id].microphone.number)
            .collect();
        for client in world.clients.values_mut() {
            client.heard.clear();
        }
        for _ in 0..100 {
            world.speak(&group);
        }
        for listener in &everybody {
            for (speaker, first) in group.iter().zip(&before) {
                let expected: Vec<u32> = (*first..first + 100).collect();
                let heard = world.clients[listener].heard.packets.get(speaker);
                if speaker == listener {
                    assert_eq!(heard, None, "{listener} hears itself");
                } else {
                    assert_eq!(heard, Some(&expected), "{listener} of {speaker}");
                }
            }
        }
        // The places of the silent are free again after a moment.
        world.pass(Duration::from_secs(1));
    }
    check_streams(&world);
    let owners: usize = world.clients[&25].heard.sender_reports.len();
    assert!(owners >= 10, "each active slot is reported: {owners}");
}

#[test]
fn every_listener_has_every_packet_of_speakers_whose_packets_overtake_each_other() {
    let mut world = World::with(25, 1..=4);
    world.speak(&[1, 2]);
    for _ in 0..60 {
        let mut packets = Vec::new();
        for _ in 0..5 {
            for speaker in [1, 2] {
                packets.push((speaker, world.packet(speaker)));
            }
            world.pass(FRAME);
        }
        for at in [8, 1, 6, 7, 0, 9, 2, 3, 4, 5] {
            let (speaker, packet) = packets[at].clone();
            world.deliver(speaker, packet);
        }
    }
    for (listener, client) in &world.clients {
        let heard = &client.heard;
        assert_eq!((heard.sealed_twice, heard.not_opened), (0, 0));
        assert_eq!(heard.wrong_names, 0);
        for speaker in [1, 2].into_iter().filter(|speaker| speaker != listener) {
            let mut numbers = heard.packets[&speaker].clone();
            assert!(!numbers.is_sorted(), "nothing was overtaken");
            numbers.sort_unstable();
            assert_eq!(numbers, (0..301).collect::<Vec<u32>>(), "{listener}");
        }
    }
}

#[test]
fn a_slot_keeps_its_owner_while_there_are_others() {
    let mut world = World::with(25, 1..=6);
    for round in 0..5 {
        for speaker in 1..=5 {
            for _ in 0..10 {
                world.speak(&[speaker]);
            }
        }
        world.pass(Duration::from_secs(round));
    }
    for slots in world.clients[&6].heard.slots.values() {
        assert_eq!(slots.len(), 1);
    }
    check_streams(&world);
}

#[test]
fn not_one_packet_of_a_muted_participant_is_forwarded() {
    let mut world = World::with(25, 1..=3);
    for _ in 0..20 {
        world.speak(&[1, 2]);
    }
    assert!(world.events.contains(&(1, speaking(true))));
    let may_not = Capabilities {
        may_speak: false,
        ..TALKER
    };
    world.node.set_capabilities(&place(1), may_not).unwrap();
    world.pump();
    assert_eq!(world.events.last(), Some(&(1, speaking(false))));
    world.clients.get_mut(&3).unwrap().heard.clear();
    for _ in 0..50 {
        world.speak(&[1, 2]);
    }
    assert_eq!(world.clients[&3].heard.speakers(), [2]);
    assert_eq!(world.node.counters().discarded(Discard::NotAllowed), 50);

    world.node.set_capabilities(&place(1), TALKER).unwrap();
    world.speak(&[1, 2]);
    assert_eq!(world.clients[&3].heard.speakers(), [1, 2]);
    assert_eq!(world.clients[&3].heard.markers[&1], 1);
    check_streams(&world);
}

#[test]
fn a_pause_sends_one_silent_packet_and_resumes_with_a_marker() {
    let mut world = World::with(25, 1..=2);
    let level = |world: &mut World, level| {
        world.clients.get_mut(&1).unwrap().microphone.level = level;
    };
    for _ in 0..10 {
        world.speak(&[1]);
    }
    level(&mut world, Some(127));
    for _ in 0..50 {
        world.speak(&[1]);
    }
    assert_eq!(world.clients[&2].heard.packets[&1].len(), 11);
    assert_eq!(world.node.counters().discarded(Discard::Silence), 49);
    assert_eq!(world.clients[&2].heard.markers[&1], 1);
    level(&mut world, Some(30));
    for _ in 0..10 {
        world.speak(&[1]);
    }
    assert_eq!(world.clients[&2].heard.packets[&1].len(), 21);
    assert_eq!(world.clients[&2].heard.markers[&1], 2);
    check_streams(&world);
}

#[test]
fn without_levels_tiny_packets_are_the_pause() {
    let mut world = World::with(25, 1..=2);
    world.clients.get_mut(&1).unwrap().microphone.level = None;
    for _ in 0..10 {
        world.speak(&[1]);
    }
    assert!(world.events.contains(&(1, speaking(true))));
    world.clients.get_mut(&1).unwrap().microphone.payload_bytes = 1;
    for _ in 0..10 {
        world.speak(&[1]);
    }
    assert_eq!(world.node.counters().discarded(Discard::Silence), 9);
    assert_eq!(world.node.counters().forwarded_audio_packets, 11);
}

#[test]
fn speaking_shows_after_a_moment_and_ends_when_packets_stop() {
    let mut world = World::with(25, 1..=2);
    world.events.clear();
    for _ in 0..10 {
        world.speak(&[1]);
    }
    assert_eq!(world.events, [(1, speaking(true))]);
    let seated: Vec<_> = world.node.seated().collect();
    assert!(seated.iter().all(|seat| seat.connected));
    assert_eq!(seated.iter().filter(|seat| seat.speaking).count(), 1);
    world.pass(Duration::from_millis(500));
    assert_eq!(world.events, [(1, speaking(true)), (1, speaking(false))]);
}

#[test]
fn loss_before_the_node_shows_as_a_gap_and_a_restart_does_not() {
    let mut world = World::with(25, 1..=2);
    world.speak(&[1]);
    let _lost = world.packet(1);
    world.speak(&[1]);
    assert_eq!(world.clients[&2].heard.gaps, 1);
    // A client that starts over uses another SSRC, sequence and timestamp.
    let microphone = &mut world.clients.get_mut(&1).unwrap().microphone;
    microphone.ssrc = 77;
    microphone.sequence = 9;
    microphone.timestamp = 5;
    world.speak(&[1]);
    world.speak(&[1]);
    assert_eq!(world.clients[&2].heard.gaps, 1);
    assert_eq!(world.clients[&2].heard.slots[&1].len(), 1);
}

#[test]
fn both_ends_get_reports_about_once_a_second() {
    let mut world = World::with(25, 1..=2);
    for _ in 0..500 {
        world.speak(&[1]);
    }
    let reports = &world.clients[&1].heard.receiver_reports;
    assert!((8..=11).contains(reports), "{reports}");
    let packets: Vec<_> = world.clients[&2].heard.sender_reports.values().collect();
    assert!(matches!(packets[..], [450..=500]), "{packets:?}");
    // Who neither sends nor hears costs nothing.
    assert!(world.clients[&1].heard.sender_reports.is_empty());
}

#[test]
fn listeners_reports_of_loss_are_counted() {
    let mut world = World::with(25, 1..=2);
    for _ in 0..10 {
        world.speak(&[1]);
    }
    let slot = *world.clients[&2].heard.slots[&1].first().unwrap();
    let report = |lost: u32| {
        let mut report = vec![0x81, 201, 0, 7];
        report.extend(5_u32.to_be_bytes());
        report.extend(slot.to_be_bytes());
        report.extend(lost.to_be_bytes());
        report.resize(32, 0);
        report
    };
    for lost in [2, 5, 5, 0x00ff_fff0] {
        let sealed = world.clients.get_mut(&2).unwrap().seal_rtcp(report(lost));
        world.deliver(2, sealed);
    }
    assert_eq!(world.node.counters().reported_lost_packets, 5);
}

#[test]
fn packets_that_overtake_each_other_are_sealed_once() {
    let mut world = World::with(25, 1..=2);
    let mut packets: Vec<_> = (0..20).map(|_| world.packet(1)).collect();
    for pair in packets.chunks_mut(2) {
        pair.swap(0, 1);
    }
    for packet in packets {
        world.deliver(1, packet);
        world.pass(FRAME);
    }
    let heard = &world.clients[&2].heard;
    assert!(heard.packets[&1].len() >= 10);
    assert_eq!(heard.sealed_twice + heard.not_opened, 0);
}

fn speaking(speaking: bool) -> EventKind {
    EventKind::SpeakingChanged { speaking }
}
