//! An SDP answer of a browser, or of somebody who says so.
#![no_main]

use std::sync::OnceLock;
use std::time::Instant;

use gryt_media::Certificate;
use gryt_media::peer::{AudioSlot, IceCredentials, Layout, Peer, PeerConfig};
use libfuzzer_sys::fuzz_target;

fn config() -> &'static PeerConfig {
    static CONFIG: OnceLock<PeerConfig> = OnceLock::new();
    CONFIG.get_or_init(|| PeerConfig {
        certificate: Certificate::generate().expect("a certificate"),
        candidates: [([192, 0, 2, 7], 5000).into()].into(),
    })
}

fuzz_target!(|sdp: &str| {
    let credentials = IceCredentials { ufrag: "ufrag".into(), pwd: "a".repeat(22).into() };
    let mut peer = Peer::new(config(), credentials, Instant::now());
    let slots = (0..8).map(|number| AudioSlot {
        number,
        ssrc: 1000 + u32::from(number),
        cname: format!("slot-{number}").into(),
    });
    let offer = peer.offer(&Layout::voice(slots));
    let first = peer.answer(offer.revision, sdp).is_ok();
    let again = peer.answer(offer.revision, sdp).is_ok();
    assert_eq!(first, again, "the same answer twice is harmless");
});
