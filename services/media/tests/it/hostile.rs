//! What strangers and bad clients send: counted by its kind, dropped, and nothing else disturbed.

use std::time::Duration;

use gryt_media::{Capabilities, Discard, Path};
use gryt_model::Epoch;
use proptest::prelude::*;

use crate::client::binding_request;
use crate::world::{World, limit, place, room};

fn stranger() -> Path {
    Path {
        remote: ([192, 0, 2, 1], 5_000).into(),
        local: [10, 0, 0, 1].into(),
    }
}

/// Feeds it and names the one counter that moved.
fn discarded(world: &mut World, path: Path, mut datagram: Vec<u8>) -> Option<Discard> {
    let before = world.node.counters().clone();
    world.node.handle_datagram(path, &mut datagram, world.now);
    world.pump();
    let after = world.node.counters();
    let moved: Vec<Discard> = Discard::ALL
        .into_iter()
        .filter(|reason| after.discarded(*reason) != before.discarded(*reason))
        .collect();
    assert!(moved.len() <= 1, "{moved:?}");
    moved.first().copied()
}

#[test]
fn each_bad_input_has_its_reason_and_the_call_goes_on() {
    let mut world = World::with(25, 1..=3);
    let known = world.clients[&1].path;
    let wrong_user = binding_request("000300000zabcdefghij:client0001", "wrong", true);
    let mut forged = world.clients[&1].check();
    *forged.last_mut().unwrap() ^= 1;
    let rtp = |ssrc: u32, payload_type: u8, mid: &[u8; 3]| {
        let mut packet = vec![0x90, payload_type, 0, 1, 0, 0, 0, 0];
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0xbe, 0xde, 0, 1, 0x42, mid[0], mid[1], mid[2]]);
        packet.extend([1; 40]);
        packet
    };
    let replay = world.packet(1);
    let mut tampered = world.packet(1);
    *tampered.last_mut().unwrap() ^= 1;
    let client = world.clients.get_mut(&1).unwrap();
    let unknown_ssrc = client.seal(rtp(5, 111, b"cam"));
    let unknown_payload = client.seal(rtp(6, 96, b"mic"));
    let broken_padding = {
        let mut packet = rtp(7, 111, b"mic");
        packet[0] |= 0x20;
        *packet.last_mut().unwrap() = 200;
        client.seal(packet)
    };
    let broken_rtcp = client.seal_rtcp(vec![0x81, 201, 0, 9, 0, 0, 0, 1]);
    assert_eq!(discarded(&mut world, known, replay.clone()), None);

    let cases = [
        ("nothing", known, vec![], Discard::NotDemuxable),
        (
            "TURN channel data",
            known,
            vec![0x40, 0, 0, 0],
            Discard::NotDemuxable,
        ),
        (
            "half a STUN header",
            stranger(),
            vec![0, 1, 0, 0, 0x21],
            Discard::BadStun,
        ),
        (
            "STUN for nobody",
            stranger(),
            wrong_user,
            Discard::UnknownUser,
        ),
        (
            "STUN with a forged tag",
            stranger(),
            forged,
            Discard::BadIntegrity,
        ),
        (
            "DTLS of a stranger",
            stranger(),
            vec![22, 254, 253, 0],
            Discard::UnknownAddress,
        ),
        (
            "SRTP of a stranger",
            stranger(),
            replay.clone(),
            Discard::UnknownAddress,
        ),
        (
            "SRTCP of a stranger",
            stranger(),
            vec![128, 200, 0, 1],
            Discard::UnknownAddress,
        ),
        ("a replayed packet", known, replay, Discard::Replayed),
        ("a tampered packet", known, tampered, Discard::NotAuthentic),
        (
            "half an RTP header",
            known,
            vec![128, 111, 0, 1],
            Discard::BadRtp,
        ),
        (
            "half an RTCP header",
            known,
            vec![128, 200, 0, 1],
            Discard::BadRtcp,
        ),
        (
            "an unknown track",
            known,
            unknown_ssrc,
            Discard::UnknownSsrc,
        ),
        (
            "an unknown codec",
            known,
            unknown_payload,
            Discard::UnknownPayload,
        ),
        (
            "RTP with broken padding",
            known,
            broken_padding,
            Discard::BadRtp,
        ),
        (
            "RTCP with a broken length",
            known,
            broken_rtcp,
            Discard::BadRtcp,
        ),
    ];
    for (what, path, datagram, reason) in cases {
        assert_eq!(
            discarded(&mut world, path, datagram),
            Some(reason),
            "{what}"
        );
        world.speak(&[2]);
    }
    let heard = &world.clients[&3].heard;
    assert_eq!(heard.packets[&2].len(), 16);
    assert_eq!(heard.gaps, 0);
}

