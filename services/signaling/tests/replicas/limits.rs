//! Limits over several processes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::server_frame::Frame;
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

use crate::chatter::{PATIENCE, Socket, connect};
use crate::replica::Replica;
use crate::server::Server;

/// Sockets of one person, as the product has it.
const MOST: usize = 16;

/// A greeted socket; `None` if the process says that there are too many.
async fn greeted(replica: &Replica, token: &str) -> Option<Socket> {
    let mut socket = connect(replica.address, token).await?;
    let hello = wire::Hello {
        protocol_version: 1,
        ..wire::Hello::default()
    };
    let frame = wire::ClientFrame {
        request_id: 1,
        request: Some(Request::Hello(hello)),
    };
    let hello = Message::Binary(frame.encode_to_vec().into());
    socket.send(hello).await.ok()?;
    while let Some(Ok(Message::Binary(bytes))) = socket.next().await {
        let frame = wire::ServerFrame::decode(bytes.as_ref()).unwrap();
        match frame.frame.unwrap() {
            Frame::Reply(reply) => {
                assert!(matches!(reply.result, Some(Reply::Welcome(_))), "{reply:?}");
                return Some(socket);
            }
            Frame::Goodbye(goodbye) => {
                assert_eq!(goodbye.reason(), wire::Reason::RateLimited);
                return None;
            }
            Frame::Event(_) => {}
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_of_one_person_are_counted_over_all_processes() {
    let server = Server::ready().await;
    let [mut a, b] = server.replicas().await;
    let token = server.issuer.token("ada", server.id.as_str());
    let mut at_a = Vec::new();
    let mut at_b = Vec::new();
    for _ in 0..MOST / 2 {
        at_a.push(greeted(&a, &token).await.expect("below the limit"));
        at_b.push(greeted(&b, &token).await.expect("below the limit"));
    }

    refused_in_the_end(&a, &token).await;
    refused_in_the_end(&b, &token).await;
    let other = server.issuer.token("bob", server.id.as_str());
    assert!(greeted(&b, &other).await.is_some(), "somebody else");

    at_a.pop();
    at_b.push(greeted_in_the_end(&b, &token).await);
    // What a process that died had is free again when its lease is over.
    a.kill();
    for _ in &at_a {
        at_b.push(greeted_in_the_end(&b, &token).await);
    }
}

/// One too many is refused, unless Redis takes its time: then the process counts its own sockets alone,
/// which a busy machine may see.
async fn refused_in_the_end(replica: &Replica, token: &str) {
    let trying = async {
        while greeted(replica, token).await.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let refused = tokio::time::timeout(PATIENCE, trying);
    refused.await.expect("one too many is never refused");
}

async fn greeted_in_the_end(replica: &Replica, token: &str) -> Socket {
    let trying = async {
        loop {
            if let Some(socket) = greeted(replica, token).await {
                return socket;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let greeted = tokio::time::timeout(PATIENCE, trying);
    greeted.await.expect("the place is never free")
}
