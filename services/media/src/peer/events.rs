//! What a peer tells its node.

use crate::path::Path;
use crate::srtp::SrtpKeys;

/// Something the node must act on.
#[derive(Debug)]
pub enum PeerEvent {
    /// The handshake is done and the browser is the one that answered: media may flow.
    Connected {
        /// Both directions' keys, handed out once.
        srtp: SrtpKeys,
    },
    /// The browser nominated another address pair: everything goes there from here on.
    PathChanged(Path),
    /// The peer is over; nothing is sent any more. Raised once.
    Closed(CloseReason),
}

/// Why a peer is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// No valid connectivity check for [`super::CHECK_TIMEOUT`].
    ChecksStopped,
    /// Not connected within [`super::CONNECT_TIMEOUT`] of the peer's start.
    NeverConnected,
    /// The browser's certificate is not the one its answer announced.
    FingerprintMismatch,
    /// The browser offers no SRTP profile with AES-GCM.
    NoCommonSrtpProfile,
    /// The handshake broke down: no common cipher, bad signature, retransmissions used up.
    HandshakeBroken,
    /// The browser closed the association.
    ClosedByBrowser,
}

/// What a peer dropped, for the node's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerCounters {
    /// STUN that was malformed, not a Binding request, or without valid integrity.
    pub stun_refused: u64,
    /// DTLS from an address pair without a valid connectivity check.
    pub dtls_unvalidated: u64,
    /// Datagrams withheld because the address has not proven that it wants them.
    pub withheld: u64,
}
