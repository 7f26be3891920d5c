//! Calls to an SFU: one queue and one task per room, so that the calls of a room keep their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gryt_model::{AudibleLimit, NodeId, RoomId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::sfu_service_client::SfuServiceClient;
use gryt_rooms::{Capabilities, Holder, SeatOrder, Seated};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::Letter;
use super::seats::{wire_capabilities, wire_holder};
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// One attempt of a call.
const DEADLINE: Duration = Duration::from_secs(3);
/// Calls are idempotent by their request id: one without an answer is made again.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Calls that wait for a room's node. When it is full, seats are refused and the rest is dropped:
/// the node's next snapshot brings it up to date.
const QUEUE: usize = 1024;

/// One SFU, as calls reach it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// How rooms name it.
    pub(crate) id: NodeId,
    /// Names this process in its log.
    pub(crate) watcher: Arc<str>,
    client: SfuServiceClient<Channel>,
    calls: Arc<AtomicU64>,
    metrics: Metrics,
}

/// Who waits for a seat.
pub(super) type OfferReply = oneshot::Sender<Result<wire::VoiceOffer, Refusal>>;
/// Who waits for an answer to be taken.
pub(super) type DoneReply = oneshot::Sender<Result<(), Refusal>>;

/// A call that waits in a room's queue.
#[derive(Debug)]
pub(super) enum Call {
    Seat {
        order: SeatOrder,
        holder: Holder,
        capabilities: Capabilities,
        audible_limit: AudibleLimit,
        reply: OfferReply,
    },
    Answer {
        order: SeatOrder,
        revision: u32,
        sdp: String,
        reply: DoneReply,
    },
    SetCapabilities(SeatOrder, Capabilities),
    SetHolder(SeatOrder, Holder),
    SetAudibleLimit(gryt_model::Epoch, AudibleLimit),
    Leave(SeatOrder),
}

/// How an order for a seat ended.
#[derive(Debug)]
pub(super) struct SeatOutcome {
    pub(super) seat: Seated,
    pub(super) outcome: Result<wire::VoiceOffer, Refusal>,
    pub(super) reply: OfferReply,
}

/// A room's queue. Its task ends when this is dropped and everything in it is done.
#[derive(Debug)]
pub(super) struct RoomCalls {
    queue: mpsc::Sender<Call>,
}

impl RoomCalls {
    pub(super) fn start(node: Node, room: RoomId, mailbox: mpsc::Sender<Letter>) -> Self {
        let (queue, mut calls) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                node.perform(&room, call, &mailbox).await;
            }
        });
        Self { queue }
    }

    /// Queues a call; gives it back when the queue is full.
    pub(super) fn push(&self, call: Call) -> Result<(), Call> {
        self.queue
            .try_send(call)
            .map_err(mpsc::error::TrySendError::into_inner)
    }
}

impl Node {
    pub(crate) fn new(id: NodeId, watcher: &str, channel: Channel, metrics: Metrics) -> Self {
        Self {
            id,
            watcher: watcher.into(),
            client: SfuServiceClient::new(channel),
            calls: Arc::default(),
            metrics,
        }
    }

    /// Opens the stream of what happens on the node.
    pub(super) async fn watch(
        &self,
    ) -> Result<Response<tonic::Streaming<sfu::WatchResponse>>, Status> {
        let request = sfu::WatchRequest {
            watcher: self.watcher.to_string(),
        };
        self.client.clone().watch(request).await
    }

