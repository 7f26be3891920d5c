//! How an operator asks an SFU how busy it is: a STUN Binding request and its response (RFC 8489),
//! signed with a key that both derive from the SFU's private key. Pure.
//!
//! Each message has one attribute beside MESSAGE-INTEGRITY-SHA256, so both have a fixed length and
//! nothing is searched in them. The response carries no mapped address: who asks this wants none.

use std::fmt;

use ring::hmac;

/// What an SFU carries at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Rooms with somebody in them.
    pub calls: u32,
    /// People in them.
    pub participants: u32,
}

/// Identifies a request and its response.
pub type Transaction = [u8; 12];

/// Whoever has it may ask, and is believed.
#[derive(Clone, PartialEq, Eq)]
pub struct OccupancyKey([u8; KEY_BYTES]);

/// The length of a request.
pub const REQUEST_BYTES: usize = ASKED_BYTES + SEAL_BYTES;
/// The length of a response, never more than what was asked with.
pub const RESPONSE_BYTES: usize = TOLD_BYTES + SEAL_BYTES;

const KEY_BYTES: usize = 32;
const HEADER_BYTES: usize = 20;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
const ASKED_BYTES: usize = HEADER_BYTES + ATTRIBUTE_HEADER_BYTES + NAME.len();
const TOLD_BYTES: usize = HEADER_BYTES + ATTRIBUTE_HEADER_BYTES + 8;
const SEAL_BYTES: usize = ATTRIBUTE_HEADER_BYTES + 32;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
/// Of ours, from the range that others may ignore.
const OCCUPANCY: u16 = 0xfe01;
/// No participant's name: those have a colon and no full stop.
const NAME: [u8; 16] = *b"gryt.occupancy.1";
/// Keeps the key apart from everything else that is ever derived from the same file.
const LABEL: &[u8] = b"gryt occupancy key 1";

impl fmt::Debug for OccupancyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OccupancyKey(…)")
    }
}

