//! Handshakes of real browsers in every order, losses, ICE rules, garbage: on a virtual clock.

use std::time::{Duration, Instant};

use dimpl::{Dtls, Output};
use proptest::prelude::*;
use ring::hmac;

use super::*;
use crate::srtp::{Inbound, Outbound, TAG_LEN};

const CHROMIUM: [&[u8]; 2] = [
    include_bytes!("../../tests/fixtures/chromium-156-client-hello-0.bin"),
    include_bytes!("../../tests/fixtures/chromium-156-client-hello-1.bin"),
];
const FIREFOX: [&[u8]; 2] = [
    include_bytes!("../../tests/fixtures/firefox-153-client-hello-0.bin"),
    include_bytes!("../../tests/fixtures/firefox-153-client-hello-1.bin"),
];
const CHROMIUM_ANSWER: &str = include_str!("../../tests/fixtures/chromium-156-answer.sdp");

const PWD: &str = "ourpasswordoftwentytwo";

#[expect(
    clippy::disallowed_methods,
    reason = "a virtual clock needs one instant to count from"
)]
fn start() -> Instant {
    Instant::now()
}

fn config() -> PeerConfig {
    PeerConfig {
        certificate: Certificate::generate().unwrap(),
        candidates: [
            "192.0.2.7:8081".parse().unwrap(),
            "[2001:db8::7]:8081".parse().unwrap(),
        ]
        .into(),
    }
}

fn peer(now: Instant) -> Peer {
    let credentials = IceCredentials {
        ufrag: "ours".into(),
        pwd: PWD.into(),
    };
    Peer::new(&config(), credentials, now)
}

pub(super) fn layout(slots: u8) -> Layout {
    Layout::voice((0..slots).map(|number| AudioSlot {
        number,
        ssrc: 1000 + u32::from(number),
        cname: format!("slot-{number}").into(),
    }))
}

fn path(port: u16) -> Path {
    Path {
        remote: ([192, 0, 2, 100], port).into(),
        local: [192, 0, 2, 7].into(),
    }
}

fn key(pwd: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes())
}

fn check(nominate: bool) -> Vec<u8> {
    stun::write_check(b"ours:LPtF", nominate, stun::Role::Controlling, &key(PWD))
}

fn transmits(peer: &mut Peer) -> Vec<(Path, Vec<u8>)> {
    std::iter::from_fn(|| peer.poll_transmit()).collect()
}

fn events(peer: &mut Peer) -> Vec<PeerEvent> {
    std::iter::from_fn(|| peer.poll_event()).collect()
}

/// The handshake message types in a flight of unencrypted datagrams.
fn handshake_types(flight: &[(Path, Vec<u8>)]) -> Vec<u8> {
    let mut types = Vec::new();
    for (_, datagram) in flight {
        let mut rest = datagram.as_slice();
        while rest.len() > 13 {
            let len = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
            if rest[0] == 22 {
                types.push(rest[13]);
            }
            rest = &rest[13 + len..];
        }
    }
    types.dedup();
    types
}

/// ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone.
const SERVER_FLIGHT: [u8; 5] = [2, 11, 12, 13, 14];

/// A client sends the same messages again in records with fresh numbers.
fn resent(datagram: &[u8], number: u8) -> Vec<u8> {
    let mut datagram = datagram.to_vec();
    datagram[10] = number;
    datagram
}

fn validated(now: Instant) -> Peer {
    let mut peer = peer(now);
    peer.handle_stun(path(1), &check(true), now);
    assert_eq!(transmits(&mut peer).len(), 1, "one reply to one check");
    peer
}

#[test]
fn browsers_client_hello_in_order_gets_the_server_flight() {
    for hello in [CHROMIUM, FIREFOX] {
        let now = start();
        let mut peer = validated(now);
        peer.handle_dtls(path(1), hello[0], now);
        assert!(transmits(&mut peer).is_empty(), "half a hello is no hello");
        peer.handle_dtls(path(1), hello[1], now);
        assert_eq!(handshake_types(&transmits(&mut peer)), SERVER_FLIGHT);
    }
}

