//! The SFU in process, with the scripted client's media against it: what fails here is not the
//! fault of signaling.

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use gryt_proto::sfu::v1;
use gryt_proto::sfu::v1::sfu_service_client::SfuServiceClient;
use gryt_sfu::{Sfu, SfuConfig};
use gryt_tests::voice::{Voice, VoiceConfig};
use gryt_tests::wait::until;
use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Server};

struct Room {
    sfu: Sfu,
    client: SfuServiceClient<Channel>,
    calls: u32,
}

struct Seated {
    voice: Arc<Voice>,
    participant_id: u32,
}

impl Room {
    async fn open() -> Self {
        let sfu = Sfu::start(SfuConfig {
            media_port: 0,
            media_bind: Ipv4Addr::LOCALHOST.into(),
            workers: NonZeroUsize::new(1),
            ..SfuConfig::default()
        })
        .unwrap();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let service = sfu.service();
        tokio::spawn(async move {
            let incoming = tokio_stream::once(Ok::<_, std::io::Error>(ours));
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await
        });
        let mut theirs = Some(theirs);
        let connector = tower::service_fn(move |_| {
            let end = theirs
                .take()
                .ok_or_else(|| std::io::Error::other("connected before"));
            async move { end.map(TokioIo::new) }
        });
        let endpoint = Endpoint::from_static("http://sfu");
        let channel = endpoint.connect_with_connector(connector).await.unwrap();
        Self {
            sfu,
            client: SfuServiceClient::new(channel),
            calls: 0,
        }
    }

    fn context(&mut self) -> Option<v1::CallContext> {
        self.calls += 1;
        Some(v1::CallContext {
            request_id: self.calls.to_string(),
            room: Some(v1::Room {
                server_id: "a".repeat(26),
                channel_id: "b".repeat(26),
            }),
            epoch: 1,
        })
    }

    async fn seat(&mut self, participant_id: u32) -> Seated {
        let request = v1::SeatRequest {
            context: self.context(),
            participant_id,
            capabilities: Some(v1::Capabilities {
                may_speak: true,
                may_show: false,
            }),
            audible_limit: 25,
        };
        let outcome = self
            .client
            .seat(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap();
        let v1::seat_response::Outcome::Offer(offer) = outcome else {
            panic!("no offer: {outcome:?}");
        };
        let config = VoiceConfig {
            tag: participant_id + 1_000,
            has_microphone: true,
        };
        let (voice, sdp) = Voice::answer(config, &offer.sdp).await.unwrap();
        let request = v1::AnswerRequest {
            context: self.context(),
            participant_id,
            revision: offer.revision,
            sdp: sdp.clone(),
        };
        let outcome = self
            .client
            .answer(request)
            .await
            .unwrap()
            .into_inner()
            .outcome
            .unwrap();
        let accepted = v1::answer_response::Outcome::Done(v1::Done {});
        assert_eq!(outcome, accepted, "\noffer:\n{}\nanswer:\n{sdp}", offer.sdp);
        voice.connected().await.unwrap();
        Seated {
            voice: Arc::new(voice),
            participant_id,
        }
    }

    async fn set_may_speak(&mut self, participant_id: u32, may_speak: bool) {
        let request = v1::SetCapabilitiesRequest {
            context: self.context(),
            participant_id,
            capabilities: Some(v1::Capabilities {
                may_speak,
                may_show: false,
            }),
        };
        let response = self
            .client
            .set_capabilities(request)
            .await
            .unwrap()
            .into_inner();
        let done = v1::set_capabilities_response::Outcome::Done(v1::Done {});
        assert_eq!(response.outcome, Some(done));
    }
}

/// Waits until a listener has the speaker's packet of that number.
async fn heard(listener: &Seated, speaker: &Seated, number: u64) {
    let tag = speaker.voice.tag();
    until("a packet", || {
        listener.voice.reception().first_from(tag, number)
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_three_hears_the_others_by_name() {
    let mut room = Room::open().await;
    let people = [room.seat(1).await, room.seat(2).await, room.seat(3).await];
    for speaker in &people {
        let first = speaker.voice.speak(20).await.unwrap();
        for listener in people
            .iter()
            .filter(|other| other.participant_id != speaker.participant_id)
        {
            heard(listener, speaker, first + 50).await;
        }
        let end = speaker.voice.hush().await.unwrap();
        for listener in people
            .iter()
            .filter(|other| other.participant_id != speaker.participant_id)
        {
            heard(listener, speaker, end - 1).await;
            let missing = listener
                .voice
                .reception()
                .missing_of(speaker.voice.tag(), first..end);
            assert!(missing.is_empty(), "{missing:?}");
        }
    }
    for listener in &people {
        let reception = listener.voice.reception();
        assert_eq!(
            (reception.gaps(), reception.unnamed(), reception.strange()),
            (0, 0, 0)
        );
        for (csrc, tag) in reception.names().keys() {
            assert_eq!(csrc + 1_000, *tag);
            assert_ne!(*csrc, listener.participant_id);
        }
    }
    room.sfu.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_may_not_speak_is_not_heard() {
    let mut room = Room::open().await;
    let (speaker, listener) = (room.seat(1).await, room.seat(2).await);
    let first = speaker.voice.speak(20).await.unwrap();
    heard(&listener, &speaker, first + 10).await;

    room.set_may_speak(1, false).await;
    let muted_at = speaker.voice.spoken().await.unwrap();
    speaker.voice.spoken_to(muted_at + 50).await.unwrap();
    room.set_may_speak(1, true).await;
    let unmuted_at = speaker.voice.spoken().await.unwrap();
    heard(&listener, &speaker, unmuted_at + 10).await;

    // A packet may have been on its way at either change.
    let muted = muted_at + 5..unmuted_at - 5;
    let missing = listener
        .voice
        .reception()
        .missing_of(speaker.voice.tag(), muted.clone());
    assert!(missing.iter().copied().eq(muted), "{missing:?}");
    assert_eq!(listener.voice.reception().gaps(), 0);
    room.sfu.shutdown().await;
}
