//! The SFU without signaling, with the scripted client's media against it: what fails here is not
//! the fault of signaling. In process, and in [`pod`] as the process that a pod runs.

pub(crate) mod authority;
mod caller;
mod pod;
mod process;

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;

use gryt_proto::sfu::v1;
use gryt_sfu::{Sfu, SfuConfig};
use hyper_util::rt::TokioIo;
use tonic::transport::{Endpoint, Server};

use self::caller::{Caller, heard};

/// A node in this process, over a pipe.
struct InProcess {
    sfu: Sfu,
    caller: Caller,
}

impl InProcess {
    async fn start() -> Self {
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
            caller: Caller::new("test", 1, channel),
        }
    }

    async fn set_may_speak(&mut self, participant_id: u32, may_speak: bool) {
        let outcome = self.caller.set_may_speak(participant_id, may_speak).await;
        let done = v1::set_capabilities_response::Outcome::Done(v1::Done {});
        assert_eq!(outcome, done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_three_hears_the_others_by_name() {
    let mut room = InProcess::start().await;
    let people = [
        room.caller.seat(1).await,
        room.caller.seat(2).await,
        room.caller.seat(3).await,
    ];
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
    let mut room = InProcess::start().await;
    let (speaker, listener) = (room.caller.seat(1).await, room.caller.seat(2).await);
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