#[test]
fn browsers_client_hello_reordered_gets_the_server_flight() {
    for hello in [CHROMIUM, FIREFOX] {
        let now = start();
        let mut peer = validated(now);
        peer.handle_dtls(path(1), hello[1], now);
        peer.handle_dtls(path(1), hello[0], now);
        assert_eq!(handshake_types(&transmits(&mut peer)), SERVER_FLIGHT);
    }
}

#[test]
fn browsers_client_hello_duplicated_gets_the_server_flight() {
    for hello in [CHROMIUM, FIREFOX] {
        let now = start();
        let mut peer = validated(now);
        for datagram in [hello[0], hello[0], hello[1], hello[1], hello[0]] {
            peer.handle_dtls(path(1), datagram, now);
        }
        assert_eq!(
            handshake_types(&transmits(&mut peer))[..5],
            SERVER_FLIGHT,
            "and nothing is upset"
        );
        assert!(!events_close(&mut peer));
    }
}

#[test]
fn browsers_client_hello_with_a_lost_half_is_completed_by_its_retransmission() {
    for hello in [CHROMIUM, FIREFOX] {
        for lost in [0, 1] {
            let now = start();
            let mut peer = validated(now);
            peer.handle_dtls(path(1), hello[1 - lost], now);
            assert!(transmits(&mut peer).is_empty());

            let later = now + Duration::from_millis(400);
            peer.handle_dtls(path(1), &resent(hello[0], 2), later);
            peer.handle_dtls(path(1), &resent(hello[1], 3), later);

            assert_eq!(handshake_types(&transmits(&mut peer)), SERVER_FLIGHT);
        }
    }
}

/// Recorded: Firefox, with the first piece of its hello lost three times.
#[test]
fn client_hello_cut_into_other_pieces_gets_the_server_flight() {
    let now = start();
    let mut peer = validated(now);
    let before = include_bytes!("../../tests/fixtures/firefox-153-client-hello-resent-before.bin");
    let first = include_bytes!("../../tests/fixtures/firefox-153-client-hello-resent-0.bin");
    let second = include_bytes!("../../tests/fixtures/firefox-153-client-hello-resent-1.bin");
    peer.handle_dtls(path(1), before, now);
    assert!(transmits(&mut peer).is_empty());

    let later = now + Duration::from_millis(350);
    peer.handle_dtls(path(1), first, later);
    peer.handle_dtls(path(1), second, later);

    assert_eq!(handshake_types(&transmits(&mut peer)), SERVER_FLIGHT);
}

#[test]
fn lost_server_flight_is_sent_again_by_the_clock() {
    for hello in [CHROMIUM, FIREFOX] {
        let now = start();
        let mut peer = validated(now);
        for datagram in hello {
            peer.handle_dtls(path(1), datagram, now);
        }
        assert!(!transmits(&mut peer).is_empty());

        let due = peer.poll_timeout().unwrap();
        assert!(due < now + Duration::from_millis(500));
        peer.handle_timeout(due);

        assert_eq!(handshake_types(&transmits(&mut peer)), SERVER_FLIGHT);
    }
}

/// The client's retransmission must not stop the server's own, which is what ruled `rtc-dtls` out.
#[test]
fn lost_server_flight_comes_after_the_client_repeats_its_hello() {
    for hello in [CHROMIUM, FIREFOX] {
        let now = start();
        let mut peer = validated(now);
        for datagram in hello {
            peer.handle_dtls(path(1), datagram, now);
        }
        assert!(!transmits(&mut peer).is_empty());

        let later = now + Duration::from_millis(100);
        peer.handle_dtls(path(1), &resent(hello[0], 2), later);
        peer.handle_dtls(path(1), &resent(hello[1], 3), later);
        let mut flight = transmits(&mut peer);
        while flight.is_empty() {
            let due = peer.poll_timeout().unwrap();
            assert!(due < now + Duration::from_secs(2));
            peer.handle_timeout(due);
            flight = transmits(&mut peer);
        }

        assert_eq!(handshake_types(&flight), SERVER_FLIGHT);
    }
}

