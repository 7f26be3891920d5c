//! Drains an outbox into a socket.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::server_frame::Frame;
use prost::Message as _;

use super::outbox::{Farewell, Outbox, Outgoing, SLOW};
use crate::metrics::Metrics;

/// Close codes 4000 to 4999 are the application's (RFC 6455 section 7.4.2).
const CLOSE_CODES: u16 = 4000;

/// Runs until the farewell is said or the socket takes nothing any more.
pub(super) async fn write(
    mut socket: SplitSink<WebSocket, Message>,
    outbox: &Outbox,
    timeout: Duration,
    metrics: &Metrics,
) {
    loop {
        match outbox.next().await {
            Outgoing::Frame(frame) => {
                let sent = tokio::time::timeout(timeout, socket.send(Message::Binary(frame)));
                if !matches!(sent.await, Ok(Ok(()))) {
                    outbox.end(SLOW);
                    return;
                }
            }
            Outgoing::Farewell(farewell) => {
                // The last words to a client that may be gone.
                let said = tokio::time::timeout(timeout, say(&mut socket, farewell)).await;
                if matches!(said, Ok(Ok(()))) {
                    metrics.goodbye(farewell.reason);
                }
                return;
            }
            Outgoing::Hangup => return,
        }
    }
}

async fn say(
    socket: &mut SplitSink<WebSocket, Message>,
    farewell: Farewell,
) -> Result<(), axum::Error> {
    socket.send(Message::Binary(goodbye(farewell))).await?;
    let number = u16::try_from(i32::from(farewell.reason)).unwrap_or_default();
    let close = CloseFrame {
        code: CLOSE_CODES + number,
        reason: crate::refusal::code(farewell.reason).into(),
    };
    socket.send(Message::Close(Some(close))).await
}

fn goodbye(farewell: Farewell) -> Bytes {
    let goodbye = wire::Goodbye {
        reason: farewell.reason.into(),
        message: farewell.message.to_owned(),
    };
    let frame = wire::ServerFrame {
        frame: Some(Frame::Goodbye(goodbye)),
    };
    frame.encode_to_vec().into()
}