#[test]
fn media_before_the_handshake_is_through_is_dropped() {
    let mut world = World::with(25, 1..=2);
    world.enter(3).unwrap();
    let path = world.clients[&3].path;
    let early = world.packet(1);
    if !world.clients[&3].is_connected() {
        assert_eq!(
            discarded(&mut world, path, early),
            Some(Discard::NotConnected)
        );
    }
}

#[test]
fn a_source_of_probes_gets_the_mapped_address_up_to_a_rate() {
    let mut world = World::new(25);
    let mut probe = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    probe.extend([3; 12]);
    let mut replies = 0;
    for _ in 0..500 {
        let mut datagram = probe.clone();
        world
            .node
            .handle_datagram(stranger(), &mut datagram, world.now);
        while let Some(transmit) = world.node.poll_output() {
            assert_eq!(transmit.path, stranger());
            assert_eq!(transmit.datagram[..2], [1, 1]);
            assert!(transmit.datagram.len() <= probe.len() + 12);
            replies += 1;
        }
    }
    assert_eq!(replies, 10);
    assert_eq!(world.node.counters().answered_probes, 10);
    assert_eq!(world.node.counters().discarded(Discard::ProbeRate), 490);
}

#[test]
fn a_client_that_moves_is_followed() {
    let mut world = World::with(25, 1..=2);
    world.speak(&[1]);
    let old = world.clients[&2].path;
    let moved = Path {
        remote: ([172, 16, 0, 9], 999).into(),
        ..old
    };
    let mut check = world.clients[&2].check();
    world.node.handle_datagram(moved, &mut check, world.now);
    while world.node.poll_output().is_some() {}
    // Authentic media from there proves that the address wants what we send.
    let mut packet = world.packet(2);
    world.node.handle_datagram(moved, &mut packet, world.now);
    while world.node.poll_output().is_some() {}
    let mut packet = world.packet(1);
    let path = world.clients[&1].path;
    world.node.handle_datagram(path, &mut packet, world.now);
    assert_eq!(world.node.poll_output().unwrap().path, moved);
}

#[test]
fn a_pair_in_use_outlives_any_number_of_checks_of_others() {
    let mut world = World::with(25, 1..=2);
    let chosen = world.clients[&1].path;
    for port in 2000..2100 {
        let mut check = world.clients[&1].other_check();
        let other = Path {
            remote: ([172, 16, 0, 9], port).into(),
            ..chosen
        };
        world.node.handle_datagram(other, &mut check, world.now);
        while world.node.poll_output().is_some() {}
    }
    let mut packet = world.packet(1);
    world.node.handle_datagram(chosen, &mut packet, world.now);
    assert_eq!(world.node.counters().discarded(Discard::UnknownAddress), 0);
    assert!(
        world.node.poll_output().is_some(),
        "the packet is forwarded"
    );
}

