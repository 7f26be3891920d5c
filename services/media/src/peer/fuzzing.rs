//! The doors for fuzz targets: each takes what a remote could send and must not panic.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use ring::hmac;

use super::certificate::Certificate;
use super::dtls::DtlsServer;
use super::layout::{AudioSlot, Layout};
use super::{answer, stun};
use crate::srtp::{Inbound, MasterKey};

/// An SDP answer to an offer of eight slots.
pub fn sdp_answer(text: &str) {
    let layout = Layout::voice((0..8).map(|number| AudioSlot {
        number,
        ssrc: u32::from(number),
        cname: "fuzz".into(),
    }));
    let _ = answer::parse(text, &layout);
}

/// A STUN datagram, as the node and as a peer read it.
pub fn stun(datagram: &[u8]) {
    let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let _ = stun::ufrag(datagram);
    let _ = stun::anonymous_reply(datagram, from);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"fuzz");
    if let Some(request) = stun::BindingRequest::parse(datagram) {
        let _ = request.is_authentic(&key);
        let _ = request.success(from, &key);
    }
}

/// Datagrams to a fresh DTLS server, each with its length in two bytes before it.
pub fn dtls(certificate: &Certificate, mut datagrams: &[u8], now: Instant) {
    let mut server = DtlsServer::new(certificate, now);
    while let Some((length, rest)) = datagrams.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (datagram, rest) = rest.split_at(length);
        server.handle_datagram(datagram, now);
        datagrams = rest;
    }
}

/// A packet, as SRTP and as SRTCP.
pub fn srtp(packet: &[u8]) {
    if let Some(master) = MasterKey::new(&[0; 16], &[0; 12]) {
        let mut inbound = Inbound::new(&master);
        let _ = inbound.unprotect(&mut packet.to_vec());
        let _ = inbound.unprotect_rtcp(&mut packet.to_vec());
    }
}
