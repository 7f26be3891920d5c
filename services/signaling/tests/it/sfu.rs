//! An SFU without media: takes seats, answers with canned SDP, and says what a test wants.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use gryt_proto::sfu::v1 as wire;
use gryt_proto::sfu::v1::sfu_service_server::{SfuService, SfuServiceServer};
use gryt_proto::sfu::v1::watch_response::Event;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

pub(crate) const OFFER: &str = "v=0 an offer";

#[derive(Clone, Default)]
pub(crate) struct Sfu {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By channel and participant.
    seats: BTreeMap<(String, u32), wire::SeatRequest>,
    calls: Vec<Call>,
    watchers: Vec<Watcher>,
    watches: usize,
    refusal: Option<wire::Refusal>,
    /// Whether seats get no answer.
    hangs: bool,
    /// Whether watches get no answer.
    is_late: bool,
    /// The revision beyond 1 whose answer is taken.
    revision: u32,
}

struct Watcher {
    events: mpsc::Sender<Result<wire::WatchResponse, Status>>,
    sequence: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Seat(wire::SeatRequest),
    Answer(wire::AnswerRequest),
    SetCapabilities(wire::SetCapabilitiesRequest),
    SetHolder(wire::SetHolderRequest),
    SetAudibleLimit(wire::SetAudibleLimitRequest),
    Leave(wire::LeaveRequest),
}

impl Sfu {
    /// Starts on a port of its own and returns the way to it.
    pub(crate) async fn start() -> (Self, Channel) {
        let sfu = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tonic::transport::Server::builder()
            .add_service(SfuServiceServer::new(sfu.clone()))
            .serve_with_incoming(TcpIncoming::from(listener));
        tokio::spawn(serving);
        let channel = Channel::from_shared(address).unwrap().connect_lazy();
        (sfu, channel)
    }

    /// From now on every seat is refused.
    pub(crate) fn refuse_seats(&self, refusal: wire::Refusal) {
        self.lock().refusal = Some(refusal);
    }

    /// From now on no seat gets an answer.
    pub(crate) fn hang(&self) {
        self.lock().hangs = true;
    }

    /// Whether watches get no answer from now on.
    pub(crate) fn be_late(&self, is_late: bool) {
        self.lock().is_late = is_late;
    }

