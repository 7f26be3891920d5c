//! One socket from its first frame to its last. Requests are answered one after the other, each
//! with exactly one reply.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use gryt_model::{SessionId, UserId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::reply;
use gryt_proto::client::v1::server_frame::Frame;
use prost::Message as _;
use tracing::Instrument as _;

use super::outbox::{Bounds, Farewell, Outbox};
use super::rate::Bucket;
use super::sockets::Place;
use super::writer;
use crate::auth::Claims;
use crate::metrics::RequestKind;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::{clock, entropy};

/// Whether a socket may stay.
pub(super) enum Admission {
    Admitted {
        claims: Claims,
        place: Place<UserId>,
    },
    Refused(Farewell),
}

/// The reading side of a socket.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) shared: Arc<Shared>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) claims: Claims,
    /// Whether `Hello` let it into the fan-out. Without a `Welcome` then, it ends.
    pub(super) greeted: bool,
    /// What is to be replayed once `Welcome` is out.
    pub(super) replay_after: Option<gryt_bus::Cursor>,
    pub(super) token_ends_at: Instant,
    began_at: Instant,
    heard_at: Instant,
    requests: Bucket,
}

/// Slack for a ping that is on its way.
const PING_SLACK: Duration = Duration::from_secs(1);

/// How long a client may take to end after it was told to.
const LINGER: Duration = Duration::from_secs(1);

/// When the server stops.
const GOING_AWAY: Farewell = Farewell {
    reason: Reason::GoingAway,
    message: "The server is going away.",
};

/// Serves a socket until it ends.
pub(super) async fn run(socket: WebSocket, shared: Arc<Shared>, admission: Admission) {
    let limits = &shared.limits;
    let outbox = Arc::new(Outbox::new(Bounds {
        frames: limits.outbox_frames,
        bytes: limits.outbox_bytes,
    }));
    let (sink, stream) = socket.split();
    let writing = writer::write(sink, &outbox, limits.write_timeout, &shared.metrics);
    match admission {
        Admission::Refused(farewell) => {
            outbox.end(farewell);
            writing.await;
        }
        Admission::Admitted { claims, place } => {
            let session = Session::new(Arc::clone(&shared), Arc::clone(&outbox), claims);
            let ((), unread) = tokio::join!(writing, session.read(stream));
            drop(place);
            linger(unread).await;
        }
    }
}

/// Reads on until the client ends, too: a socket that is closed with unread frames is reset, and what
/// was said last is lost with it (RFC 9112 section 9.6).
async fn linger(mut unread: SplitStream<WebSocket>) {
    let to_the_end = async { while let Some(Ok(_)) = unread.next().await {} };
    // Longer is for clients that never end.
    let _ = tokio::time::timeout(LINGER, to_the_end).await;
}

impl Session {
    fn new(shared: Arc<Shared>, outbox: Arc<Outbox>, claims: Claims) -> Self {
        let now = clock::now();
        let limits = &shared.limits;
        Self {
            id: SessionId::from_random(entropy::bits()),
            requests: Bucket::new(limits.requests_per_second, limits.request_burst, now),
            token_ends_at: ends_at(claims.expires_at),
            shared,
            outbox,
            claims,
            greeted: false,
            replay_after: None,
            began_at: now,
            heard_at: now,
        }
    }

    async fn read(mut self, mut frames: SplitStream<WebSocket>) -> SplitStream<WebSocket> {
        let outbox = Arc::clone(&self.outbox);
        let stopping = self.shared.stopping.clone();
        loop {
            let (due, farewell) = self.deadline();
            tokio::select! {
                biased;
                () = outbox.ended() => break,
                () = stopping.cancelled() => outbox.end(GOING_AWAY),
                () = tokio::time::sleep_until(due.into()) => outbox.end(farewell),
                frame = frames.next() => match frame {
                    Some(Ok(Message::Binary(frame))) => {
                        let (due, farewell) = self.latest_end();
                        // What takes long, such as a slow SFU, must not keep the socket.
                        tokio::select! {
                            biased;
                            () = outbox.ended() => {}
                            () = stopping.cancelled() => outbox.end(GOING_AWAY),
                            () = tokio::time::sleep_until(due.into()) => outbox.end(farewell),
                            () = self.receive(&frame) => {}
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(_))) => outbox.end(malformed("Frames are binary.")),
                    // A connection that broke off comes as an error, too: its goodbye is lost.
                    Some(Err(_)) => outbox.end(malformed("The frame could not be read.")),
                    Some(Ok(Message::Close(_))) | None => outbox.hang_up(),
                },
            }
        }
        if self.greeted {
            self.shared.live.leave(&self.id);
            self.shared.voice.session_lost(self.id).await;
        }
        frames
    }

