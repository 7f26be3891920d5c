//! A scripted client: answers offers, checks, shakes hands, sends numbered packets, and keeps
//! book of what it hears.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use dimpl::{Dtls, DtlsCertificate, Output, SrtpProfile};
use gryt_media::Path;
use gryt_media::srtp::{Inbound, MasterKey, Outbound};
use ring::{digest, hmac};

/// One participant's device.
pub(crate) struct Client {
    pub(crate) id: u32,
    pub(crate) path: Path,
    server: Server,
    fingerprint: String,
    dtls: Dtls,
    keys: Option<(Outbound, Inbound)>,
    began: Instant,
    /// Datagrams for the node.
    pub(crate) outbox: Vec<Vec<u8>>,
    pub(crate) microphone: Microphone,
    pub(crate) heard: Heard,
    pub(crate) mids: Vec<String>,
}

struct Server {
    ufrag: String,
    pwd: String,
}

/// What the client sends next.
pub(crate) struct Microphone {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// At the client's beginning; it runs on with the clock, as encoders' do.
    pub(crate) timestamp: u32,
    /// Counts the packets, in the payload.
    pub(crate) number: u32,
    pub(crate) level: Option<u8>,
    pub(crate) payload_bytes: usize,
}

/// What the client received.
#[derive(Default)]
pub(crate) struct Heard {
    /// By speaker: the numbers of the packets, in the order of arrival.
    pub(crate) packets: BTreeMap<u32, Vec<u32>>,
    /// Slots a speaker was heard in.
    pub(crate) slots: BTreeMap<u32, BTreeSet<u32>>,
    pub(crate) markers: BTreeMap<u32, usize>,
    pub(crate) gaps: usize,
    pub(crate) time_jumps: usize,
    pub(crate) wrong_names: usize,
    pub(crate) not_opened: usize,
    pub(crate) sealed_twice: usize,
    pub(crate) sender_reports: BTreeMap<u32, u32>,
    pub(crate) receiver_reports: usize,
    pub(crate) last_arrival: BTreeMap<u32, Instant>,
    streams: BTreeMap<u32, Stream>,
}

/// One slot as its receiver sees it.
#[derive(Default)]
struct Stream {
    highest: u64,
    timestamp: u32,
    at: Option<Instant>,
    used: BTreeSet<u64>,
}