fn events_close(peer: &mut Peer) -> bool {
    events(peer)
        .iter()
        .any(|event| matches!(event, PeerEvent::Closed(_)))
}

/// A browser as far as the control part goes, on a network that may lose datagrams.
struct Browser {
    dtls: Dtls,
    fingerprint: Fingerprint,
    timeout: Option<Instant>,
    keys: Option<Vec<u8>>,
}

impl Browser {
    fn new(now: Instant) -> Self {
        let certificate = Certificate::generate().unwrap();
        let mut dtls = Dtls::new_12(
            certificate.dtls_config(),
            certificate.dtls_certificate(),
            now,
        );
        dtls.set_active(true);
        dtls.handle_timeout(now).unwrap();
        Self {
            dtls,
            fingerprint: *certificate.fingerprint(),
            timeout: None,
            keys: None,
        }
    }

    fn answer(&self) -> String {
        let known = "72:BE:59:52:0B:BA:24:18:5B:C9:31:DD:BF:3E:84:0B:5D:D2:1F:A9:C4:73:65:90:85:\
                     8E:07:B5:A9:04:59:B0";
        let ours = self.fingerprint.to_string();
        CHROMIUM_ANSWER.replace(&format!("sha-256 {known}"), &ours)
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 2048];
        let mut datagrams = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => datagrams.push(packet.to_vec()),
                Output::KeyingMaterial(keys, _) => self.keys = Some(keys.to_vec()),
                Output::Timeout(timeout) => {
                    self.timeout = Some(timeout);
                    return datagrams;
                }
                Output::Connected | _ => {}
            }
        }
    }

    /// Runs both clocks until the network is idle or 20 s are over. `lose` sees every datagram.
    fn connect(&mut self, peer: &mut Peer, mut now: Instant, lose: &mut dyn FnMut() -> bool) {
        let end = now + Duration::from_secs(20);
        while now < end {
            loop {
                let mut idle = true;
                for datagram in self.drain() {
                    idle = false;
                    if !lose() {
                        peer.handle_dtls(path(1), &datagram, now);
                    }
                }
                while let Some((_, datagram)) = peer.poll_transmit() {
                    idle = false;
                    if !lose() && datagram[0] > 3 {
                        self.dtls.handle_timeout(now).unwrap();
                        self.dtls.handle_packet(&datagram).unwrap();
                    }
                }
                if idle {
                    break;
                }
            }
            let done = peer.state != State::Connecting || peer.dtls.browser_certificate().is_some();
            if self.keys.is_some() && done {
                return;
            }
            let next = [self.timeout, peer.poll_timeout()];
            now = next.into_iter().flatten().min().unwrap().max(now) + Duration::from_millis(1);
            self.dtls.handle_timeout(now).unwrap();
            peer.handle_timeout(now);
            // Checks go on meanwhile.
            peer.handle_stun(path(1), &check(true), now);
        }
    }
}

fn lossless() -> bool {
    false
}

fn connected(now: Instant) -> (Peer, Outbound, Inbound) {
    let mut peer = validated(now);
    let mut browser = Browser::new(now);
    let offer = peer.offer(&layout(8));
    peer.answer(offer.revision, &browser.answer()).unwrap();
    browser.connect(&mut peer, now, &mut lossless);
    let keys = browser.keys.unwrap();
    take_keys(&mut peer).expect("connected");
    // RFC 5764 section 4.2, seen from the client. AES-256 is what the DTLS crate prefers.
    let master = |key: usize, salt: usize| {
        crate::srtp::MasterKey::new(&keys[key..key + 32], &keys[salt..salt + 12]).unwrap()
    };
    (
        peer,
        Outbound::new(&master(0, 64)),
        Inbound::new(&master(32, 76)),
    )
}