    /// The next time at which the session ends by itself, and why.
    fn deadline(&self) -> (Instant, Farewell) {
        let limits = &self.shared.limits;
        let silent = Farewell {
            reason: Reason::GoingAway,
            message: "The client went silent.",
        };
        let idle = if self.greeted {
            self.heard_at + limits.ping_interval * 2 + PING_SLACK
        } else {
            self.began_at + limits.hello_timeout
        };
        let latest = self.latest_end();
        if idle < latest.0 {
            (idle, silent)
        } else {
            latest
        }
    }

    /// The time at which the session ends whatever its client does, and why.
    fn latest_end(&self) -> (Instant, Farewell) {
        let old_at = self.began_at + self.shared.limits.session_timeout;
        if self.token_ends_at <= old_at {
            let expired = Farewell {
                reason: Reason::TokenExpired,
                message: "The token has run out.",
            };
            (self.token_ends_at, expired)
        } else {
            let old = Farewell {
                reason: Reason::GoingAway,
                message: "The session is as old as it may get. Resume.",
            };
            (old_at, old)
        }
    }

    async fn receive(&mut self, frame: &Bytes) {
        let now = clock::now();
        self.heard_at = now;
        if frame.len() > self.shared.limits.frame_bytes {
            self.outbox.end(Farewell {
                reason: Reason::TooLarge,
                message: "The frame is too large.",
            });
            return;
        }
        let Ok(frame) = wire::ClientFrame::decode(frame.as_ref()) else {
            self.outbox.end(malformed("The frame could not be read."));
            return;
        };
        let wire::ClientFrame {
            request_id,
            request,
        } = frame;
        let kind = RequestKind::from(request.as_ref());
        let was_greeted = self.greeted;
        let outcome = match self.requests.take(now) {
            Err(retry_after) => Err(Refusal::rate_limited(retry_after)),
            Ok(()) if request_id == 0 => Err(Refusal::malformed("A request has an id above 0.")),
            Ok(()) => match request {
                Some(request) => {
                    let span = tracing::info_span!("request", request_id, ?kind);
                    Box::pin(self.answer(request)).instrument(span).await
                }
                None => Err(Refusal::malformed("The request is of no known kind.")),
            },
        };
        let refused = outcome.as_ref().err().map(|refusal| refusal.reason);
        let result = outcome.unwrap_or_else(|refusal| reply::Result::Refusal(refusal.into_wire()));
        self.reply(request_id, result);
        let took = clock::now().saturating_duration_since(now);
        self.shared.metrics.answered(kind, refused, took);
        if refused == Some(Reason::ClientTooOld) {
            self.outbox.end(Farewell {
                reason: Reason::ClientTooOld,
                message: "Please reload.",
            });
        }
        if refused.is_some() && self.greeted != was_greeted {
            self.outbox.end(Farewell {
                reason: Reason::GoingAway,
                message: "The session could not be begun. Try again.",
            });
        }
        self.replay().await;
    }

    fn reply(&self, request_id: u64, result: reply::Result) {
        let frame = wire::ServerFrame {
            frame: Some(Frame::Reply(wire::Reply {
                request_id,
                result: Some(result),
            })),
        };
        self.outbox.push(frame.encode_to_vec().into());
    }
}

/// When a token that ends at this time of the wall clock ends on the monotonic one.
pub(super) fn ends_at(expires_at: SystemTime) -> Instant {
    let left = expires_at.duration_since(clock::wall()).unwrap_or_default();
    // Far enough to be never; an `Instant` cannot hold what a hostile issuer may say.
    clock::now() + left.min(Duration::from_hours(24 * 365))
}

fn malformed(message: &'static str) -> Farewell {
    Farewell {
        reason: Reason::Malformed,
        message,
    }
}
