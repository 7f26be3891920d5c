//! A connectivity check from anybody.
#![no_main]

use gryt_media::peer::stun::{self, BindingRequest};
use libfuzzer_sys::fuzz_target;
use ring::hmac;

fuzz_target!(|datagram: &[u8]| {
    let from = ([192, 0, 2, 1], 1234).into();
    let _ = stun::is_stun(datagram);
    let _ = stun::ufrag(datagram);
    if let Some(reply) = stun::anonymous_reply(datagram, from) {
        assert!(reply.len() <= 64, "a stranger gets the mapped address and nothing else");
    }
    if let Some(request) = BindingRequest::parse(datagram) {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"password");
        let _ = (request.username(), request.use_candidate(), request.role());
        let _ = request.is_authentic(&key);
        assert!(stun::is_stun(&request.success(from, &key)));
        assert!(stun::is_stun(&request.role_conflict(&key)));
    }
});