#[test]
fn a_shell_that_does_not_drain_loses_the_newest_and_nothing_breaks() {
    let mut world = World::with(25, 1..=10);
    let path = world.clients[&1].path;
    for _ in 0..100 {
        let mut packet = world.packet(1);
        world.node.handle_datagram(path, &mut packet, world.now);
    }
    assert!(world.node.counters().discarded(Discard::OutputFull) > 0);
    world.pump();
    let heard = &world.clients[&2].heard;
    assert_eq!(heard.packets[&1][..10], (0..10).collect::<Vec<u32>>());
    world.speak(&[1]);
    assert_eq!(world.clients[&2].heard.packets[&1].last(), Some(&100));
    assert_eq!(world.clients[&2].heard.sealed_twice, 0);
}

#[derive(Debug, Clone)]
enum Operation {
    Enter(u32),
    Leave(u32),
    Speak(u32, Option<u8>),
    Restart(u32, u16),
    Allow(u32, bool),
    Limit(u32),
    Pass(u64),
    Garbage(u32, Vec<u8>),
    Bend(u32, usize, u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let id = 1_u32..12;
    prop_oneof![
        2 => id.clone().prop_map(Operation::Enter),
        1 => id.clone().prop_map(Operation::Leave),
        12 => (id.clone(), proptest::option::of(0_u8..128)).prop_map(|(id, level)| Operation::Speak(id, level)),
        1 => (id.clone(), any::<u16>()).prop_map(|(id, to)| Operation::Restart(id, to)),
        1 => (id.clone(), any::<bool>()).prop_map(|(id, may)| Operation::Allow(id, may)),
        1 => (1_u32..=32).prop_map(Operation::Limit),
        2 => (1_u64..3_000).prop_map(Operation::Pass),
        2 => (id.clone(), any::<Vec<u8>>()).prop_map(|(id, bytes)| Operation::Garbage(id, bytes)),
        2 => (id, 0_usize..100, any::<u8>()).prop_map(|(id, at, with)| Operation::Bend(id, at, with)),
    ]
}

fn perform(world: &mut World, operation: Operation) {
    let connected = |world: &World, id: u32| {
        let client = world.clients.get(&id);
        client.is_some_and(crate::client::Client::is_connected)
    };
    match operation {
        Operation::Enter(id) => world.enter(id).unwrap(),
        Operation::Leave(id) => drop(world.node.leave(&place(id))),
        Operation::Speak(id, level) if connected(world, id) => {
            world.clients.get_mut(&id).unwrap().microphone.level = level;
            world.speak(&[id]);
        }
        Operation::Restart(id, to) if connected(world, id) => {
            let microphone = &mut world.clients.get_mut(&id).unwrap().microphone;
            microphone.ssrc += 1;
            microphone.sequence = to;
        }
        Operation::Allow(id, may_speak) => {
            let capabilities = Capabilities {
                may_speak,
                may_show: false,
            };
            drop(world.node.set_capabilities(&place(id), capabilities));
        }
        Operation::Limit(value) => {
            world.limit = limit(value);
            let now = world.now;
            drop(
                world
                    .node
                    .set_audible_limit(&room(), Epoch(5), world.limit, now),
            );
            // Its offers are answered before anybody leaves.
            world.pump();
        }
        Operation::Pass(ms) => world.pass(Duration::from_millis(ms)),
        Operation::Garbage(id, bytes) => {
            let path = world
                .clients
                .get(&id)
                .map_or_else(stranger, |client| client.path);
            discarded(world, path, bytes);
        }
        Operation::Bend(id, at, with) if connected(world, id) => {
            let mut packet = world.packet(id);
            let at = at % packet.len();
            packet[at] ^= with;
            let path = world.clients[&id].path;
            discarded(world, path, packet);
        }
        Operation::Speak(..) | Operation::Restart(..) | Operation::Bend(..) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_panics_and_no_nonce_is_used_twice(
        operations in proptest::collection::vec(operation(), 1..250),
    ) {
        let mut world = World::new(8);
        for operation in operations {
            perform(&mut world, operation);
        }
        for client in world.clients.values() {
            prop_assert_eq!(client.heard.sealed_twice, 0);
            prop_assert_eq!(client.heard.wrong_names, 0);
        }
    }
}
