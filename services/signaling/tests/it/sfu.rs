//! An SFU without media: takes seats, answers with canned SDP, and says what a test wants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use gryt_model::NodeId;
use gryt_proto::sfu::v1 as wire;
use gryt_proto::sfu::v1::sfu_service_server::{SfuService, SfuServiceServer};
use gryt_proto::sfu::v1::watch_response::Event;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

pub(crate) const OFFER: &str = "v=0 an offer";

impl Default for State {
    fn default() -> Self {
        Self {
            id: next_life(),
            seats: BTreeMap::new(),
            seats_given: 0,
            epochs: BTreeMap::new(),
            calls: Vec::new(),
            watchers: Vec::new(),
            watches: 0,
            refusal: None,
            hangs: false,
            is_late: false,
            revision: 0,
        }
    }
}

#[derive(Clone, Default)]
pub(crate) struct Sfu {
    state: Arc<Mutex<State>>,
    /// Everything that it does, connections too.
    tasks: CancellationToken,
}

struct State {
    /// This life.
    id: NodeId,
    /// By channel and participant, each with its number.
    seats: BTreeMap<(String, u32), (wire::SeatRequest, u64)>,
    seats_given: u64,
    /// The highest that each channel's room was commanded at.
    epochs: BTreeMap<String, u64>,
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

fn next_life() -> NodeId {
    static LIVES: AtomicU64 = AtomicU64::new(1);
    let life = LIVES.fetch_add(1, Ordering::Relaxed);
    NodeId::from_random(u128::from(life).to_be_bytes())
}

struct Watcher {
    name: String,
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
    pub(crate) fn start() -> (Self, Channel) {
        let sfu = Self::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let service = SfuServiceServer::new(sfu.clone());
        let tasks = sfu.tasks.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let serving = tonic::transport::Server::builder()
                    .add_service(service)
                    .serve_with_incoming(TcpIncoming::from(listener));
                tokio::select! {
                    served = serving => served.unwrap(),
                    () = tasks.cancelled() => {}
                }
            });
        });
        let channel = Channel::from_shared(address).unwrap().connect_lazy();
        (sfu, channel)
    }

    /// Ends it as kill -9 does: its connections break, and nobody listens any more.
    pub(crate) fn kill(&self) {
        self.tasks.cancel();
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
        self.lock().take(&place, seat);
    }

    /// The holder that the node would tell of.
    pub(crate) fn holder(&self, seat: &(String, u32)) -> Option<wire::Holder> {
        self.lock().seats.get(seat)?.0.holder.clone()
    }

    /// How often a watch stream was opened.
    pub(crate) fn watches(&self) -> usize {
        self.lock().watches
    }

    pub(crate) fn say(&self, event: &Event) {
        self.lock().say(event);
    }

    /// Gives somebody up by itself.
    pub(crate) fn lose(&self, seat: &(String, u32)) {
        let mut state = self.lock();
        if let Some((request, number)) = state.seats.remove(seat) {
            state.say(&Event::Lost(wire::ParticipantLost {
                room: request.context.and_then(|context| context.room),
                participant_id: seat.1,
                cause: wire::LossCause::Silent.into(),
                number,
            }));
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

    /// Another life, in which nobody sits there.
    pub(crate) fn begin_anew(&self) {
        let mut state = self.lock();
        state.id = next_life();
        state.seats.clear();
        state.seats_given = 0;
        state.watchers.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn record(&self, call: Call) {
        self.lock().calls.push(call);
    }
}

fn refused(refusal: wire::Refusal) -> wire::Refused {
    wire::Refused {
        refusal: refusal.into(),
        message: "as the test wants".to_owned(),
        highest_epoch: 0,
    }
}

impl State {
    /// A refusal, if the caller's epoch is lower than one before.
    fn fence(&mut self, context: Option<&wire::CallContext>) -> Option<wire::Refused> {
        let (channel, epoch) = (channel(context), context.unwrap().epoch);
        let highest = self.epochs.entry(channel).or_default();
        if epoch >= *highest {
            *highest = epoch;
            return None;
        }
        Some(wire::Refused {
            highest_epoch: *highest,
            ..refused(wire::Refusal::StaleEpoch)
        })
    }

    fn say(&mut self, event: &Event) {
        for watcher in &mut self.watchers {
            watcher.say(event.clone());
        }
    }

    fn take(&mut self, place: &(String, u32), request: wire::SeatRequest) -> u64 {
        self.seats_given += 1;
        self.seats
            .insert(place.clone(), (request, self.seats_given));
        self.tell_seated(place);
        self.seats_given
    }

    fn seated(&self, place: &(String, u32)) -> Option<wire::Seated> {
        let (seat, number) = self.seats.get(place)?;
        Some(wire::Seated {
            room: seat.context.clone().and_then(|context| context.room),
            participant_id: seat.participant_id,
            speaking: false,
            holder: seat.holder.clone(),
            capabilities: seat.capabilities,
            audible_limit: seat.audible_limit,
            number: *number,
            epoch: seat.context.as_ref().map_or(0, |context| context.epoch),
        })
    }

    fn tell_seated(&mut self, place: &(String, u32)) {
        if let Some(seated) = self.seated(place) {
            self.say(&Event::Seated(seated));
        }
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
        let mut number = 0;
        let place = (channel(request.context.as_ref()), request.participant_id);
        let there = state.seats.get(&place).map(|(there, _)| &there.holder);
        let is_taken = there.is_some_and(|there| *there != request.holder);
        let taken = is_taken.then(|| refused(wire::Refusal::Taken));
        let stale = state.fence(request.context.as_ref());
        let outcome = match state.refusal.map(refused).or(stale).or(taken) {
            Some(refused) => wire::seat_response::Outcome::Refused(refused),
            None => {
                let seat = (channel(request.context.as_ref()), request.participant_id);
                number = state.take(&seat, request.clone());
                wire::seat_response::Outcome::Offer(wire::Offer {
                    participant_id: request.participant_id,
                    revision: 1,
                    sdp: OFFER.to_owned(),
                })
            }
        };
        Ok(Response::new(wire::SeatResponse {
            outcome: Some(outcome),
            number,
        }))
    }

    async fn answer(
        &self,
        request: Request<wire::AnswerRequest>,
    ) -> Result<Response<wire::AnswerResponse>, Status> {
        let request = request.into_inner();
        self.record(Call::Answer(request.clone()));
        let refuse = |refusal| wire::answer_response::Outcome::Refused(refused(refusal));
        let stale = self.lock().fence(request.context.as_ref());
        let outcome = match (request.revision, request.sdp.as_str()) {
            (1, "broken") => refuse(wire::Refusal::BadAnswer),
            (1, _) => wire::answer_response::Outcome::Done(wire::Done {}),
            (revision, _) if revision == self.lock().revision => {
                wire::answer_response::Outcome::Done(wire::Done {})
            }
            (_, _) => refuse(wire::Refusal::StaleOffer),
        };
        Ok(Response::new(wire::AnswerResponse {
            outcome: Some(stale.map_or(outcome, wire::answer_response::Outcome::Refused)),
        }))
    }

    async fn set_capabilities(
        &self,
        request: Request<wire::SetCapabilitiesRequest>,
    ) -> Result<Response<wire::SetCapabilitiesResponse>, Status> {
        let request = request.into_inner();
        self.record(Call::SetCapabilities(request.clone()));
        let place = (channel(request.context.as_ref()), request.participant_id);
        let mut state = self.lock();
        if let Some((seat, _)) = state.seats.get_mut(&place) {
            seat.capabilities = request.capabilities;
        }
        state.tell_seated(&place);
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
        let mut state = self.lock();
        if let Some((there, _)) = state.seats.get_mut(&seat) {
            there.holder = request.holder;
        }
        state.tell_seated(&seat);
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
        let mut state = self.lock();
        if let Some((_, number)) = state.seats.remove(&seat) {
            let room = request.context.and_then(|context| context.room);
            state.say(&Event::Left(wire::ParticipantLeft {
                room,
                participant_id: seat.1,
                number,
            }));
        }
        Ok(Response::new(wire::LeaveResponse {
            outcome: Some(wire::leave_response::Outcome::Done(wire::Done {})),
        }))
    }

    async fn watch(
        &self,
        request: Request<wire::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        while self.lock().is_late {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let (events, stream) = mpsc::channel(100);
        let name = request.into_inner().watcher;
        let mut watcher = Watcher {
            name: name.clone(),
            events,
            sequence: 0,
        };
        let mut state = self.lock();
        state.watchers.retain(|watcher| !watcher.events.is_closed());
        let watchers = state.watchers.iter().map(|watcher| watcher.name.clone());
        let snapshot = wire::Snapshot {
            seated: state
                .seats
                .keys()
                .filter_map(|seat| state.seated(seat))
                .collect(),
            draining: false,
            node_id: state.id.to_string(),
            watchers: watchers.chain([name.clone()]).collect(),
            seats_given: state.seats_given,
        };
        state.say(&Event::WatcherChanged(wire::WatcherChanged {
            watcher: name,
            watches: true,
        }));
        watcher.say(Event::Snapshot(snapshot));
        state.watches += 1;
        state.watchers.push(watcher);
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}