    async fn perform(&self, room: &RoomId, call: Call, mailbox: &mpsc::Sender<Letter>) {
        match call {
            Call::Seat {
                order,
                holder,
                capabilities,
                audible_limit,
                reply,
            } => {
                let request = sfu::SeatRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    capabilities: Some(wire_capabilities(capabilities)),
                    audible_limit: audible_limit.get().into(),
                    holder: Some(wire_holder(&holder)),
                };
                let outcome = self.seat(&order, request).await;
                let outcome = SeatOutcome {
                    seat: Seated {
                        room: order.room,
                        participant: order.participant,
                    },
                    outcome,
                    reply,
                };
                // Closed at shutdown only: whoever waits is told by the dropped reply.
                let _ = mailbox.send(Letter::Seat(outcome)).await;
            }
            Call::Answer {
                order,
                revision,
                sdp,
                reply,
            } => {
                let request = sfu::AnswerRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    revision,
                    sdp,
                };
                let outcome = self
                    .call(request, async |mut client, request| {
                        client.answer(request).await
                    })
                    .await
                    .and_then(|response| match response.outcome {
                        Some(sfu::answer_response::Outcome::Done(sfu::Done {})) => Ok(()),
                        Some(sfu::answer_response::Outcome::Refused(refused)) => {
                            Err(refusal(&refused))
                        }
                        None => Err(nothing_said()),
                    });
                if outcome.is_ok() {
                    let seat = Seated {
                        room: order.room,
                        participant: order.participant,
                    };
                    // Closed at shutdown only.
                    let _ = mailbox.send(Letter::Answered(seat, revision)).await;
                }
                // The session may be gone by now.
                let _ = reply.send(outcome);
            }
            Call::SetCapabilities(order, capabilities) => {
                let request = sfu::SetCapabilitiesRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    capabilities: Some(wire_capabilities(capabilities)),
                };
                let called = self.call(request, async |mut client, request| {
                    client.set_capabilities(request).await
                });
                use sfu::set_capabilities_response::Outcome;
                if let Ok(Some(Outcome::Refused(refused))) = called.await.map(|r| r.outcome) {
                    not_done(room, &refused);
                }
            }
            Call::SetHolder(order, holder) => {
                let request = sfu::SetHolderRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    holder: Some(wire_holder(&holder)),
                };
                let called = self.call(request, async |mut client, request| {
                    client.set_holder(request).await
                });
                use sfu::set_holder_response::Outcome;
                if let Ok(Some(Outcome::Refused(refused))) = called.await.map(|r| r.outcome) {
                    not_done(room, &refused);
                }
            }
            Call::SetAudibleLimit(epoch, limit) => {
                let request = sfu::SetAudibleLimitRequest {
                    context: Some(self.context(room, epoch)),
                    audible_limit: limit.get().into(),
                };
                let called = self.call(request, async |mut client, request| {
                    client.set_audible_limit(request).await
                });
                use sfu::set_audible_limit_response::Outcome;
                if let Ok(Some(Outcome::Refused(refused))) = called.await.map(|r| r.outcome) {
                    not_done(room, &refused);
                }
            }
            Call::Leave(order) => {
                let request = sfu::LeaveRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                };
                // A place that the node does not know is what was wanted.
                let _ = self
                    .call(request, async |mut client, request| {
                        client.leave(request).await
                    })
                    .await;
            }
        }
    }

    async fn seat(
        &self,
        order: &SeatOrder,
        request: sfu::SeatRequest,
    ) -> Result<wire::VoiceOffer, Refusal> {
        let response = self
            .call(request, async |mut client, request| {
                client.seat(request).await
            })
            .await?;
        match response.outcome {
            Some(sfu::seat_response::Outcome::Offer(offer)) => Ok(wire::VoiceOffer {
                channel_id: order.room.channel.to_string(),
                participant_id: order.participant.get(),
                revision: offer.revision,
                sdp: offer.sdp,
            }),
            Some(sfu::seat_response::Outcome::Refused(refused)) => Err(refusal(&refused)),
            None => Err(nothing_said()),
        }
    }

    fn context(&self, room: &RoomId, epoch: gryt_model::Epoch) -> sfu::CallContext {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        sfu::CallContext {
            request_id: format!("{}-{call}", self.watcher),
            room: Some(sfu::Room {
                server_id: room.server.to_string(),
                channel_id: room.channel.to_string(),
            }),
            epoch: epoch.0,
        }
    }

    async fn call<Q: Clone, P>(
        &self,
        request: Q,
        make: impl AsyncFn(SfuServiceClient<Channel>, Request<Q>) -> Result<Response<P>, Status>,
    ) -> Result<P, Refusal> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let mut timed = Request::new(request.clone());
            timed.set_timeout(DEADLINE);
            let made = tokio::time::timeout(DEADLINE, make(self.client.clone(), timed)).await;
            let status = match made {
                Ok(Ok(response)) => return Ok(response.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            let passing = matches!(
                status.code(),
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
            );
            if !passing || attempt == ATTEMPTS {
                self.metrics.sfu_call_failures.inc();
                tracing::warn!(node = %self.id, code = ?status.code(), "call to the SFU failed");
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Refusal::new(
            Reason::NoNode,
            "The voice node does not answer. Try again.",
        ))
    }
}

/// A change that nobody waits for was refused: the room's next snapshot brings it up again.
fn not_done(room: &RoomId, refused: &sfu::Refused) {
    let refusal = refused.refusal();
    let gone = [sfu::Refusal::UnknownRoom, sfu::Refusal::UnknownParticipant];
    if gone.contains(&refusal) {
        tracing::debug!(%room, "the place to change is gone");
    } else {
        tracing::warn!(%room, ?refusal, "the SFU did not change a place");
    }
}

/// What a node's refusal means for the client.
fn refusal(refused: &sfu::Refused) -> Refusal {
    let text = refused.message.clone();
    match refused.refusal() {
        sfu::Refusal::Full => Refusal::new(Reason::RoomFull, "The voice node is full."),
        sfu::Refusal::Draining => Refusal::new(Reason::NoNode, "The voice node is going away."),
        sfu::Refusal::BadAnswer => Refusal::new(Reason::BadAnswer, text),
        sfu::Refusal::StaleOffer => Refusal::new(Reason::StaleOffer, "A newer offer is out."),
        sfu::Refusal::UnknownRoom | sfu::Refusal::UnknownParticipant => {
            Refusal::new(Reason::NotInRoom, "The place is gone. Join again.")
        }
        sfu::Refusal::StaleEpoch => {
            tracing::warn!("the SFU knows a newer owner of the room");
            Refusal::new(Reason::NoNode, "Another replica has the room. Try again.")
        }
        sfu::Refusal::Malformed | sfu::Refusal::Unspecified => {
            tracing::error!(refused = text, "the SFU could not read a call");
            Refusal::new(Reason::Internal, "The server failed. It is logged.")
        }
    }
}

fn nothing_said() -> Refusal {
    tracing::error!("the SFU's response is empty");
    Refusal::new(Reason::Internal, "The server failed. It is logged.")
}
