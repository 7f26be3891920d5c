//! The gRPC door: finds the worker of a room, hands it the command, answers with the outcome.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gryt_proto::sfu::v1;
use gryt_proto::sfu::v1::sfu_service_server::SfuService;
use tokio::sync::oneshot;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::convert::{self, Call};
use crate::inbox::{Command, Inbox, NotTaken, Order, Outcome};
use crate::outcomes::Outcomes;
use crate::roster::{Claim, NoClaim, Roster, WatchItem};

/// `gryt.sfu.v1.SfuService` of one node.
#[derive(Debug)]
pub struct Front {
    node: Arc<Node>,
}

/// What calls share.
#[derive(Debug)]
struct Node {
    inboxes: Vec<Inbox>,
    roster: Arc<Roster>,
    outcomes: Outcomes,
    stopping: Arc<AtomicBool>,
}

impl Front {
    pub(crate) fn new(inboxes: Vec<Inbox>, roster: Arc<Roster>, stopping: Arc<AtomicBool>) -> Self {
        let outcomes = Outcomes::default();
        Self {
            node: Arc::new(Node {
                inboxes,
                roster,
                outcomes,
                stopping,
            }),
        }
    }

    /// Carries a call out once, whoever sends it how often, and returns its first outcome.
    async fn answer_to(&self, call: Result<Call, v1::Refused>) -> Result<Outcome, Status> {
        let Call {
            request_id,
            command,
        } = match call {
            Ok(call) => call,
            Err(refused) => return Ok(Outcome::Refused(refused)),
        };
        let cell = self.node.outcomes.of(&request_id);
        if let Some(outcome) = cell.get() {
            return Ok(outcome.clone());
        }
        let node = Arc::clone(&self.node);
        // On a task of its own: a caller that hangs up must not stop the call half way, or the
        // same call again would be carried out twice.
        let carried_out = tokio::spawn(async move {
            cell.get_or_try_init(|| node.carry_out(command))
                .await
                .cloned()
        });
        carried_out
            .await
            .map_err(|_| Status::internal("the call was given up"))?
    }
}

impl Node {
    async fn carry_out(&self, command: Command) -> Result<Outcome, Status> {
        let (room, _) = command.room();
        let room = room.clone();
        let claims = matches!(command, Command::Seat(..));
        let worker = if let Command::Seat(seat, holder) = &command {
            match self.claim(&Claim {
                place: &seat.place,
                session: holder.as_ref().map(|holder| &holder.session_id),
            }) {
                Ok(worker) => worker,
                Err(refused) => return Ok(Outcome::Refused(refused)),
            }
        } else {
            let Some(worker) = self.roster.worker_of(&room) else {
                let unknown = gryt_media::Refusal::UnknownRoom;
                return Ok(Outcome::Refused(convert::refusal(&unknown)));
            };
            worker
        };
        let outcome = self.order(worker, command).await;
        if claims {
            self.roster.settle(&room);
        }
        outcome
    }

    fn claim(&self, claim: &Claim<'_>) -> Result<usize, v1::Refused> {
        let draining = || convert::refused(v1::Refusal::Draining, "the node is going away");
        if self.stopping.load(Ordering::Relaxed) {
            return Err(draining());
        }
        self.roster.claim(claim).map_err(|no_claim| match no_claim {
            NoClaim::Draining => draining(),
            NoClaim::Taken => convert::taken(),
            NoClaim::Stale(refusal) => convert::refusal(&refusal),
        })
    }

    async fn order(&self, worker: usize, command: Command) -> Result<Outcome, Status> {
        let (reply, outcome) = oneshot::channel();
        match self.inboxes[worker].send(Order::Command(command, reply)) {
            Ok(()) => outcome
                .await
                .map_err(|_| Status::unavailable("the node is going away")),
            Err(NotTaken::Full) => {
                let full = convert::refused(v1::Refusal::Full, "the node is behind");
                Ok(Outcome::Refused(full))
            }
            Err(NotTaken::Closed) => Err(Status::unavailable("the node is going away")),
        }
    }
}

/// The same request id was used for a call of another kind.
fn another_kind() -> v1::Refused {
    convert::refused(
        v1::Refusal::Malformed,
        "the request id was used for another call",
    )
}

macro_rules! done {
    ($response:ident, $outcome:ident, $result:expr) => {{
        let outcome = match $result? {
            Outcome::Done => v1::$outcome::Outcome::Done(v1::Done {}),
            Outcome::Refused(refused) => v1::$outcome::Outcome::Refused(refused),
            Outcome::Seated(..) => v1::$outcome::Outcome::Refused(another_kind()),
        };
        Ok(Response::new(v1::$response {
            outcome: Some(outcome),
        }))
    }};
}

#[tonic::async_trait]
impl SfuService for Front {
    async fn seat(
        &self,
        request: Request<v1::SeatRequest>,
    ) -> Result<Response<v1::SeatResponse>, Status> {
        let refused = v1::seat_response::Outcome::Refused;
        let (outcome, number) = match self.answer_to(convert::seat(request.into_inner())).await? {
            Outcome::Seated(offer, number) => (v1::seat_response::Outcome::Offer(offer), number),
            Outcome::Refused(reason) => (refused(reason), 0),
            Outcome::Done => (refused(another_kind()), 0),
        };
        Ok(Response::new(v1::SeatResponse {
            outcome: Some(outcome),
            number,
        }))
    }

    async fn answer(
        &self,
        request: Request<v1::AnswerRequest>,
    ) -> Result<Response<v1::AnswerResponse>, Status> {
        let call = convert::answer(request.into_inner());
        done!(AnswerResponse, answer_response, self.answer_to(call).await)
    }

    async fn set_capabilities(
        &self,
        request: Request<v1::SetCapabilitiesRequest>,
    ) -> Result<Response<v1::SetCapabilitiesResponse>, Status> {
        let call = convert::set_capabilities(request.into_inner());
        done!(
            SetCapabilitiesResponse,
            set_capabilities_response,
            self.answer_to(call).await
        )
    }

    async fn set_holder(
        &self,
        request: Request<v1::SetHolderRequest>,
    ) -> Result<Response<v1::SetHolderResponse>, Status> {
        let call = convert::set_holder(request.into_inner());
        done!(
            SetHolderResponse,
            set_holder_response,
            self.answer_to(call).await
        )
    }

    async fn set_audible_limit(
        &self,
        request: Request<v1::SetAudibleLimitRequest>,
    ) -> Result<Response<v1::SetAudibleLimitResponse>, Status> {
        let call = convert::set_audible_limit(request.into_inner());
        done!(
            SetAudibleLimitResponse,
            set_audible_limit_response,
            self.answer_to(call).await
        )
    }

    async fn leave(
        &self,
        request: Request<v1::LeaveRequest>,
    ) -> Result<Response<v1::LeaveResponse>, Status> {
        let call = convert::leave(request.into_inner());
        done!(LeaveResponse, leave_response, self.answer_to(call).await)
    }

    type WatchStream = Pin<Box<dyn Stream<Item = WatchItem> + Send>>;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().watcher;
        convert::watcher(&name).map_err(Status::invalid_argument)?;
        tracing::info!(watcher = name, "watch opened");
        let (stream, left) = self.node.roster.watch(&name);
        let roster = Arc::clone(&self.node.roster);
        tokio::spawn(async move {
            left.await;
            roster.sweep_watches();
        });
        let stream = ReceiverStream::new(stream);
        Ok(Response::new(Box::pin(stream)))
    }
}