    /// From now on answers to this revision are taken.
    pub(crate) fn take_answers_to(&self, revision: u32) {
        self.lock().revision = revision;
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    pub(crate) fn seats(&self) -> Vec<(String, u32)> {
        self.lock().seats.keys().cloned().collect()
    }

    /// Somebody sits there of whom signaling does not know.
    pub(crate) fn seat_somebody(&self, seat: wire::SeatRequest) {
        let place = (channel(seat.context.as_ref()), seat.participant_id);
        self.lock().seats.insert(place, seat);
    }

    /// The holder that the node would tell of.
    pub(crate) fn holder(&self, seat: &(String, u32)) -> Option<wire::Holder> {
        self.lock().seats.get(seat)?.holder.clone()
    }

    /// How often a watch stream was opened.
    pub(crate) fn watches(&self) -> usize {
        self.lock().watches
    }

    pub(crate) fn say(&self, event: &Event) {
        for watcher in &mut self.lock().watchers {
            watcher.say(event.clone());
        }
    }

    /// Leaves a gap in the numbers of the stream.
    pub(crate) fn skip_a_number(&self) {
        for watcher in &mut self.lock().watchers {
            watcher.sequence += 1;
        }
    }

    /// Ends every watch stream.
    pub(crate) fn hang_up(&self) {
        self.lock().watchers.clear();
    }

    /// Everyone is gone, as after a restart.
    pub(crate) fn forget_everyone(&self) {
        self.lock().seats.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn record(&self, call: Call) {
        self.lock().calls.push(call);
    }
}

impl Watcher {
    fn say(&mut self, event: Event) {
        self.sequence += 1;
        let response = wire::WatchResponse {
            sequence: self.sequence,
            event: Some(event),
        };
        self.events.try_send(Ok(response)).ok();
    }
}

fn channel(context: Option<&wire::CallContext>) -> String {
    context.unwrap().room.as_ref().unwrap().channel_id.clone()
}

#[tonic::async_trait]
impl SfuService for Sfu {
    type WatchStream = ReceiverStream<Result<wire::WatchResponse, Status>>;

    async fn seat(
        &self,
        request: Request<wire::SeatRequest>,
    ) -> Result<Response<wire::SeatResponse>, Status> {
        let request = request.into_inner();
        self.record(Call::Seat(request.clone()));
        let hangs = self.lock().hangs;
        if hangs {
            std::future::pending::<()>().await;
        }
        let mut state = self.lock();
        let outcome = match state.refusal {
            Some(refusal) => wire::seat_response::Outcome::Refused(wire::Refused {
                refusal: refusal.into(),
                message: "as the test wants".to_owned(),
            }),
            None => {
                let seat = (channel(request.context.as_ref()), request.participant_id);
                state.seats.insert(seat, request.clone());
                wire::seat_response::Outcome::Offer(wire::Offer {
                    participant_id: request.participant_id,
                    revision: 1,
                    sdp: OFFER.to_owned(),
                })
            }
        };
        Ok(Response::new(wire::SeatResponse {
            outcome: Some(outcome),
        }))
    }

    async fn answer(
        &self,
        request: Request<wire::AnswerRequest>,
    ) -> Result<Response<wire::AnswerResponse>, Status> {
        let request = request.into_inner();
        self.record(Call::Answer(request.clone()));
        let refuse = |refusal: wire::Refusal| {
            wire::answer_response::Outcome::Refused(wire::Refused {
                refusal: refusal.into(),
                message: "as the test wants".to_owned(),
            })
        };
        let outcome = match (request.revision, request.sdp.as_str()) {
            (1, "broken") => refuse(wire::Refusal::BadAnswer),
            (1, _) => wire::answer_response::Outcome::Done(wire::Done {}),
            (revision, _) if revision == self.lock().revision => {
                wire::answer_response::Outcome::Done(wire::Done {})
            }
            (_, _) => refuse(wire::Refusal::StaleOffer),
        };
        Ok(Response::new(wire::AnswerResponse {
            outcome: Some(outcome),
        }))
    }

    async fn set_capabilities(
        &self,
        request: Request<wire::SetCapabilitiesRequest>,
    ) -> Result<Response<wire::SetCapabilitiesResponse>, Status> {
        self.record(Call::SetCapabilities(request.into_inner()));
        Ok(Response::new(wire::SetCapabilitiesResponse {
            outcome: Some(wire::set_capabilities_response::Outcome::Done(
                wire::Done {},
            )),
        }))
    }

    async fn set_holder(
        &self,
        request: Request<wire::SetHolderRequest>,
    ) -> Result<Response<wire::SetHolderResponse>, Status> {
        let request = request.into_inner();
        self.record(Call::SetHolder(request.clone()));
        let seat = (channel(request.context.as_ref()), request.participant_id);
        if let Some(seat) = self.lock().seats.get_mut(&seat) {
            seat.holder = request.holder;
        }
        Ok(Response::new(wire::SetHolderResponse {
            outcome: Some(wire::set_holder_response::Outcome::Done(wire::Done {})),
        }))
    }

    async fn set_audible_limit(
        &self,
        request: Request<wire::SetAudibleLimitRequest>,
    ) -> Result<Response<wire::SetAudibleLimitResponse>, Status> {
        self.record(Call::SetAudibleLimit(request.into_inner()));
        Ok(Response::new(wire::SetAudibleLimitResponse {
            outcome: Some(wire::set_audible_limit_response::Outcome::Done(
                wire::Done {},
            )),
        }))
    }

    async fn leave(
        &self,
        request: Request<wire::LeaveRequest>,
    ) -> Result<Response<wire::LeaveResponse>, Status> {
        let request = request.into_inner();
        self.record(Call::Leave(request.clone()));
        let seat = (channel(request.context.as_ref()), request.participant_id);
        self.lock().seats.remove(&seat);
        Ok(Response::new(wire::LeaveResponse {
            outcome: Some(wire::leave_response::Outcome::Done(wire::Done {})),
        }))
    }

    async fn watch(
        &self,
        _: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        while self.lock().is_late {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let (events, stream) = mpsc::channel(100);
        let mut watcher = Watcher {
            events,
            sequence: 0,
        };
        let mut state = self.lock();
        let seated = state.seats.values().map(|seat| wire::Seated {
            room: seat.context.clone().and_then(|context| context.room),
            participant_id: seat.participant_id,
            speaking: false,
            holder: seat.holder.clone(),
            capabilities: seat.capabilities,
            audible_limit: seat.audible_limit,
        });
        let snapshot = wire::Snapshot {
            seated: seated.collect(),
            draining: false,
        };
        watcher.say(Event::Snapshot(snapshot));
        state.watches += 1;
        state.watchers.push(watcher);
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
