//! STUN as far as an ICE-lite agent needs it (RFC 8489, RFC 8445): reads Binding requests, writes
//! their replies. No other method, no allocation while reading.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;
use subtle::ConstantTimeEq as _;

const MAGIC_COOKIE: u32 = 0x2112_A442;
const HEADER_LEN: usize = 20;
const INTEGRITY_LEN: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const FINGERPRINT_XOR: u32 = 0x5354_554e;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802A;

/// A Binding request. Nothing in it is to be believed before [`BindingRequest::is_authentic`].
#[derive(Debug, Clone, Copy)]
pub struct BindingRequest<'a> {
    datagram: &'a [u8],
    transaction: [u8; 12],
    username: Option<&'a str>,
    integrity: Option<Integrity>,
    use_candidate: bool,
    role: Option<Role>,
    has_fingerprint: bool,
}

/// Where the MESSAGE-INTEGRITY attribute begins and what it says.
#[derive(Debug, Clone, Copy)]
struct Integrity {
    offset: usize,
    mac: [u8; INTEGRITY_LEN],
}

/// Which side the sender believes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It nominates. A lite agent's counterpart always does.
    Controlling,
    /// It waits for nomination.
    Controlled,
}

/// Whether a datagram belongs to STUN (RFC 7983: first byte 0 to 3).
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|byte| *byte < 4)
}

/// Whose check this is: the part of the user name before the colon, which is our ufrag. Reads an
/// unauthenticated datagram; the peer of that ufrag verifies it.
#[must_use]
pub fn ufrag(datagram: &[u8]) -> Option<&str> {
    let username = BindingRequest::parse(datagram)?.username?;
    Some(username.split_once(':').map_or(username, |(ours, _)| ours))
}

/// The reply to a request WITHOUT user name: the mapped address, a FINGERPRINT where the request
/// has one, and nothing else. That is 12 bytes more than the request at most, 24 with IPv6: nobody
/// gains by asking in another's name. Anybody may ask, so the caller limits the rate. `None` for
/// everything that is not such a request.
#[must_use]
pub fn anonymous_reply(datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let request = BindingRequest::parse(datagram)?;
    if request.username.is_some() || request.integrity.is_some() {
        return None;
    }
    let mut message = Message::new(BINDING_SUCCESS, request.transaction);
    message.xor_mapped_address(from);
    Some(if request.has_fingerprint {
        message.with_fingerprint()
    } else {
        message.0
    })
}

impl<'a> BindingRequest<'a> {
    /// Reads a Binding request. `None` for every other message, for broken framing, a wrong
    /// fingerprint and attributes that must be understood but are not.
    #[must_use]
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER_LEN)?;
        let length = usize::from(u16_at(header, 2)?);
        if u16_at(header, 0)? != BINDING_REQUEST
            || u32_at(header, 4)? != MAGIC_COOKIE
            || length != attributes.len()
            || !length.is_multiple_of(4)
        {
            return None;
        }
        let mut request = Self {
            datagram,
            transaction: header.get(8..)?.try_into().ok()?,
            username: None,
            integrity: None,
            use_candidate: false,
            role: None,
            has_fingerprint: false,
        };
        let mut offset = HEADER_LEN;
        while offset < datagram.len() {
            let kind = u16_at(datagram, offset)?;
            let len = usize::from(u16_at(datagram, offset + 2)?);
            let value = datagram.get(offset + 4..)?.get(..len)?;
            request.take(kind, value, offset)?;
            offset += 4 + len.next_multiple_of(4);
        }
        (offset == datagram.len()).then_some(request)
    }

    fn take(&mut self, kind: u16, value: &'a [u8], offset: usize) -> Option<()> {
        if kind == FINGERPRINT {
            let said = u32_at(value, 0)?;
            let covered = self.datagram.get(..offset)?;
            let last = offset + 8 == self.datagram.len();
            self.has_fingerprint = true;
            return (last && said == crc32(covered) ^ FINGERPRINT_XOR).then_some(());
        }
        // What follows the integrity is not covered by it, so it must not count.
        if self.integrity.is_some() {
            return Some(());
        }
        match kind {
            USERNAME => self.username = Some(std::str::from_utf8(value).ok()?),
            MESSAGE_INTEGRITY => {
                let mac = value.try_into().ok()?;
                self.integrity = Some(Integrity { offset, mac });
            }
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLING => self.role = Some(Role::Controlling),
            ICE_CONTROLLED => self.role = Some(Role::Controlled),
            PRIORITY => {}
            // RFC 8489 section 5: types below 0x8000 must be understood.
            0x0000..0x8000 => return None,
            _ => {}
        }
        Some(())
    }

    /// The whole user name, `<receiver's ufrag>:<sender's ufrag>`.
    #[must_use]
    pub fn username(&self) -> Option<&'a str> {
        self.username
    }

    /// Whether the sender nominates this pair.
    #[must_use]
    pub fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// The sender's ICE role, where it says one.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// Whether the request was written by someone who knows `key`. Takes constant time.
    #[must_use]
    pub fn is_authentic(&self, key: &hmac::Key) -> bool {
        let Some(Integrity { offset, mac }) = self.integrity else {
            return false;
        };
        integrity(key, &self.datagram[..offset])
            .as_ref()
            .ct_eq(&mac)
            .into()
    }

    /// Writes the success response, signed with `key`.
    #[must_use]
    pub fn success(&self, from: SocketAddr, key: &hmac::Key) -> Vec<u8> {
        let mut message = Message::new(BINDING_SUCCESS, self.transaction);
        message.xor_mapped_address(from);
        message.sign(key);
        message.with_fingerprint()
    }

    /// Writes the error response 487, signed with `key`: a lite agent is never the controlling
    /// one, so its counterpart has to be (RFC 8445 section 7.3.1.1).
    #[must_use]
    pub fn role_conflict(&self, key: &hmac::Key) -> Vec<u8> {
        let mut message = Message::new(BINDING_ERROR, self.transaction);
        let mut value = vec![0, 0, 4, 87];
        value.extend_from_slice(b"Role Conflict");
        message.attribute(ERROR_CODE, &value);
        message.sign(key);
        message.with_fingerprint()
    }
}

