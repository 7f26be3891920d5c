//! The vectors of RFC 5769, and garbage.

use std::net::SocketAddr;

use proptest::prelude::*;
use ring::hmac;

use super::*;

/// RFC 5769 section 2.1, with a password of 22 characters and the user `evtj:h6vY`.
const RFC5769_REQUEST: &[u8] = &[
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
];
const RFC5769_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

fn from() -> SocketAddr {
    "192.0.2.1:32853".parse().unwrap()
}

#[test]
fn sample_request_of_rfc_5769_is_authentic() {
    let request = BindingRequest::parse(RFC5769_REQUEST).unwrap();
    assert_eq!(request.username(), Some("evtj:h6vY"));
    assert_eq!(request.role(), Some(Role::Controlled));
    assert!(!request.use_candidate());
    assert!(request.is_authentic(&key(RFC5769_PASSWORD)));
    assert!(!request.is_authentic(&key("another")));
    assert_eq!(ufrag(RFC5769_REQUEST), Some("evtj"));
}

#[test]
fn any_flipped_bit_is_refused() {
    // All but the fingerprint's own type: an unknown attribute behind the integrity is no attack.
    for byte in (0..100).chain(102..108) {
        let mut flipped = RFC5769_REQUEST.to_vec();
        flipped[byte] ^= 1;
        let authentic = BindingRequest::parse(&flipped)
            .is_some_and(|request| request.is_authentic(&key(RFC5769_PASSWORD)));
        assert!(!authentic, "byte {byte}");
    }
}

#[test]
fn attribute_behind_the_integrity_does_not_count() {
    let key = key("password of 22 letters");
    let mut message = Message::new(BINDING_REQUEST, [1; 12]);
    message.attribute(USERNAME, b"ours:theirs");
    message.sign(&key);
    message.attribute(USE_CANDIDATE, b"");
    let bytes = message.with_fingerprint();

    let request = BindingRequest::parse(&bytes).unwrap();

    assert!(!request.use_candidate());
}

#[test]
fn unknown_required_attribute_is_refused() {
    let mut message = Message::new(BINDING_REQUEST, [1; 12]);
    message.attribute(0x0003, &[0; 4]);
    assert!(BindingRequest::parse(&message.0).is_none());
}

#[test]
fn anonymous_request_gets_its_address_and_nothing_else() {
    let request = Message::new(BINDING_REQUEST, [1; 12]).with_fingerprint();
    let reply = anonymous_reply(&request, from()).unwrap();
    // RFC 5769 section 2.2 has the same address and the same encoding.
    assert_eq!(
        reply[20..32],
        [
            0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43
        ]
    );
    assert_eq!(reply.len(), 40);
    assert_eq!(anonymous_reply(RFC5769_REQUEST, from()), None);
    assert_eq!(
        anonymous_reply(&reply, from()),
        None,
        "a reply gets no reply"
    );
}

#[test]
fn a_reply_to_a_stranger_is_hardly_longer_than_its_request() {
    let v6 = "[2001:db8::1]:32853".parse().unwrap();
    let bare = Message::new(BINDING_REQUEST, [1; 12]).0;
    let sealed = Message::new(BINDING_REQUEST, [1; 12]).with_fingerprint();
    for request in [bare, sealed] {
        for (source, more) in [(from(), 12), (v6, 24)] {
            let reply = anonymous_reply(&request, source).unwrap();
            assert_eq!(reply.len(), request.len() + more);
        }
    }
}

#[test]
fn ipv6_address_is_masked_with_cookie_and_transaction() {
    let mut message = Message::new(BINDING_SUCCESS, RFC5769_REQUEST[8..20].try_into().unwrap());
    let address = "[2001:db8:1234:5678:11:2233:4455:6677]:32853";
    message.xor_mapped_address(address.parse().unwrap());
    // RFC 5769 section 2.3.
    assert_eq!(
        message.0[20..],
        [
            0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3,
            0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
        ]
    );
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = ufrag(&bytes);
        let _ = anonymous_reply(&bytes, from());
    }

    #[test]
    fn damaged_request_never_panics(at in 0..108_usize, byte: u8, cut in 0..108_usize) {
        let mut bytes = RFC5769_REQUEST.to_vec();
        bytes[at] = byte;
        bytes.truncate(cut);
        if let Some(request) = BindingRequest::parse(&bytes) {
            let _ = request.is_authentic(&key("password"));
        }
    }
}