fn take_keys(peer: &mut Peer) -> Option<crate::srtp::SrtpKeys> {
    events(peer).into_iter().find_map(|event| match event {
        PeerEvent::Connected { srtp } => Some(srtp),
        PeerEvent::PathChanged(_) | PeerEvent::Closed(_) => None,
    })
}

#[test]
fn handshake_ends_with_keys_that_fit_on_both_sides() {
    let now = start();
    let mut peer = validated(now);
    let mut browser = Browser::new(now);
    let offer = peer.offer(&layout(8));
    peer.answer(offer.revision, &browser.answer()).unwrap();

    browser.connect(&mut peer, now, &mut lossless);

    let ours = take_keys(&mut peer).expect("connected");
    let theirs = browser.keys.unwrap();
    let client =
        crate::srtp::MasterKey::new(&theirs[..32], &theirs[64..76]).expect("AES-256 from dimpl");
    let mut packet = vec![0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 42];
    let len = packet.len();
    packet.resize(len + TAG_LEN, 0);
    Outbound::new(&client).protect(&mut packet, len).unwrap();
    assert_eq!(Inbound::new(&ours.inbound).unprotect(&mut packet), Ok(len));
}

/// Every pattern of loss among the first five datagrams; after them nothing is lost.
#[test]
fn handshake_survives_loss() {
    for pattern in 0..32_u32 {
        let now = start();
        let mut peer = validated(now);
        let mut browser = Browser::new(now);
        let offer = peer.offer(&layout(8));
        peer.answer(offer.revision, &browser.answer()).unwrap();
        let mut number = 0;
        let mut lose = || {
            number += 1;
            number <= 5 && pattern >> (number - 1) & 1 == 1
        };

        browser.connect(&mut peer, now, &mut lose);

        assert!(take_keys(&mut peer).is_some(), "pattern {pattern:05b}");
    }
}

#[test]
fn closing_says_goodbye_and_ends_everything() {
    let now = start();
    let (mut peer, _, _) = connected(now);
    peer.close();
    let goodbye = transmits(&mut peer);
    assert_eq!(goodbye.len(), 1);
    assert_eq!(goodbye[0].1[0], 21, "an alert record");
    assert!(peer.media_path(1).is_none());
    assert!(events(&mut peer).is_empty());
}

#[test]
fn answer_may_come_after_the_handshake() {
    let now = start();
    let mut peer = validated(now);
    let mut browser = Browser::new(now);
    let offer = peer.offer(&layout(8));
    browser.connect(&mut peer, now, &mut lossless);
    assert!(take_keys(&mut peer).is_none(), "nobody knows who that is");

    peer.answer(offer.revision, &browser.answer()).unwrap();

    assert!(take_keys(&mut peer).is_some());
}

#[test]
fn certificate_of_somebody_else_closes_the_peer() {
    let now = start();
    let mut peer = validated(now);
    let mut browser = Browser::new(now);
    let offer = peer.offer(&layout(8));
    peer.answer(offer.revision, CHROMIUM_ANSWER).unwrap();

    browser.connect(&mut peer, now, &mut lossless);

    let closed = events(&mut peer).into_iter().any(|event| {
        assert!(!matches!(event, PeerEvent::Connected { .. }));
        matches!(event, PeerEvent::Closed(CloseReason::FingerprintMismatch))
    });
    assert!(closed);
}

#[test]
fn dtls_from_an_unvalidated_pair_is_dropped_and_counted() {
    let now = start();
    let mut peer = validated(now);
    for datagram in CHROMIUM {
        peer.handle_dtls(path(2), datagram, now);
    }
    assert!(transmits(&mut peer).is_empty());
    assert_eq!(peer.counters().dtls_unvalidated, 2);
}