impl OccupancyKey {
    /// The key that comes of the bytes of a private key file.
    #[must_use]
    pub fn derive(private_key_file: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, private_key_file), LABEL);
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(tag.as_ref());
        Self(key)
    }

    /// The question.
    #[must_use]
    pub fn request(&self, transaction: Transaction) -> [u8; REQUEST_BYTES] {
        self.seal::<ASKED_BYTES, _>(asked(transaction))
    }

    /// Whether a datagram is the question of somebody who has this key, and which. Constant time
    /// from the signature on.
    #[must_use]
    pub fn read_request(&self, datagram: &[u8]) -> Option<Transaction> {
        let datagram: &[u8; REQUEST_BYTES] = datagram.try_into().ok()?;
        let transaction = transaction_of(datagram)?;
        let asks = datagram.starts_with(&asked(transaction));
        (asks && self.sealed::<ASKED_BYTES>(datagram)).then_some(transaction)
    }

    /// The answer to the question of this `transaction`.
    #[must_use]
    pub fn response(&self, transaction: Transaction, occupancy: Occupancy) -> [u8; RESPONSE_BYTES] {
        self.seal::<TOLD_BYTES, _>(told(transaction, occupancy))
    }

    /// The answer, if a datagram is the one to `transaction` by somebody who has this key.
    #[must_use]
    pub fn read_response(&self, datagram: &[u8], transaction: Transaction) -> Option<Occupancy> {
        let datagram: &[u8; RESPONSE_BYTES] = datagram.try_into().ok()?;
        let number = |at: usize| Some(u32::from_be_bytes(*datagram.get(at..)?.first_chunk()?));
        let values = HEADER_BYTES + ATTRIBUTE_HEADER_BYTES;
        let occupancy = Occupancy {
            calls: number(values)?,
            participants: number(values + 4)?,
        };
        let answers = datagram.starts_with(&told(transaction, occupancy));
        (answers && self.sealed::<TOLD_BYTES>(datagram)).then_some(occupancy)
    }

    /// Appends MESSAGE-INTEGRITY-SHA256. The header's length counts it already.
    fn seal<const HEAD: usize, const ALL: usize>(&self, head: [u8; HEAD]) -> [u8; ALL] {
        let mut message = [0; ALL];
        message[..HEAD].copy_from_slice(&head);
        let (integrity, value) = message[HEAD..].split_at_mut(ATTRIBUTE_HEADER_BYTES);
        integrity.copy_from_slice(&attribute_header(MESSAGE_INTEGRITY_SHA256, KEY_BYTES));
        value.copy_from_slice(hmac::sign(&self.signer(), &head).as_ref());
        message
    }

    fn sealed<const HEAD: usize>(&self, message: &[u8]) -> bool {
        let (head, seal) = message.split_at(HEAD);
        let (integrity, value) = seal.split_at(ATTRIBUTE_HEADER_BYTES);
        integrity == attribute_header(MESSAGE_INTEGRITY_SHA256, KEY_BYTES)
            && hmac::verify(&self.signer(), head, value).is_ok()
    }

    fn signer(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

fn transaction_of(message: &[u8]) -> Option<Transaction> {
    message.get(8..)?.first_chunk().copied()
}

fn asked(transaction: Transaction) -> [u8; ASKED_BYTES] {
    head(BINDING_REQUEST, transaction, USERNAME, &NAME)
}

fn told(transaction: Transaction, occupancy: Occupancy) -> [u8; TOLD_BYTES] {
    let Occupancy {
        calls,
        participants,
    } = occupancy;
    let mut value = [0; 8];
    value[..4].copy_from_slice(&calls.to_be_bytes());
    value[4..].copy_from_slice(&participants.to_be_bytes());
    head(BINDING_SUCCESS, transaction, OCCUPANCY, &value)
}

/// A message up to its integrity, with the length that it has with it.
fn head<const HEAD: usize>(
    kind: u16,
    transaction: Transaction,
    attribute: u16,
    value: &[u8],
) -> [u8; HEAD] {
    let length = HEAD - HEADER_BYTES + SEAL_BYTES;
    let mut head = [0; HEAD];
    head[..2].copy_from_slice(&kind.to_be_bytes());
    head[2..4].copy_from_slice(&bytes_of(length));
    head[4..8].copy_from_slice(&MAGIC_COOKIE);
    head[8..20].copy_from_slice(&transaction);
    head[20..24].copy_from_slice(&attribute_header(attribute, value.len()));
    head[24..].copy_from_slice(value);
    head
}

fn attribute_header(kind: u16, length: usize) -> [u8; ATTRIBUTE_HEADER_BYTES] {
    let [a, b] = kind.to_be_bytes();
    let [c, d] = bytes_of(length);
    [a, b, c, d]
}

fn bytes_of(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: Transaction = *b"abcdefghijkl";
    const BUSY: Occupancy = Occupancy {
        calls: 2,
        participants: 260,
    };

    fn key() -> OccupancyKey {
        OccupancyKey::derive(b"-----BEGIN PRIVATE KEY-----\n")
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Made by another program after RFC 8489 section 14.6.
    #[test]
    fn messages_are_these_bytes() {
        assert_eq!(
            hex(&key().request(TRANSACTION)),
            concat!(
                "000100382112a4426162636465666768696a6b6c00060010677279742e6f63637570616e",
                "63792e31001c002085d10d8573cffeb367b0cccc4e672ae433a1c9417d9ea7fb759ddbd3",
                "fc925480",
            )
        );
        assert_eq!(
            hex(&key().response(TRANSACTION, BUSY)),
            concat!(
                "010100302112a4426162636465666768696a6b6cfe0100080000000200000104001c0020",
                "c926916fdf79656f7cd054ed1f6ad8752c60bfefe42b14c0d8d1102df37d58ac",
            )
        );
    }

    #[test]
    fn a_question_is_answered_under_its_own_transaction() {
        let asked = key().read_request(&key().request(TRANSACTION));
        assert_eq!(asked, Some(TRANSACTION));
        let response = key().response(TRANSACTION, BUSY);
        assert_eq!(key().read_response(&response, TRANSACTION), Some(BUSY));
        assert_eq!(key().read_response(&response, [0; 12]), None);
        assert!(response.len() <= key().request(TRANSACTION).len());
    }

    #[test]
    fn nothing_is_read_under_another_key() {
        let other = OccupancyKey::derive(b"-----BEGIN PRIVATE KEY-----");
        assert_eq!(other.read_request(&key().request(TRANSACTION)), None);
        let response = key().response(TRANSACTION, BUSY);
        assert_eq!(other.read_response(&response, TRANSACTION), None);
    }

    #[test]
    fn a_changed_bit_anywhere_and_every_other_length_is_refused() {
        let (request, response) = (
            key().request(TRANSACTION),
            key().response(TRANSACTION, BUSY),
        );
        for bit in 0..8 * REQUEST_BYTES {
            let mut changed = request;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key().read_request(&changed), None, "bit {bit}");
        }
        for bit in 0..8 * RESPONSE_BYTES {
            let mut changed = response;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                key().read_response(&changed, TRANSACTION),
                None,
                "bit {bit}"
            );
        }
        for length in 0..REQUEST_BYTES {
            assert_eq!(key().read_request(&request[..length]), None, "{length}");
            assert_eq!(key().read_response(&request[..length], TRANSACTION), None);
        }
        let longer = [&request[..], &[0; 4]].concat();
        assert_eq!(key().read_request(&longer), None);
        assert_eq!(
            key().read_request(&response),
            None,
            "an answer is no question"
        );
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{:?}", key()), "OccupancyKey(…)");
    }
}