impl Client {
    pub(crate) fn new(id: u32, offer: &str, now: Instant) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        let digest = digest::digest(&digest::SHA256, certificate.der());
        let hex: Vec<String> = digest.as_ref().iter().map(|b| format!("{b:02X}")).collect();
        let certificate = DtlsCertificate {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
        };
        let config = dimpl::Config::builder().build().unwrap();
        let mut dtls = Dtls::new_12(Arc::new(config), certificate, now);
        dtls.set_active(true);
        let find = |key: &str| {
            let line = offer.lines().find_map(|line| line.strip_prefix(key));
            line.unwrap().to_owned()
        };
        Self {
            id,
            path: Path {
                remote: SocketAddr::from(([10, 0, 0, 9], u16::try_from(20_000 + id).unwrap())),
                local: [10, 0, 0, 1].into(),
            },
            server: Server {
                ufrag: find("a=ice-ufrag:"),
                pwd: find("a=ice-pwd:"),
            },
            fingerprint: hex.join(":"),
            dtls,
            keys: None,
            began: now,
            outbox: Vec::new(),
            microphone: Microphone {
                ssrc: 1_000 + id,
                sequence: 65_500,
                timestamp: id.wrapping_mul(0x1234_5678),
                number: 0,
                level: Some(30),
                payload_bytes: 80,
            },
            heard: Heard::default(),
            mids: Vec::new(),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    /// Answers as a browser does: sends on `mic`, receives on every slot.
    pub(crate) fn answer(&mut self, offer: &str) -> String {
        self.mids = offer
            .lines()
            .filter_map(|line| line.strip_prefix("a=mid:"))
            .map(str::to_owned)
            .collect();
        let mut sdp = format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\n",
            self.mids.join(" ")
        );
        for mid in &self.mids {
            let direction = if mid == "mic" {
                "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
                 a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=sendonly"
            } else {
                "a=recvonly"
            };
            sdp += &format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
                 a=ice-ufrag:client{:04}\r\na=ice-pwd:0123456789012345678901\r\n\
                 a=fingerprint:sha-256 {}\r\na=setup:active\r\na=rtcp-mux\r\n\
                 a=rtpmap:111 opus/48000/2\r\n{direction}\r\n",
                self.id, self.fingerprint
            );
        }
        sdp
    }

    /// A connectivity check that nominates.
    pub(crate) fn check(&self) -> Vec<u8> {
        let username = format!("{}:client{:04}", self.server.ufrag, self.id);
        binding_request(&username, &self.server.pwd, true)
    }

    /// A connectivity check of a pair that is not chosen.
    pub(crate) fn other_check(&self) -> Vec<u8> {
        let username = format!("{}:client{:04}", self.server.ufrag, self.id);
        binding_request(&username, &self.server.pwd, false)
    }

    /// Runs what is due and the client's side of the handshake.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.keys.is_none() {
            self.dtls.handle_timeout(now).unwrap();
            self.drain_dtls();
        }
    }

    pub(crate) fn receive(&mut self, datagram: &[u8], now: Instant) {
        match datagram {
            [0..=3, ..] => {}
            [20..=63, ..] => {
                self.dtls.handle_timeout(now).unwrap();
                self.dtls.handle_packet(datagram).unwrap();
                self.drain_dtls();
            }
            [_, 192..=223, ..] => self.receive_rtcp(datagram),
            _ => self.receive_rtp(datagram, now),
        }
    }

    /// Ends the association, as a browser does that closes its page.
    pub(crate) fn close(&mut self) {
        self.dtls.close().unwrap();
        self.drain_dtls();
    }

    fn drain_dtls(&mut self) {
        let mut buffer = vec![0; 2_048];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.outbox.push(packet.to_vec()),
                Output::KeyingMaterial(material, profile) => {
                    let bytes = match profile {
                        SrtpProfile::AEAD_AES_128_GCM => 16,
                        SrtpProfile::AEAD_AES_256_GCM => 32,
                        other => panic!("{other:?}"),
                    };
                    // RFC 5764 section 4.2: both keys, then both salts, the client's first.
                    let key = |side: usize| {
                        let key = &material[side * bytes..][..bytes];
                        MasterKey::new(key, &material[2 * bytes + side * 12..][..12]).unwrap()
                    };
                    self.keys = Some((Outbound::new(&key(0)), Inbound::new(&key(1))));
                }
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }

    /// The microphone's next packet, sealed. It carries who sent it and its number.
    pub(crate) fn speak(&mut self, now: Instant) -> Vec<u8> {
        let Microphone {
            ssrc,
            sequence,
            timestamp,
            number,
            level,
            payload_bytes,
        } = self.microphone;
        self.microphone.sequence = sequence.wrapping_add(1);
        let ticks = u32::try_from((now - self.began).as_millis() * 48).unwrap();
        let timestamp = timestamp.wrapping_add(ticks);
        self.microphone.number += 1;
        let mut packet = vec![0x90, 111];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend([0xbe, 0xde, 0, 2, 0x42, b'm', b'i', b'c']);
        packet.extend(level.map_or([0; 4], |level| [0x10, level, 0, 0]));
        let mut payload = vec![0xaa; payload_bytes.max(8)];
        payload[..4].copy_from_slice(&self.id.to_be_bytes());
        payload[4..8].copy_from_slice(&number.to_be_bytes());
        packet.extend(&payload[..payload_bytes]);
        self.seal(packet)
    }

    pub(crate) fn seal(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let length = packet.len();
        packet.resize(length + 16, 0);
        let (outbound, _) = self.keys.as_mut().unwrap();
        outbound.protect(&mut packet, length).unwrap();
        packet
    }

    pub(crate) fn seal_rtcp(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let length = packet.len();
        packet.resize(length + 20, 0);
        let (outbound, _) = self.keys.as_mut().unwrap();
        outbound.protect_rtcp(&mut packet, length).unwrap();
        packet
    }

    fn receive_rtp(&mut self, datagram: &[u8], now: Instant) {
        let mut packet = datagram.to_vec();
        let Some((_, inbound)) = self.keys.as_mut() else {
            self.heard.not_opened += 1;
            return;
        };
        let Ok(length) = inbound.unprotect(&mut packet) else {
            self.heard.not_opened += 1;
            return;
        };
        assert_eq!(packet[0], 0x81, "one CSRC, no extension, no padding");
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let [_, _, high, low] = word(0).to_be_bytes();
        let (timestamp, slot, speaker) = (word(4), word(8), word(12));
        self.heard
            .follow(slot, u16::from_be_bytes([high, low]), timestamp, now);
        if length >= 24 {
            self.heard.wrong_names += usize::from(word(16) != speaker);
            self.heard
                .packets
                .entry(speaker)
                .or_default()
                .push(word(20));
        }
        self.heard.slots.entry(speaker).or_default().insert(slot);
        *self.heard.markers.entry(speaker).or_default() += usize::from(packet[1] & 0x80 != 0);
        self.heard.last_arrival.insert(speaker, now);
    }

    fn receive_rtcp(&mut self, datagram: &[u8]) {
        let mut packet = datagram.to_vec();
        let (_, inbound) = self.keys.as_mut().unwrap();
        let length = inbound.unprotect_rtcp(&mut packet).unwrap();
        let mut rest = &packet[..length];
        while let [_, kind, high, low, ssrc @ ..] = rest {
            let bytes = 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
            match *kind {
                200 => {
                    let ssrc = u32::from_be_bytes(ssrc[..4].try_into().unwrap());
                    let packets = u32::from_be_bytes(rest[20..24].try_into().unwrap());
                    self.heard.sender_reports.insert(ssrc, packets);
                }
                201 => self.heard.receiver_reports += 1,
                202 => {}
                other => panic!("RTCP {other}"),
            }
            rest = &rest[bytes..];
        }
    }
}