#[test]
fn check_without_valid_integrity_is_dropped_and_counted() {
    let now = start();
    let mut peer = peer(now);
    let forged = stun::write_check(b"ours:LPtF", true, stun::Role::Controlling, &key("guess"));
    let stranger = stun::write_check(b"else:LPtF", true, stun::Role::Controlling, &key(PWD));
    for datagram in [&forged[..], &stranger, b"\0\x01garbage", b""] {
        peer.handle_stun(path(1), datagram, now);
    }
    assert!(transmits(&mut peer).is_empty());
    assert_eq!(peer.path(), None);
    assert_eq!(peer.counters().stun_refused, 4);
}

#[test]
fn after_the_answer_a_check_must_name_the_browser() {
    let now = start();
    let mut peer = peer(now);
    let offer = peer.offer(&layout(8));
    peer.answer(offer.revision, CHROMIUM_ANSWER).unwrap();
    let other = stun::write_check(b"ours:else", true, stun::Role::Controlling, &key(PWD));
    peer.handle_stun(path(1), &other, now);
    assert_eq!(peer.path(), None);
    peer.handle_stun(path(1), &check(true), now);
    assert_eq!(peer.path(), Some(path(1)));
}

#[test]
fn browser_that_wants_to_be_controlled_gets_487() {
    let now = start();
    let mut peer = peer(now);
    let confused = stun::write_check(b"ours:LPtF", true, stun::Role::Controlled, &key(PWD));
    peer.handle_stun(path(1), &confused, now);
    let (_, reply) = peer.poll_transmit().unwrap();
    assert_eq!(reply[..2], [0x01, 0x11]);
    assert!(reply.windows(4).any(|bytes| bytes == [0, 0, 4, 87]));
    assert_eq!(peer.path(), None);
}

#[test]
fn output_follows_the_last_nominated_pair() {
    let now = start();
    let mut peer = peer(now);
    peer.handle_stun(path(1), &check(true), now);
    peer.handle_stun(path(2), &check(false), now);
    assert_eq!(peer.path(), Some(path(1)));
    peer.handle_stun(path(2), &check(true), now);
    assert_eq!(peer.path(), Some(path(2)));
    let changes = events(&mut peer)
        .into_iter()
        .filter(|event| matches!(event, PeerEvent::PathChanged(_)))
        .count();
    assert_eq!(changes, 2);
}

#[test]
fn new_address_gets_three_times_what_it_sent_until_media_comes_from_it() {
    let now = start();
    let (mut peer, _, _) = connected(now);
    assert_eq!(peer.media_path(1_000_000), Some(path(1)), "proven by DTLS");

    let moved = check(true);
    peer.handle_stun(path(2), &moved, now);
    let replied: usize = transmits(&mut peer)
        .iter()
        .map(|(_, datagram)| datagram.len())
        .sum();
    let mut sent = replied;
    while peer.media_path(100) == Some(path(2)) {
        sent += 100;
    }
    assert!(sent <= 3 * moved.len() && sent + 100 > 3 * moved.len());
    assert!(peer.counters().withheld > 0);

    peer.media_authenticated(path(2));
    assert_eq!(peer.media_path(1_000_000), Some(path(2)));
}

#[test]
fn fifteen_seconds_without_a_check_close_the_peer() {
    let now = start();
    let (mut peer, _, _) = connected(now);
    let last = now + Duration::from_secs(10);
    peer.handle_stun(path(1), &check(true), last);

    peer.handle_timeout(last + CHECK_TIMEOUT - Duration::from_millis(1));
    assert!(peer.media_path(100).is_some());
    assert!(peer.poll_timeout().unwrap() <= last + CHECK_TIMEOUT);
    peer.handle_timeout(last + CHECK_TIMEOUT);

    assert!(peer.media_path(100).is_none());
    assert!(peer.poll_timeout().is_none());
    assert!(
        events(&mut peer)
            .iter()
            .any(|event| matches!(event, PeerEvent::Closed(CloseReason::ChecksStopped)))
    );
}

