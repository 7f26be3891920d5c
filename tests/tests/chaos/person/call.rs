//! A caller's place in a room: taken again whenever it is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_tests::clock;
use gryt_tests::voice::{Offered, Voice, VoiceConfig};

use super::Seat;

const TRY_AGAIN: Duration = Duration::from_millis(200);
/// In -dBov: speech.
const LEVEL: u8 = 25;

pub(super) struct Call {
    person: u32,
    channel_id: String,
    seat: Option<Seat>,
    seats_taken: u32,
    join_at: Instant,
}

impl Call {
    pub(super) fn new(person: u32, channel_id: String) -> Self {
        Self {
            person,
            channel_id,
            seat: None,
            seats_taken: 0,
            join_at: clock::now(),
        }
    }

    /// When to ask for a place; `None` on one.
    pub(super) fn due(&self) -> Option<Instant> {
        self.seat.is_none().then_some(self.join_at)
    }

    pub(super) fn join(&self) -> Request {
        Request::JoinVoice(wire::JoinVoice {
            channel_id: self.channel_id.clone(),
            ..wire::JoinVoice::default()
        })
    }

    /// Not now.
    pub(super) fn refused(&mut self) {
        self.seat = None;
        self.join_at = clock::now() + TRY_AGAIN;
    }

    /// Sits on the place that is offered; returns it with the answer to be sent.
    pub(super) async fn sit(&mut self, offer: wire::VoiceOffer) -> Option<(Seat, Request)> {
        self.seats_taken += 1;
        let config = VoiceConfig {
            // Another one on each place, so that nobody is taken for who they were.
            tag: self.person + 1_000 * self.seats_taken,
            has_microphone: true,
        };
        let (voice, sdp) = Voice::answer(config, &offer.sdp).await.ok()?;
        let voice = Arc::new(voice);
        let candidates = Offered::read(&offer.sdp).candidates;
        let seat = Seat {
            voice: Arc::clone(&voice),
            number: self.seats_taken,
            media_port: candidates.first().map_or(0, std::net::SocketAddr::port),
            participant_id: offer.participant_id,
        };
        tokio::spawn(async move {
            // If it never connects, the server says so and the place is taken anew.
            if voice.connected().await.is_ok() {
                let _ = voice.speak(LEVEL).await;
            }
        });
        self.seat = Some(seat.clone());
        Some((seat, self.answer(offer.revision, sdp)))
    }

    /// Takes a later offer; returns the answer to be sent.
    pub(super) async fn sit_on(&self, offer: wire::VoiceOffer) -> Option<Request> {
        let seat = self.seat.as_ref()?;
        let sdp = seat.voice.answer_again(&offer.sdp).await.ok()?;
        Some(self.answer(offer.revision, sdp))
    }

    /// The place is gone. To be taken again at once.
    pub(super) fn lose(&mut self) {
        self.seat = None;
        self.join_at = clock::now();
    }

    /// A new session knows these; returns whether the place is still there.
    pub(super) fn is_kept(&self, participants: &[wire::Participant]) -> bool {
        self.seat.as_ref().is_none_or(|seat| {
            participants.iter().any(|participant| {
                participant.channel_id == self.channel_id
                    && participant.participant_id == seat.participant_id
            })
        })
    }

    fn answer(&self, revision: u32, sdp: String) -> Request {
        Request::AnswerOffer(wire::AnswerOffer {
            channel_id: self.channel_id.clone(),
            revision,
            sdp,
        })
    }
}