impl Heard {
    /// Speakers of whom at least one packet came.
    pub(crate) fn speakers(&self) -> Vec<u32> {
        self.packets.keys().copied().collect()
    }

    /// Forgets the packets but not the state of the streams.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.slots.clear();
        self.markers.clear();
    }

    fn follow(&mut self, slot: u32, sequence: u16, timestamp: u32, now: Instant) {
        let stream = self.streams.entry(slot).or_default();
        let Some(at) = stream.at else {
            *stream = Stream {
                highest: u64::from(sequence),
                timestamp,
                at: Some(now),
                used: BTreeSet::from([u64::from(sequence)]),
            };
            return;
        };
        let low = u16::try_from(stream.highest & 0xffff).unwrap();
        let ahead = sequence.wrapping_sub(low);
        let index = if ahead < 0x8000 {
            stream.highest + u64::from(ahead)
        } else {
            stream.highest - u64::from(0_u16.wrapping_sub(ahead))
        };
        self.sealed_twice += usize::from(!stream.used.insert(index));
        self.gaps += usize::from(index != stream.highest + 1);
        // Time must pass in the stream as on the wall, give or take a frame at a change.
        let passed = timestamp.wrapping_sub(stream.timestamp).cast_signed();
        let wall = i32::try_from((now - at).as_micros() * 48 / 1_000).unwrap();
        self.time_jumps += usize::from((passed - wall).abs() > 2 * 960);
        if index > stream.highest {
            stream.highest = index;
            stream.timestamp = timestamp;
            stream.at = Some(now);
        }
    }
}

/// A STUN Binding request with USERNAME, ICE-CONTROLLING, MESSAGE-INTEGRITY and, if it nominates,
/// USE-CANDIDATE.
pub(crate) fn binding_request(username: &str, pwd: &str, nominates: bool) -> Vec<u8> {
    let mut message = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    message.extend([7; 12]);
    let mut attribute = |kind: u16, value: &[u8]| {
        message.extend(kind.to_be_bytes());
        message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
    };
    attribute(0x0006, username.as_bytes());
    attribute(0x802a, &[1; 8]);
    if nominates {
        attribute(0x0025, &[]);
    }
    let length = u16::try_from(message.len() - 20 + 24).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, pwd.as_bytes());
    let tag = hmac::sign(&key, &message);
    message.extend([0, 8, 0, 20]);
    message.extend(tag.as_ref());
    message
}
