//! The vectors of RFC 3711 and RFC 7714, replays, roll-overs, garbage.

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_ascii_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// RFC 7714 gives session keys, not master keys.
fn rfc7714_key(len: u8) -> SessionKey {
    let mut key = [0; 32];
    for (out, value) in key.iter_mut().zip(0..len) {
        *out = value;
    }
    SessionKey {
        suite: if len == 16 {
            Suite::Aes128Gcm
        } else {
            Suite::Aes256Gcm
        },
        key,
        salt: *b"Quid pro quo",
    }
}

const RTP: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 \
                   69736120 696e2070 61727465 73207472 6573";
const RTCP: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 \
                    deadbeef deadbeef deadbeef deadbeef deadbeef";

fn check_rtp(key_len: u8, sealed: &str) {
    let mut packet = hex(RTP);
    let key = rfc7714_key(key_len);
    let (header, payload) = packet.split_at_mut(12);
    let nonce = rtp_nonce(&key.salt, 0x5501_a0b2, 0xf17b);
    let tag = key
        .expand()
        .seal_in_place_separate_tag(nonce, ring::aead::Aad::from(&*header), payload)
        .unwrap();
    packet.extend_from_slice(tag.as_ref());

    assert_eq!(packet, hex(sealed));
}

#[test]
fn srtp_with_aes_128_gcm_is_rfc_7714_section_16_1_1() {
    check_rtp(
        16,
        "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f \
         42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
    );
}

#[test]
fn srtp_with_aes_256_gcm_is_rfc_7714_section_16_2_1() {
    check_rtp(
        32,
        "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 \
         b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
    );
}

#[test]
fn srtcp_with_aes_128_gcm_is_rfc_7714_section_17_1() {
    let mut outbound = outbound();
    outbound.set_rtcp(rfc7714_key(16), 0x5d4);
    let mut packet = hex(RTCP);
    let len = packet.len();
    packet.resize(len + RTCP_OVERHEAD, 0);

    let sealed = outbound.protect_rtcp(&mut packet, len).unwrap();

    assert_eq!(
        packet[..sealed],
        hex(
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d \
             c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 \
             45d9eade 800005d4"
        )
    );
}

#[test]
fn key_derivation_is_rfc_3711_appendix_b_3() {
    let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
    let mut cipher_key = [0; 16];
    let mut cipher_salt = [0; 14];

    kdf::derive(&key, &salt, kdf::RTP.key, &mut cipher_key);
    kdf::derive(&key, &salt, kdf::RTP.salt, &mut cipher_salt);

    assert_eq!(cipher_key[..], hex("C61E7A93744F39EE10734AFE3FF7A087"));
    assert_eq!(cipher_salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
}

fn master() -> MasterKey {
    MasterKey::new(&[7; 16], &[9; 12]).unwrap()
}

fn outbound() -> Outbound {
    Outbound::new(&master())
}

fn inbound() -> Inbound {
    Inbound::new(&master())
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&[0, 0, 0, 1]);
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(b"payload");
    packet
}

fn seal(outbound: &mut Outbound, packet: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + TAG_LEN, 0);
    let sealed = outbound.protect(&mut buffer, packet.len())?;
    buffer.truncate(sealed);
    Ok(buffer)
}

fn open(inbound: &mut Inbound, sealed: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = sealed.to_vec();
    let len = inbound.unprotect(&mut buffer)?;
    buffer.truncate(len);
    Ok(buffer)
}

#[test]
fn both_suites_open_what_they_seal() {
    for key_len in [16, 32] {
        let master = MasterKey::new(&vec![3; key_len], &[5; 12]).unwrap();
        let packet = rtp(1, 1);
        let sealed = seal(&mut Outbound::new(&master), &packet).unwrap();
        assert_eq!(open(&mut Inbound::new(&master), &sealed), Ok(packet));
    }
}

#[test]
fn csrcs_and_extensions_are_authentic_but_in_clear() {
    // One CSRC, one word of extension.
    let mut packet = vec![0x91, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 42];
    packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0x7f, 0, 0]);
    packet.extend_from_slice(b"opus");
    let mut sealed = seal(&mut outbound(), &packet).unwrap();
    assert_eq!(sealed[..24], packet[..24]);
    assert_eq!(open(&mut inbound(), &sealed), Ok(packet));

    sealed[15] ^= 1;
    assert_eq!(open(&mut inbound(), &sealed), Err(SrtpError::NotAuthentic));
}

#[test]
fn packet_opens_once() {
    let sealed = seal(&mut outbound(), &rtp(1, 1)).unwrap();
    let mut inbound = inbound();
    assert!(open(&mut inbound, &sealed).is_ok());
    assert_eq!(open(&mut inbound, &sealed), Err(SrtpError::Replayed));
}

#[test]
fn replay_window_is_128_packets() {
    let mut outbound = outbound();
    let sealed: Vec<_> = (0..200)
        .map(|sequence| seal(&mut outbound, &rtp(1, sequence)).unwrap())
        .collect();
    let mut inbound = inbound();
    assert!(open(&mut inbound, &sealed[0]).is_ok());
    assert!(open(&mut inbound, &sealed[199]).is_ok());

    // Late but within the window: welcome, once.
    assert!(open(&mut inbound, &sealed[199 - 127]).is_ok());
    assert_eq!(
        open(&mut inbound, &sealed[199 - 127]),
        Err(SrtpError::Replayed)
    );
    assert_eq!(
        open(&mut inbound, &sealed[199 - 128]),
        Err(SrtpError::Replayed)
    );
}

