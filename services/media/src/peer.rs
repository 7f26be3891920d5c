//! The control part of one participant's `PeerConnection`: SDP offers and answers, ICE-lite, the
//! DTLS server. Knows no RTP and no room; the node feeds it datagrams and takes SRTP keys out.

mod answer;
mod certificate;
mod dtls;
mod events;
mod ice;
mod layout;
mod offer;
pub mod stun;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::answer::{AnswerError, Direction, HeaderExtensions, Negotiated, NegotiatedLine};
pub use self::certificate::{Certificate, Fingerprint, MakeCertificateError};
pub use self::events::{CloseReason, PeerCounters, PeerEvent};
pub use self::layout::{AudioSlot, Layout, Line, Mid, Upstream};
pub use self::offer::Offer;

use self::answer::Remote;
use self::dtls::{DtlsServer, HandshakeEnd};
pub(crate) use self::ice::MAX_PAIRS;
use self::ice::{Check, Ice};
use crate::path::Path;

/// Without a valid check for this long nothing is sent any more. RFC 7675 section 5.1 lets
/// consent expire after 30 s; we chose 15 s.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(15);

/// A peer that is not connected by then is over: its browser cannot reach us.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Datagrams waiting for `poll_transmit`; a caller that does not drain loses the newest.
const MAX_TRANSMITS: usize = 64;

/// What all peers of a node share.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// The node's certificate.
    pub certificate: Certificate,
    /// Our addresses, the most preferred first.
    pub candidates: Arc<[SocketAddr]>,
}

/// Our ICE user fragment and password (RFC 8445 section 5.3: at least 4 and 22 `ice-char`s).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// How the node finds the peer of a connectivity check.
    pub ufrag: Box<str>,
    /// The key of the checks' integrity.
    pub pwd: Box<str>,
}

impl std::fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceCredentials")
            .field("ufrag", &self.ufrag)
            .finish_non_exhaustive()
    }
}

/// One participant's `PeerConnection` without its media: ICE-lite, DTLS server, SDP offerer.
///
/// Feed it (`answer`, `handle_stun`, `handle_dtls`, `handle_timeout`), then drain `poll_transmit`
/// and `poll_event`, then wait until `poll_timeout`.
#[derive(Debug)]
pub struct Peer {
    config: PeerConfig,
    credentials: IceCredentials,
    ice: Ice,
    dtls: DtlsServer,
    dtls_path: Option<Path>,
    remote: Option<Remote>,
    revision: u32,
    layout: Layout,
    transmits: VecDeque<(Path, Vec<u8>)>,
    events: VecDeque<PeerEvent>,
    state: State,
    connect_deadline: Instant,
    counters: PeerCounters,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Connected,
    Closed,
}

impl Peer {
    /// Starts a peer. The credentials are drawn by the node, fresh for each peer.
    #[must_use]
    pub fn new(config: &PeerConfig, credentials: IceCredentials, now: Instant) -> Self {
        Self {
            ice: Ice::new(&credentials),
            dtls: DtlsServer::new(&config.certificate, now),
            dtls_path: None,
            config: config.clone(),
            credentials,
            remote: None,
            revision: 0,
            layout: Layout::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            state: State::Connecting,
            connect_deadline: now + CONNECT_TIMEOUT,
            counters: PeerCounters::default(),
        }
    }

    /// Writes the offer for `layout`. A newer offer supersedes one that is not answered yet.
    pub fn offer(&mut self, layout: &Layout) -> Offer {
        debug_assert!(
            self.layout.is_prefix_of(layout),
            "m-lines are only appended"
        );
        self.revision = self.revision.wrapping_add(1);
        self.layout = layout.clone();
        Offer {
            revision: self.revision,
            sdp: offer::write(&self.config, &self.credentials, self.revision, layout),
        }
    }

    /// Takes the browser's answer to the offer of `revision`. The same answer twice is harmless.
    ///
    /// # Errors
    /// Names what does not fit; the peer is as before.
    pub fn answer(&mut self, revision: u32, sdp: &str) -> Result<Negotiated, AnswerError> {
        if revision != self.revision || revision == 0 {
            return Err(AnswerError::StaleRevision {
                answered: revision,
                offered: self.revision,
            });
        }
        let (remote, negotiated) = answer::parse(sdp, &self.layout)?;
        if self.remote.as_ref().is_some_and(|known| *known != remote) {
            return Err(AnswerError::ChangedTransport);
        }
        self.ice.set_remote_ufrag(&remote.ufrag);
        self.remote = Some(remote);
        self.connect_if_ready();
        Ok(negotiated)
    }

