//! What a node counts. The shell adds these to its metrics; labels are enums, never ids.

use crate::srtp::SrtpError;

/// Why a datagram, packet or copy was discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discard {
    /// Neither STUN, DTLS nor (S)RTP by its first byte (RFC 7983).
    NotDemuxable,
    /// DTLS or SRTP from an address that no ICE check validated.
    UnknownAddress,
    /// STUN that does not parse, or is no Binding request.
    BadStun,
    /// STUN with a USERNAME that names no seat.
    UnknownUser,
    /// STUN whose MESSAGE-INTEGRITY is missing or wrong.
    BadIntegrity,
    /// A Binding request without USERNAME, beyond the rate.
    ProbeRate,
    /// SRTP or SRTCP before the handshake was through.
    NotConnected,
    /// RTP whose header does not parse.
    BadRtp,
    /// RTCP that does not parse.
    BadRtcp,
    /// SRTP or SRTCP that does not authenticate.
    NotAuthentic,
    /// SRTP or SRTCP that was seen before, or is too old to know.
    Replayed,
    /// RTP of an SSRC that belongs to no upstream track.
    UnknownSsrc,
    /// RTP of a payload type that was not negotiated.
    UnknownPayload,
    /// A muted participant's packet: it may not speak.
    NotAllowed,
    /// A talkspurt ended before; silence is not forwarded.
    Silence,
    /// Not among the loudest of a room above its audible limit.
    NotAudible,
    /// A listener had no negotiated slot left.
    NoSlot,
    /// It came too late for its place in a slot.
    Late,
    /// The listener's address has not yet proven to want it, or is not known.
    Withheld,
    /// The output was full: the newest copy is lost and the listener sees the gap.
    OutputFull,
    /// The listener's keys are used up.
    KeyExhausted,
    /// An event that nobody fetched in time.
    EventsFull,
}

impl Discard {
    /// Each reason once, in the order of declaration.
    pub const ALL: [Self; 22] = [
        Self::NotDemuxable,
        Self::UnknownAddress,
        Self::BadStun,
        Self::UnknownUser,
        Self::BadIntegrity,
        Self::ProbeRate,
        Self::NotConnected,
        Self::BadRtp,
        Self::BadRtcp,
        Self::NotAuthentic,
        Self::Replayed,
        Self::UnknownSsrc,
        Self::UnknownPayload,
        Self::NotAllowed,
        Self::Silence,
        Self::NotAudible,
        Self::NoSlot,
        Self::Late,
        Self::Withheld,
        Self::OutputFull,
        Self::KeyExhausted,
        Self::EventsFull,
    ];
}

impl Discard {
    pub(crate) fn of_opening(error: SrtpError) -> Self {
        match error {
            SrtpError::Malformed => Self::BadRtp,
            SrtpError::Replayed => Self::Replayed,
            SrtpError::TooManySsrcs => Self::UnknownSsrc,
            SrtpError::NotAuthentic
            | SrtpError::Sealed
            | SrtpError::Exhausted
            | SrtpError::NoRoom => Self::NotAuthentic,
        }
    }

    pub(crate) fn of_opening_control(error: SrtpError) -> Self {
        if error == SrtpError::Malformed {
            return Self::BadRtcp;
        }
        Self::of_opening(error)
    }

    pub(crate) fn of_sealing(error: SrtpError) -> Self {
        match error {
            SrtpError::Sealed => Self::Late,
            SrtpError::Exhausted | SrtpError::TooManySsrcs => Self::KeyExhausted,
            SrtpError::NoRoom => Self::OutputFull,
            SrtpError::Malformed | SrtpError::NotAuthentic | SrtpError::Replayed => Self::BadRtp,
        }
    }
}

/// Totals since the node began. They only rise.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    /// Datagrams handed in.
    pub received_datagrams: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Datagrams queued for sending, of every kind.
    pub sent_datagrams: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// RTP packets that came from microphones with a valid tag.
    pub received_audio_packets: u64,
    /// Copies of them queued for listeners.
    pub forwarded_audio_packets: u64,
    /// Packets that listeners reported lost on their way.
    pub reported_lost_packets: u64,
    /// Probes answered with the mapped address.
    pub answered_probes: u64,
    /// Handshakes that went through.
    pub connected_peers: u64,
    discarded: [u64; Discard::ALL.len()],
}

impl Counters {
    /// How often that happened.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded[reason as usize]
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        self.discarded[reason as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_place() {
        for (place, reason) in Discard::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
    }
}