#[test]
fn peer_that_never_connects_is_closed_after_thirty_seconds() {
    let now = start();
    let mut peer = peer(now);
    assert_eq!(peer.poll_timeout(), Some(now + CONNECT_TIMEOUT));
    peer.handle_timeout(now + CONNECT_TIMEOUT);
    assert!(
        events(&mut peer)
            .iter()
            .any(|event| matches!(event, PeerEvent::Closed(CloseReason::NeverConnected)))
    );
}

#[test]
fn newer_offer_supersedes_the_open_one() {
    let now = start();
    let mut peer = peer(now);
    let first = peer.offer(&layout(8));
    let second = peer.offer(&layout(8));
    assert_eq!((first.revision, second.revision), (1, 2));
    assert_eq!(
        peer.answer(1, CHROMIUM_ANSWER),
        Err(AnswerError::StaleRevision {
            answered: 1,
            offered: 2
        })
    );
    assert!(peer.answer(2, CHROMIUM_ANSWER).is_ok());
    assert!(peer.answer(2, CHROMIUM_ANSWER).is_ok(), "once more");
}

#[test]
fn later_answer_cannot_bring_another_certificate() {
    let now = start();
    let mut peer = peer(now);
    let offer = peer.offer(&layout(8));
    peer.answer(offer.revision, CHROMIUM_ANSWER).unwrap();
    let other = CHROMIUM_ANSWER.replace("sha-256 72", "sha-256 73");
    assert_eq!(
        peer.answer(offer.revision, &other),
        Err(AnswerError::ChangedTransport)
    );
}

/// `GRYT_UPDATE_GOLDEN=1 cargo test -p gryt-media` writes it anew.
#[test]
fn offer_is_the_golden_one() {
    let now = start();
    let mut peer = peer(now);
    peer.offer(&layout(2));
    let fingerprint = peer.config.certificate.fingerprint().to_string();
    let offer = peer.offer(&layout(3));
    let sdp = offer.sdp.replace(&fingerprint, "sha-256 FINGERPRINT");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/offer.sdp");
    if std::env::var_os("GRYT_UPDATE_GOLDEN").is_some() {
        std::fs::write(file, &sdp).unwrap();
    }
    assert_eq!(sdp, std::fs::read_to_string(file).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_instead_of_a_handshake_never_panics(
        datagrams in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..100), 0..20),
    ) {
        let now = start();
        let mut peer = validated(now);
        for datagram in datagrams {
            peer.handle_stun(path(1), &datagram, now);
            peer.handle_dtls(path(1), &datagram, now);
        }
    }

    #[test]
    fn damaged_client_hello_never_panics(
        damages in proptest::collection::vec((0..1458_usize, any::<u8>(), 0..1500_usize), 1..12),
    ) {
        let now = start();
        let mut peer = validated(now);
        for (number, (at, byte, cut)) in (0u8..).zip(damages) {
            let mut datagram = resent(CHROMIUM[usize::from(number % 2)], number);
            let at = at % datagram.len();
            datagram[at] = byte;
            datagram.truncate(cut);
            peer.handle_dtls(path(1), &datagram, now);
        }
        peer.handle_timeout(now + Duration::from_secs(1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn damaged_record_after_the_handshake_closes_nothing(
        records in proptest::collection::vec(
            (20..=23_u8, 0..3_u8, proptest::collection::vec(any::<u8>(), 0..200)), 50),
    ) {
        let now = start();
        let (mut peer, _, _) = connected(now);
        for (kind, epoch, bytes) in records {
            let mut datagram = vec![kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 99];
            datagram.extend_from_slice(&u16::try_from(bytes.len()).unwrap().to_be_bytes());
            datagram.extend_from_slice(&bytes);
            peer.handle_dtls(path(1), &datagram, now);
            prop_assert!(!events_close(&mut peer));
        }
    }
}
