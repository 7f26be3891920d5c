//! The calls of a signaling process, made by hand, and the clients that it seats.

use std::sync::Arc;

use gryt_proto::sfu::v1;
use gryt_proto::sfu::v1::sfu_service_client::SfuServiceClient;
use gryt_tests::voice::{Voice, VoiceConfig};
use gryt_tests::wait::until;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use super::authority::SERVER;

/// Whoever commands the node.
pub(super) struct Caller {
    client: SfuServiceClient<Channel>,
    name: &'static str,
    epoch: u64,
    calls: u32,
}

pub(super) struct Seated {
    pub(super) voice: Arc<Voice>,
    pub(super) participant_id: u32,
}

/// The room of everybody, and one that is not there yet.
pub(super) const ROOM: char = 'b';
pub(super) const ANOTHER_ROOM: char = 'c';

impl Caller {
    pub(super) fn new(name: &'static str, epoch: u64, channel: Channel) -> Self {
        Self {
            client: SfuServiceClient::new(channel),
            name,
            epoch,
            calls: 0,
        }
    }

    fn context(&mut self, room: char) -> Option<v1::CallContext> {
        self.calls += 1;
        Some(v1::CallContext {
            request_id: format!("{}-{}", self.name, self.calls),
            room: Some(v1::Room {
                server_id: SERVER.to_owned(),
                channel_id: room.to_string().repeat(26),
            }),
            epoch: self.epoch,
        })
    }

    /// Asks for a seat.
    pub(super) async fn ask(
        &mut self,
        room: char,
        participant_id: u32,
    ) -> Result<v1::seat_response::Outcome, Status> {
        let request = v1::SeatRequest {
            context: self.context(room),
            participant_id,
            capabilities: Some(v1::Capabilities {
                may_speak: true,
                may_show: false,
            }),
            audible_limit: 25,
            holder: Some(v1::Holder {
                member_id: "m".repeat(26),
                session_id: "s".repeat(26),
                watcher: self.name.to_owned(),
                ..v1::Holder::default()
            }),
        };
        let response = self.client.seat(request).await?.into_inner();
        Ok(response.outcome.unwrap())
    }

    /// Asks for a seat that has to be given.
    pub(super) async fn offer(&mut self, participant_id: u32) -> v1::Offer {
        let outcome = self.ask(ROOM, participant_id).await.unwrap();
        let v1::seat_response::Outcome::Offer(offer) = outcome else {
            panic!("no offer: {outcome:?}");
        };
        offer
    }

    /// Seats a client and waits until its media flows.
    pub(super) async fn seat(&mut self, participant_id: u32) -> Seated {
        let offer = self.offer(participant_id).await;
        let config = VoiceConfig {
            tag: participant_id + 1_000,
            has_microphone: true,
        };
        let (voice, sdp) = Voice::answer(config, &offer.sdp).await.unwrap();
        let request = v1::AnswerRequest {
            context: self.context(ROOM),
            participant_id,
            revision: offer.revision,
            sdp: sdp.clone(),
        };
        let response = self.client.answer(request).await.unwrap().into_inner();
        let accepted = v1::answer_response::Outcome::Done(v1::Done {});
        assert_eq!(
            response.outcome,
            Some(accepted),
            "\noffer:\n{}\nanswer:\n{sdp}",
            offer.sdp
        );
        voice.connected().await.unwrap();
        Seated {
            voice: Arc::new(voice),
            participant_id,
        }
    }

    pub(super) async fn set_may_speak(
        &mut self,
        participant_id: u32,
        may_speak: bool,
    ) -> v1::set_capabilities_response::Outcome {
        let request = v1::SetCapabilitiesRequest {
            context: self.context(ROOM),
            participant_id,
            capabilities: Some(v1::Capabilities {
                may_speak,
                may_show: false,
            }),
            member_id: String::new(),
        };
        let response = self.client.set_capabilities(request).await.unwrap();
        response.into_inner().outcome.unwrap()
    }

    pub(super) async fn leave(&mut self, participant_id: u32) {
        let request = v1::LeaveRequest {
            context: self.context(ROOM),
            participant_id,
            session_id: String::new(),
        };
        let response = self.client.leave(request).await.unwrap().into_inner();
        let done = v1::leave_response::Outcome::Done(v1::Done {});
        assert_eq!(response.outcome, Some(done));
    }

    /// Opens a watch; returns it with its first word.
    pub(super) async fn watch(&mut self) -> (Streaming<v1::WatchResponse>, v1::Snapshot) {
        let watcher = self.name.to_owned();
        let request = v1::WatchRequest { watcher };
        let mut watch = self.client.watch(request).await.unwrap().into_inner();
        let first = watch.message().await.unwrap().unwrap();
        let Some(v1::watch_response::Event::Snapshot(snapshot)) = first.event else {
            panic!("no snapshot: {first:?}");
        };
        (watch, snapshot)
    }
}

/// Waits until a listener has the speaker's packet of that number.
pub(super) async fn heard(listener: &Seated, speaker: &Seated, number: u64) {
    let tag = speaker.voice.tag();
    until("a packet", || {
        listener.voice.reception().first_from(tag, number)
    })
    .await
    .unwrap();
}

/// Two who talk to each other from now on.
pub(super) struct Talk<'a> {
    people: [&'a Seated; 2],
    first: [u64; 2],
}

impl<'a> Talk<'a> {
    pub(super) async fn begin(people: [&'a Seated; 2]) -> Self {
        let [a, b] = people;
        let first = [
            a.voice.speak(20).await.unwrap(),
            b.voice.speak(20).await.unwrap(),
        ];
        let talk = Self { people, first };
        talk.go_on(10).await;
        talk
    }

    /// Waits until each has heard so many packets more of the other.
    pub(super) async fn go_on(&self, packets: u64) {
        for [speaker, listener] in self.pairs() {
            let number = speaker.voice.spoken().await.unwrap() + packets;
            heard(listener, speaker, number).await;
        }
    }

    /// Ends the talk, in which nobody may have missed a packet.
    pub(super) async fn end_without_a_gap(self) -> [u64; 2] {
        let mut spoken = [0; 2];
        for (place, [speaker, listener]) in self.pairs().into_iter().enumerate() {
            let end = speaker.voice.hush().await.unwrap();
            heard(listener, speaker, end - 1).await;
            let reception = listener.voice.reception();
            let missing = reception.missing_of(speaker.voice.tag(), self.first[place]..end);
            assert!(missing.is_empty(), "{missing:?}");
            assert_eq!(reception.gaps(), 0);
            spoken[place] = end - self.first[place];
        }
        spoken
    }

    fn pairs(&self) -> [[&'a Seated; 2]; 2] {
        let [a, b] = self.people;
        [[a, b], [b, a]]
    }
}
