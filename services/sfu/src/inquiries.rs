//! What a worker answers to the operator, which asks by STUN how busy the node is. The one key and
//! the message are in `gryt_runtime::occupancy`; everything that is not such a question is left to
//! the node, which treats it as any stranger's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gryt_runtime::occupancy::{Occupancy, OccupancyKey, REQUEST_BYTES, RESPONSE_BYTES};
use gryt_runtime::tls::TlsFolder;

use crate::sfu::Sfu;

/// One worker's: whose questions it answers, and how many it has answered.
#[derive(Debug, Default)]
pub(crate) struct Inquiries {
    key: Option<OccupancyKey>,
    since: Option<Instant>,
    answered: u32,
}

/// Answers per window. Whoever repeats a question that it overheard gets no more of them.
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

/// How often the key is compared with the folder's, which is read again as often.
const EVERY: Duration = Duration::from_secs(3);

impl Inquiries {
    /// From here on only who has this key is answered.
    pub(crate) fn trust(&mut self, key: OccupancyKey) {
        self.key = Some(key);
    }

    /// The answer to a question that is one, within the rate.
    pub(crate) fn answer(
        &mut self,
        datagram: &[u8],
        occupancy: impl FnOnce() -> Occupancy,
        now: Instant,
    ) -> Option<[u8; RESPONSE_BYTES]> {
        // Media has another first byte (RFC 7983): nothing else of it is looked at.
        if datagram.len() != REQUEST_BYTES || datagram[0] != 0 {
            return None;
        }
        let key = self.key.as_ref()?;
        let transaction = key.read_request(datagram)?;
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= WINDOW {
            self.since = Some(now);
            self.answered = 0;
        }
        if self.answered >= MOST {
            return None;
        }
        self.answered += 1;
        Some(key.response(transaction, occupancy()))
    }
}

/// Hands the folder's key to the workers, and each that follows it.
pub(crate) async fn follow(folder: TlsFolder, sfu: Arc<Sfu>) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut trusted = None;
    loop {
        ticks.tick().await;
        let key = folder.occupancy_key();
        if trusted.as_ref() == Some(&key) {
            continue;
        }
        match sfu.trust(&key) {
            Ok(()) => trusted = Some(key),
            // Tried again with the next tick.
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "cannot change who is told how busy the node is");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: Occupancy = Occupancy {
        calls: 1,
        participants: 3,
    };

    #[expect(clippy::disallowed_methods, reason = "a start for the virtual clock")]
    fn start() -> Instant {
        Instant::now()
    }

    fn key() -> OccupancyKey {
        OccupancyKey::derive(b"the private key")
    }

    fn trusting() -> Inquiries {
        let mut inquiries = Inquiries::default();
        inquiries.trust(key());
        inquiries
    }

    #[test]
    fn the_operator_is_told_how_busy_the_node_is() {
        let asked = key().request([7; 12]);
        let answer = trusting().answer(&asked, || BUSY, start()).unwrap();
        assert_eq!(key().read_response(&answer, [7; 12]), Some(BUSY));
    }

    #[test]
    fn nobody_else_is_told_anything() {
        let mut forged = key().request([7; 12]);
        forged[REQUEST_BYTES - 1] ^= 1;
        let other = OccupancyKey::derive(b"another").request([7; 12]);
        let real = key().request([7; 12]);
        let now = start();
        let never = || -> Occupancy { unreachable!("nobody looks") };
        assert_eq!(trusting().answer(&forged, never, now), None);
        assert_eq!(trusting().answer(&other, never, now), None);
        assert_eq!(
            trusting().answer(&real[..REQUEST_BYTES - 1], never, now),
            None
        );
        assert_eq!(trusting().answer(&[], never, now), None);
        assert_eq!(Inquiries::default().answer(&real, never, now), None);
    }

    #[test]
    fn a_repeated_question_is_answered_ten_times_a_second() {
        let (mut inquiries, start) = (trusting(), start());
        let asked = key().request([7; 12]);
        for second in 0..3 {
            let now = start + WINDOW * second;
            let answers = (0..100).filter(|_| inquiries.answer(&asked, || BUSY, now).is_some());
            assert_eq!(answers.count(), 10);
        }
    }
}