    /// Takes a STUN datagram whose user name begins with our ufrag.
    pub fn handle_stun(&mut self, path: Path, datagram: &[u8], now: Instant) {
        if self.state == State::Closed {
            return;
        }
        match self.ice.handle(path, datagram, now) {
            Ok(Check { reply, nominated }) => {
                self.queue(path, reply);
                if nominated {
                    self.events.push_back(PeerEvent::PathChanged(path));
                }
            }
            Err(refusal) => {
                tracing::trace!(?refusal, "connectivity check refused");
                self.counters.stun_refused += 1;
            }
        }
    }

    /// Takes a DTLS datagram. From an address pair without a valid check it is dropped.
    pub fn handle_dtls(&mut self, path: Path, datagram: &[u8], now: Instant) {
        if self.state == State::Closed {
            return;
        }
        if !self.ice.received(path, datagram.len()) {
            self.counters.dtls_unvalidated += 1;
            return;
        }
        self.dtls_path = Some(path);
        self.dtls.handle_datagram(datagram, now);
        self.drain_dtls();
    }

    /// Ends the peer from our side: the browser gets a `close_notify`, the node no event.
    pub fn close(&mut self) {
        if self.state != State::Closed {
            self.dtls.close();
            self.send_dtls();
            self.state = State::Closed;
        }
    }

    /// Notes that media from `path` passed its integrity check: the path wants what we send.
    pub fn media_authenticated(&mut self, path: Path) {
        self.ice.proven(path);
    }

    /// Where `bytes` of media may go now, if anywhere; the bytes count against the path's
    /// allowance until it is proven.
    pub fn media_path(&mut self, bytes: usize) -> Option<Path> {
        if self.state != State::Connected {
            return None;
        }
        let path = self.ice.nominated()?;
        let allowed = self.ice.charge(path, bytes);
        if !allowed {
            self.counters.withheld += 1;
        }
        allowed.then_some(path)
    }

    /// Takes the next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// The next instant at which `handle_timeout` has work.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Closed {
            return None;
        }
        let dtls = self.dtls.poll_timeout();
        let deadline = self.deadline();
        Some(dtls.map_or(deadline, |dtls| dtls.min(deadline)))
    }

    /// Retransmits, and closes a peer whose browser is gone.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.state == State::Closed {
            return;
        }
        if now >= self.deadline() {
            let reason = match self.state {
                State::Connected => CloseReason::ChecksStopped,
                State::Connecting | State::Closed => CloseReason::NeverConnected,
            };
            self.end(reason);
            return;
        }
        self.dtls.handle_timeout(now);
        self.drain_dtls();
    }

    /// The last pair that the browser nominated.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.ice.nominated()
    }

    /// Our ICE user fragment.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.credentials.ufrag
    }

    /// What was dropped so far.
    #[must_use]
    pub fn counters(&self) -> PeerCounters {
        self.counters
    }

    fn deadline(&self) -> Instant {
        match (self.state, self.ice.last_check()) {
            (State::Connected, Some(last)) => last + CHECK_TIMEOUT,
            (State::Connecting | State::Closed, _) | (State::Connected, None) => {
                self.connect_deadline
            }
        }
    }

    fn send_dtls(&mut self) {
        let output = self.ice.nominated().or(self.dtls_path);
        while let Some(datagram) = self.dtls.poll_transmit() {
            if let Some(path) = output {
                self.queue(path, datagram);
            }
        }
    }

    fn drain_dtls(&mut self) {
        self.send_dtls();
        match self.dtls.take_end() {
            None => {}
            Some(HandshakeEnd::Broken) => self.end(CloseReason::HandshakeBroken),
            Some(HandshakeEnd::NoSrtp) => self.end(CloseReason::NoCommonSrtpProfile),
            Some(HandshakeEnd::ClosedByBrowser) => self.end(CloseReason::ClosedByBrowser),
            Some(HandshakeEnd::Done) => {
                if let (State::Connecting, Some(path)) = (self.state, self.dtls_path) {
                    self.ice.proven(path);
                }
                self.connect_if_ready();
            }
        }
    }

    /// The handshake may end before the answer has come through signaling, and the other way
    /// round: only with both is it known who is there.
    fn connect_if_ready(&mut self) {
        let (State::Connecting, Some(remote)) = (self.state, &self.remote) else {
            return;
        };
        let Some(certificate) = self.dtls.browser_certificate() else {
            return;
        };
        if *certificate != remote.fingerprint {
            self.end(CloseReason::FingerprintMismatch);
            return;
        }
        if let Some(srtp) = self.dtls.take_keys() {
            self.state = State::Connected;
            self.events.push_back(PeerEvent::Connected { srtp });
        }
    }

    fn queue(&mut self, path: Path, datagram: Vec<u8>) {
        if self.transmits.len() < MAX_TRANSMITS && self.ice.charge(path, datagram.len()) {
            self.transmits.push_back((path, datagram));
        } else {
            self.counters.withheld += 1;
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.events.push_back(PeerEvent::Closed(reason));
        }
    }
}

#[cfg(test)]
mod tests;
