//! Calls to an SFU: one queue and one task per room, so that the calls of a room keep their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gryt_model::{AudibleLimit, MemberId, NodeId, RoomId, SessionId, WatcherId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::sfu::v1 as sfu;
use gryt_proto::sfu::v1::sfu_service_client::SfuServiceClient;
use gryt_rooms::{Capabilities, Command, Holder, SeatOrder, Seated};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};

use super::Letter;
use super::fence::{Fenced, Refusable};
use super::seats::{wire_capabilities, wire_holder};
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// One attempt of a call.
const DEADLINE: Duration = Duration::from_secs(3);
/// Calls are idempotent by their request id: one without an answer is made again.
const ATTEMPTS: u32 = 3;
/// How many later owners of a room a call may meet on its way.
const MOST_OWNERS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Calls that wait for a room's node. When it is full, seats are refused and the rest is dropped:
/// the node's next snapshot brings it up to date.
const QUEUE: usize = 1024;

/// One SFU, as calls reach it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it is, for the log.
    pub(crate) address: Arc<str>,
    client: SfuServiceClient<Channel>,
    caller: Caller,
}

/// This process, as all SFUs know it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    watcher: WatcherId,
    /// Numbers the calls to all of them.
    calls: Arc<AtomicU64>,
    metrics: Metrics,
}

impl Caller {
    pub(crate) fn new(watcher: WatcherId, metrics: Metrics) -> Self {
        Self {
            watcher,
            calls: Arc::default(),
            metrics,
        }
    }
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
    SetCapabilities {
        order: SeatOrder,
        member: MemberId,
        capabilities: Capabilities,
    },
    SetHolder {
        order: SeatOrder,
        from: SessionId,
        holder: Holder,
    },
    SetAudibleLimit(gryt_model::Epoch, AudibleLimit),
    Leave {
        order: SeatOrder,
        held_by: Option<SessionId>,
    },
}

/// How an order for a seat ended.
#[derive(Debug)]
pub(super) struct SeatOutcome {
    pub(super) node: NodeId,
    pub(super) seat: Seated,
    pub(super) outcome: Seating,
    pub(super) reply: OfferReply,
}

/// What a node said to an order for a seat.
#[derive(Debug)]
pub(super) enum Seating {
    /// With the seat's number.
    Given(wire::VoiceOffer, u64),
    /// Another process gave the id to somebody else.
    IdTaken,
    Refused(Refusal),
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
    pub(super) fn push(&self, call: Call) -> Result<(), Box<Call>> {
        self.queue
            .try_send(call)
            .map_err(|error| Box::new(error.into_inner()))
    }
}

impl Node {
    pub(crate) fn new(address: &str, channel: Channel, caller: Caller) -> Self {
        Self {
            address: address.into(),
            client: SfuServiceClient::new(channel),
            caller,
        }
    }

    /// Opens the stream of what happens on the node.
    pub(super) async fn watch(
        &self,
    ) -> Result<Response<tonic::Streaming<sfu::WatchResponse>>, Status> {
        let request = sfu::WatchRequest {
            watcher: self.caller.watcher.to_string(),
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
                let outcome = match self.seat(&order, request).await {
                    Ok(Some((offer, number))) => Seating::Given(offer, number),
                    Ok(None) => Seating::IdTaken,
                    Err(refusal) => Seating::Refused(refusal),
                };
                let outcome = SeatOutcome {
                    node: order.node,
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
            Call::SetCapabilities {
                order,
                member,
                capabilities,
            } => {
                let request = sfu::SetCapabilitiesRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    capabilities: Some(wire_capabilities(capabilities)),
                    member_id: member.to_string(),
                };
                let called = self.call(request, async |mut client, request| {
                    client.set_capabilities(request).await
                });
                let changed = called.await;
                self.tell_of_change(order, changed, mailbox).await;
            }
            Call::SetHolder {
                order,
                from,
                holder,
            } => {
                let request = sfu::SetHolderRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    holder: Some(wire_holder(&holder)),
                    from_session_id: from.to_string(),
                };
                let called = self.call(request, async |mut client, request| {
                    client.set_holder(request).await
                });
                let changed = called.await;
                if is_taken(&changed) {
                    let command = Command::HolderRefused {
                        node: order.node,
                        seat: Seated {
                            room: order.room,
                            participant: order.participant,
                        },
                    };
                    // Closed at shutdown only.
                    let _ = mailbox.send(Letter::Tell(command)).await;
                } else {
                    self.tell_of_change(order, changed, mailbox).await;
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
                // Without an answer the node's next snapshot brings it up again.
                if let Ok(response) = called.await
                    && let Some(refused) = response.refused()
                {
                    not_done(room, refused);
                }
            }
            Call::Leave { order, held_by } => {
                let request = sfu::LeaveRequest {
                    context: Some(self.context(room, order.epoch)),
                    participant_id: order.participant.get(),
                    session_id: held_by.map_or_else(String::new, |session| session.to_string()),
                };
                // A place that the node does not know, or that has gone to somebody else, is as
                // good as given up.
                let _ = self
                    .call(request, async |mut client, request| {
                        client.leave(request).await
                    })
                    .await;
            }
        }
    }

