//! The DTLS 1.2 server of one peer. All naming of the DTLS crate stays in here and in
//! `certificate.rs`.

use std::collections::VecDeque;
use std::time::Instant;

use dimpl::{Dtls, Output, SrtpProfile};

use super::certificate::{Certificate, Fingerprint};
use crate::srtp::{MasterKey, SrtpKeys};

/// How a handshake, or the association after it, turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandshakeEnd {
    Done,
    Broken,
    NoSrtp,
    ClosedByBrowser,
}

pub(super) struct DtlsServer {
    certificate: Certificate,
    dtls: Dtls,
    /// How the browser cuts its ClientHello; `None` once it has been answered.
    hello: Option<Hello>,
    timeout: Option<Instant>,
    started: bool,
    transmits: VecDeque<Vec<u8>>,
    browser: Option<Fingerprint>,
    keys: Option<SrtpKeys>,
    end: Option<HandshakeEnd>,
    over: bool,
}

impl std::fmt::Debug for DtlsServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DtlsServer")
            .field("dtls", &self.dtls)
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

impl DtlsServer {
    pub(super) fn new(certificate: &Certificate, now: Instant) -> Self {
        Self {
            certificate: certificate.clone(),
            dtls: server(certificate, now),
            hello: Some(Hello::default()),
            timeout: None,
            started: false,
            transmits: VecDeque::new(),
            browser: None,
            keys: None,
            end: None,
            over: false,
        }
    }

    pub(super) fn handle_datagram(&mut self, datagram: &[u8], now: Instant) {
        if self.over {
            return;
        }
        self.started = true;
        if self
            .hello
            .as_mut()
            .is_some_and(|hello| hello.is_cut_anew(datagram))
        {
            self.dtls = server(&self.certificate, now);
        }
        let result = self
            .dtls
            .handle_timeout(now)
            .and_then(|()| self.dtls.handle_packet(datagram));
        self.settle(result);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.over || self.timeout.is_none_or(|timeout| now < timeout) {
            return;
        }
        let result = self.dtls.handle_timeout(now);
        self.settle(result);
    }

    pub(super) fn close(&mut self) {
        if !self.over {
            let result = self.dtls.close();
            self.settle(result);
            self.over = true;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.timeout.filter(|_| self.started && !self.over)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// Takes what has come to an end since the last call.
    pub(super) fn take_end(&mut self) -> Option<HandshakeEnd> {
        self.end.take()
    }

    /// The certificate the browser proved to hold, once the handshake is done.
    pub(super) fn browser_certificate(&self) -> Option<&Fingerprint> {
        self.browser.as_ref().filter(|_| self.keys.is_some())
    }

    pub(super) fn take_keys(&mut self) -> Option<SrtpKeys> {
        self.keys.take()
    }

    fn settle(&mut self, result: Result<(), dimpl::Error>) {
        self.drain();
        if let Err(error) = result {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "DTLS association failed"
            );
            self.finish(HandshakeEnd::Broken);
        }
    }

    fn drain(&mut self) {
        let mut connected = false;
        let mut keys = None;
        let mut closed = false;
        let mut buffer = vec![0; 2048];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => {
                    self.hello = None;
                    self.transmits.push_back(packet.to_vec());
                }
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::PeerCert(der) => self.browser = Some(Fingerprint::of(der)),
                Output::KeyingMaterial(material, profile) => {
                    keys = srtp_keys(&material, profile);
                }
                Output::Connected => connected = true,
                Output::CloseNotify => closed = true,
                Output::Timeout(timeout) => {
                    self.timeout = Some(timeout);
                    break;
                }
                // Nobody sends data in here: there are no data channels.
                Output::ApplicationData(_) | _ => {}
            }
        }
        if keys.is_some() {
            self.keys = keys;
        }
        if connected {
            let end = if self.keys.is_some() {
                HandshakeEnd::Done
            } else {
                HandshakeEnd::NoSrtp
            };
            self.finish(end);
        }
        if closed {
            self.finish(HandshakeEnd::ClosedByBrowser);
        }
    }

    fn finish(&mut self, end: HandshakeEnd) {
        self.over |= end != HandshakeEnd::Done;
        self.end = Some(end);
    }
}

fn server(certificate: &Certificate, now: Instant) -> Dtls {
    Dtls::new_12(
        certificate.dtls_config(),
        certificate.dtls_certificate(),
        now,
    )
}

/// How a ClientHello is cut into fragments. Firefox takes smaller pieces after some losses, and
/// the DTLS crate does not put pieces together that overlap (RFC 6347 section 4.2.3). As long as
/// nothing was answered, starting over loses nothing.
#[derive(Debug, Default)]
struct Hello {
    /// Where the second piece begins, as far as the pieces seen tell.
    cut: Option<u32>,
    restarts: u8,
}

impl Hello {
    /// Whether `datagram` begins a ClientHello that is cut elsewhere than the pieces before.
    fn is_cut_anew(&mut self, datagram: &[u8]) -> bool {
        // Record header of 13 bytes, then type, length, sequence, fragment offset and length.
        let Some(head) = datagram.first_chunk::<25>() else {
            return false;
        };
        if head[0] != 22 || head[13] != 1 {
            return false;
        }
        let offset = u32::from_be_bytes([0, head[19], head[20], head[21]]);
        let len = u32::from_be_bytes([0, head[22], head[23], head[24]]);
        if offset > 0 {
            self.cut = Some(self.cut.map_or(offset, |cut| cut.min(offset)));
            return false;
        }
        let anew = self.cut.is_some_and(|cut| cut != len);
        // A remote must not have us make servers without end.
        if anew && self.restarts >= MAX_RESTARTS {
            return false;
        }
        self.restarts += u8::from(anew);
        self.cut = Some(len);
        anew
    }
}

const MAX_RESTARTS: u8 = 8;

/// Splits the exporter's output (RFC 5764 section 4.2: client key, server key, client salt, server
/// salt). We are the server.
fn srtp_keys(material: &[u8], profile: SrtpProfile) -> Option<SrtpKeys> {
    let key_len = match profile {
        SrtpProfile::AEAD_AES_128_GCM => 16,
        SrtpProfile::AEAD_AES_256_GCM => 32,
        SrtpProfile::AES128_CM_SHA1_80 | _ => return None,
    };
    let (client_key, rest) = material.split_at_checked(key_len)?;
    let (server_key, rest) = rest.split_at_checked(key_len)?;
    let (client_salt, server_salt) = rest.split_at_checked(12)?;
    Some(SrtpKeys {
        inbound: MasterKey::new(client_key, client_salt)?,
        outbound: MasterKey::new(server_key, server_salt)?,
    })
}
