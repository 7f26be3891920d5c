//! Hand-made STUN (RFC 8489), so that it can be wrong in every way.

/// A Binding request with a USERNAME and a MESSAGE-INTEGRITY that fits no password.
#[must_use]
pub fn spoofed_check(username: &str) -> Vec<u8> {
    let mut attributes = Vec::new();
    attribute(&mut attributes, 0x0006, username.as_bytes());
    attribute(&mut attributes, 0x0008, &[0x5a; 20]);
    request(&attributes)
}

/// A Binding request whose attribute is longer than the message.
#[must_use]
pub fn overlong_attribute() -> Vec<u8> {
    request(&[0x00, 0x06, 0xff, 0xff])
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

fn request(attributes: &[u8]) -> Vec<u8> {
    const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
    const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    let length = u16::try_from(attributes.len()).unwrap_or(u16::MAX);
    [
        &BINDING_REQUEST[..],
        &length.to_be_bytes(),
        &MAGIC_COOKIE,
        &[7; 12],
        attributes,
    ]
    .concat()
}