/// HMAC-SHA1 over a message up to its integrity attribute, with the length it has with it.
fn integrity(key: &hmac::Key, before: &[u8]) -> hmac::Tag {
    let length = before.len() - HEADER_LEN + 4 + INTEGRITY_LEN;
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    let mut context = hmac::Context::with_key(key);
    context.update(&before[..2]);
    context.update(&length.to_be_bytes());
    context.update(&before[4..]);
    context.sign()
}

/// A response that is being written.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, transaction: [u8; 12]) -> Self {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        bytes.extend_from_slice(&transaction);
        Self(bytes)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self.set_length(0);
    }

    /// Writes the header's length as if `more` bytes were still to come.
    fn set_length(&mut self, more: usize) {
        let length = u16::try_from(self.0.len() - HEADER_LEN + more).unwrap_or(u16::MAX);
        self.0[2..4].copy_from_slice(&length.to_be_bytes());
    }

    fn xor_mapped_address(&mut self, address: SocketAddr) {
        let port = address.port() ^ 0x2112;
        let mut value = [0; 20];
        value[2..4].copy_from_slice(&port.to_be_bytes());
        let len = match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&(u32::from(ip) ^ MAGIC_COOKIE).to_be_bytes());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                // The cookie and the transaction stand next to each other in the header.
                for ((out, byte), mask) in value[4..].iter_mut().zip(ip.octets()).zip(&self.0[4..])
                {
                    *out = byte ^ mask;
                }
                20
            }
        };
        self.attribute(XOR_MAPPED_ADDRESS, &value[..len]);
    }

    fn sign(&mut self, key: &hmac::Key) {
        let tag = integrity(key, &self.0);
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref());
    }

    fn with_fingerprint(mut self) -> Vec<u8> {
        self.set_length(8);
        let value = crc32(&self.0) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &value.to_be_bytes());
        self.0
    }
}

/// CRC-32 of ISO 3309, bit by bit: some hundred bytes a few times a second do not earn a table.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

/// Writes a check as a browser does.
#[cfg(test)]
pub(super) fn write_check(username: &[u8], nominate: bool, role: Role, key: &hmac::Key) -> Vec<u8> {
    let mut message = Message::new(BINDING_REQUEST, [7; 12]);
    message.attribute(USERNAME, username);
    let role = match role {
        Role::Controlling => ICE_CONTROLLING,
        Role::Controlled => ICE_CONTROLLED,
    };
    message.attribute(role, &[1; 8]);
    message.attribute(PRIORITY, &[1; 4]);
    if nominate {
        message.attribute(USE_CANDIDATE, &[]);
    }
    message.sign(key);
    message.with_fingerprint()
}

#[cfg(test)]
mod tests;