    /// Tells the rooms of a change that the node did not answer: they order it again.
    async fn tell_of_change<P: Refusable>(
        &self,
        order: SeatOrder,
        changed: Result<P, Refusal>,
        mailbox: &mpsc::Sender<Letter>,
    ) {
        match changed {
            Ok(response) => {
                if let Some(refused) = response.refused() {
                    not_done(&order.room, refused);
                }
            }
            Err(_) => {
                let command = Command::Unanswered {
                    node: order.node,
                    seat: Seated {
                        room: order.room,
                        participant: order.participant,
                    },
                };
                // Closed at shutdown only.
                let _ = mailbox.send(Letter::Tell(command)).await;
            }
        }
    }

    /// The offer and the seat's number; `None` if the id is somebody else's.
    async fn seat(
        &self,
        order: &SeatOrder,
        request: sfu::SeatRequest,
    ) -> Result<Option<(wire::VoiceOffer, u64)>, Refusal> {
        let response = self
            .call(request, async |mut client, request| {
                client.seat(request).await
            })
            .await?;
        match response.outcome {
            Some(sfu::seat_response::Outcome::Offer(offer)) => {
                let offer = wire::VoiceOffer {
                    channel_id: order.room.channel.to_string(),
                    participant_id: order.participant.get(),
                    revision: offer.revision,
                    sdp: offer.sdp,
                };
                Ok(Some((offer, response.number)))
            }
            Some(sfu::seat_response::Outcome::Refused(refused))
                if refused.refusal() == sfu::Refusal::Taken =>
            {
                Ok(None)
            }
            Some(sfu::seat_response::Outcome::Refused(refused)) => Err(refusal(&refused)),
            None => Err(nothing_said()),
        }
    }

    fn request_id(&self) -> String {
        let call = self.caller.calls.fetch_add(1, Ordering::Relaxed);
        format!("{}-{call}", self.caller.watcher)
    }

    fn context(&self, room: &RoomId, epoch: gryt_model::Epoch) -> sfu::CallContext {
        sfu::CallContext {
            request_id: self.request_id(),
            room: Some(sfu::Room {
                server_id: room.server.to_string(),
                channel_id: room.channel.to_string(),
            }),
            epoch: epoch.0,
        }
    }

    /// Calls, and again if there is no answer, or at a higher epoch if the node knows of one.
    async fn call<Q: Fenced, P: Refusable>(
        &self,
        mut request: Q,
        make: impl AsyncFn(SfuServiceClient<Channel>, Request<Q>) -> Result<Response<P>, Status>,
    ) -> Result<P, Refusal> {
        let mut pause = FIRST_PAUSE;
        let (mut failures, mut owners) = (0, 0);
        loop {
            let mut timed = Request::new(request.clone());
            timed.set_timeout(DEADLINE);
            let made = tokio::time::timeout(DEADLINE, make(self.client.clone(), timed)).await;
            let status = match made {
                Ok(Ok(response)) => {
                    let response = response.into_inner();
                    owners += 1;
                    if owners < MOST_OWNERS
                        && let Some(context) = request.context()
                        && let Some(epoch) = response.highest_epoch(context.epoch)
                    {
                        context.epoch = epoch;
                        context.request_id = self.request_id();
                        continue;
                    }
                    return Ok(response);
                }
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("no answer in time"),
            };
            let passing = matches!(
                status.code(),
                Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
            );
            failures += 1;
            if !passing || failures >= ATTEMPTS {
                self.caller.metrics.sfu_call_failures.inc();
                tracing::warn!(address = %self.address, code = ?status.code(), "call to the SFU failed");
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

fn is_taken<P: Refusable>(changed: &Result<P, Refusal>) -> bool {
    let refused = changed.as_ref().ok().and_then(Refusable::refused);
    refused.is_some_and(|refused| refused.refusal() == sfu::Refusal::Taken)
}

/// A change that nobody waits for was refused.
fn not_done(room: &RoomId, refused: &sfu::Refused) {
    let refusal = refused.refusal();
    let gone = [sfu::Refusal::UnknownRoom, sfu::Refusal::UnknownParticipant];
    if refusal == sfu::Refusal::Taken {
        tracing::debug!(%room, "another session was faster");
    } else if gone.contains(&refusal) {
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
        // Where it means something it was looked at before.
        sfu::Refusal::Taken | sfu::Refusal::Malformed | sfu::Refusal::Unspecified => {
            tracing::error!(refused = text, "the SFU could not read a call");
            Refusal::new(Reason::Internal, "The server failed. It is logged.")
        }
    }
}

fn nothing_said() -> Refusal {
    tracing::error!("the SFU's response is empty");
    Refusal::new(Reason::Internal, "The server failed. It is logged.")
}