#[test]
fn roll_over_is_followed_through_loss_and_reordering() {
    let mut outbound = outbound();
    let mut inbound = inbound();
    let mut kept = None;
    for number in 65_000..300_000_u32 {
        let packet = rtp(1, u16::try_from(number & 0xffff).unwrap());
        if number % 97 == 0 {
            let sealed = seal(&mut outbound, &packet).unwrap();
            if number % 194 == 0 {
                kept = Some((sealed, packet));
                continue;
            }
            assert_eq!(open(&mut inbound, &sealed), Ok(packet));
            if let Some((sealed, packet)) = kept.take() {
                assert_eq!(open(&mut inbound, &sealed), Ok(packet));
            }
        }
    }
}

#[test]
fn number_that_was_sealed_or_is_too_old_is_not_sealed() {
    let mut outbound = outbound();
    assert!(seal(&mut outbound, &rtp(1, 65_535)).is_ok());
    assert!(seal(&mut outbound, &rtp(1, 0)).is_ok());
    for sequence in [0, 65_535, 40_000] {
        assert_eq!(
            seal(&mut outbound, &rtp(1, sequence)),
            Err(SrtpError::Sealed)
        );
    }
    assert!(seal(&mut outbound, &rtp(2, 0)).is_ok(), "another SSRC");
}

#[test]
fn late_number_is_sealed_once_over_a_roll_over() {
    let mut outbound = outbound();
    let mut inbound = inbound();
    for sequence in [65_530, 10, 65_535, 5, 65_531, 11] {
        let packet = rtp(1, sequence);
        let sealed = seal(&mut outbound, &packet).unwrap();
        assert_eq!(open(&mut inbound, &sealed), Ok(packet), "{sequence}");
        assert_eq!(
            seal(&mut outbound, &rtp(1, sequence)),
            Err(SrtpError::Sealed)
        );
    }
    assert!(seal(&mut outbound, &rtp(1, 11_u16.wrapping_sub(63))).is_ok());
    assert_eq!(
        seal(&mut outbound, &rtp(1, 11_u16.wrapping_sub(64))),
        Err(SrtpError::Sealed)
    );
}

#[test]
fn forged_packet_leaves_no_state() {
    let mut outbound = outbound();
    let mut inbound = inbound();
    for ssrc in 0..1_000 {
        let mut forged = rtp(ssrc, 9);
        forged.extend_from_slice(&[0; TAG_LEN]);
        assert_eq!(open(&mut inbound, &forged), Err(SrtpError::NotAuthentic));
    }
    let sealed = seal(&mut outbound, &rtp(1, 1)).unwrap();
    assert!(open(&mut inbound, &sealed).is_ok());
}

#[test]
fn ssrcs_are_bounded() {
    let mut outbound = outbound();
    let mut inbound = inbound();
    for ssrc in 0..32 {
        let sealed = seal(&mut outbound, &rtp(ssrc, 1)).unwrap();
        assert!(open(&mut inbound, &sealed).is_ok());
    }
    let sealed = seal(&mut outbound, &rtp(32, 1)).unwrap();
    assert_eq!(open(&mut inbound, &sealed), Err(SrtpError::TooManySsrcs));
}

#[test]
fn rtcp_opens_once_and_only_untouched() {
    let mut outbound = outbound();
    let mut inbound = inbound();
    let packet = hex(RTCP);
    let mut sealed = packet.clone();
    sealed.resize(packet.len() + RTCP_OVERHEAD, 0);
    let len = outbound.protect_rtcp(&mut sealed, packet.len()).unwrap();
    assert_eq!(len, sealed.len());

    for byte in 0..len {
        let mut touched = sealed.clone();
        touched[byte] ^= 1;
        assert!(inbound.unprotect_rtcp(&mut touched).is_err());
    }
    let mut first = sealed.clone();
    assert_eq!(inbound.unprotect_rtcp(&mut first), Ok(packet.len()));
    assert_eq!(first[..packet.len()], packet);
    assert_eq!(
        inbound.unprotect_rtcp(&mut sealed),
        Err(SrtpError::Replayed)
    );
}

#[test]
fn subscriber_costs_little_more_than_a_kibibyte() {
    let slots = 33 * outbound::SENT_BYTES;
    let bytes = size_of::<Outbound>() + slots;
    assert!(bytes < 1280, "{bytes} bytes");
}

proptest! {
    #[test]
    fn garbage_never_panics(mut packet in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut inbound = inbound();
        let mut outbound = outbound();
        let _ = inbound.unprotect(&mut packet.clone());
        let _ = inbound.unprotect_rtcp(&mut packet.clone());
        let len = packet.len();
        let _ = outbound.protect(&mut packet.clone(), len);
        packet.resize(len + RTCP_OVERHEAD, 0);
        let _ = outbound.protect(&mut packet.clone(), len);
        let _ = outbound.protect_rtcp(&mut packet, len);
    }

    /// The packets differ in their number alone, so that two of one index are the same bytes.
    #[test]
    fn no_index_is_sealed_twice(
        steps in proptest::collection::vec(
            prop_oneof![8 => -80_i16..80, 1 => any::<i16>()],
            1..300,
        ),
    ) {
        let mut outbound = outbound();
        let mut seen = std::collections::BTreeSet::new();
        let mut sequence = 0_u16;
        for step in steps {
            sequence = sequence.wrapping_add_signed(step);
            if let Ok(sealed) = seal(&mut outbound, &rtp(1, sequence)) {
                prop_assert!(seen.insert(sealed));
            }
        }
    }
}
