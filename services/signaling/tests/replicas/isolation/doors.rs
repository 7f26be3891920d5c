//! With the ids of one server at the doors of the other.

use futures_util::{SinkExt as _, StreamExt as _};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::server_frame::Frame;
use prost::Message as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Neighbor, neighbors};
use crate::chatter::connect;

impl Neighbor {
    fn token(&self) -> String {
        let server = &self.server;
        server.issuer.token(&self.owner.name, server.id.as_str())
    }

    /// Asks over REST. Returns the status and the body.
    async fn rest(&self, token: &str, method: Method, path: &str) -> (StatusCode, Value) {
        let url = format!("http://{}/api/v1/{path}", self.replica.address);
        let mut request = reqwest::Client::new().request(method.clone(), url);
        match method {
            Method::POST => request = request.json(&json!({ "text": "hers", "nonce": "n" })),
            Method::PATCH => request = request.json(&json!({ "text": "hers" })),
            _ => {}
        }
        let answer = request.bearer_auth(token).send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap_or_default())
    }

    /// Says hello with a token and where to go on, and returns the first frame.
    async fn hello(&self, token: &str, hello: wire::Hello) -> Frame {
        let mut socket = connect(self.replica.address, token).await.unwrap();
        let frame = wire::ClientFrame {
            request_id: 1,
            request: Some(Request::Hello(hello)),
        };
        let frame = Message::Binary(frame.encode_to_vec().into());
        // Whoever is not let in may be told so before.
        let _ = socket.send(frame).await;
        let Some(Ok(Message::Binary(bytes))) = socket.next().await else {
            panic!("nothing is told");
        };
        let frame = wire::ServerFrame::decode(bytes.as_ref()).unwrap();
        frame.frame.unwrap()
    }
}

/// Everything that names a channel, at a message of it.
fn about_channel(channel_id: &str, message_id: u64) -> Vec<Request> {
    let channel_id = channel_id.to_owned();
    vec![
        Request::SendMessage(wire::SendMessage {
            channel_id: channel_id.clone(),
            text: "hers".to_owned(),
            nonce: "n".to_owned(),
            attachments: Vec::new(),
        }),
        Request::EditMessage(wire::EditMessage {
            channel_id: channel_id.clone(),
            message_id,
            text: "hers".to_owned(),
        }),
        Request::DeleteMessage(wire::DeleteMessage {
            channel_id: channel_id.clone(),
            message_id,
        }),
        Request::FetchMessages(wire::FetchMessages {
            channel_id: channel_id.clone(),
            before_message_id: 0,
            limit: 10,
        }),
        Request::JoinVoice(wire::JoinVoice {
            channel_id: channel_id.clone(),
            ..wire::JoinVoice::default()
        }),
        Request::AnswerOffer(wire::AnswerOffer {
            channel_id: channel_id.clone(),
            revision: 1,
            sdp: "v=0".to_owned(),
        }),
        Request::UpdateChannel(wire::UpdateChannel {
            channel_id: channel_id.clone(),
            name: Some("mine".to_owned()),
            audible_limit: None,
        }),
        Request::DeleteChannel(wire::DeleteChannel { channel_id }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_id_of_one_server_is_unknown_to_another() {
    let (a, b) = neighbors().await;
    let ada = a.owner.record().clone();
    let bob = b.owner.record().clone();
    let (status, channels) = a.rest(&a.token(), Method::GET, "channels").await;
    assert_eq!(status, StatusCode::OK);
    let channels = channels["channels"].as_array().unwrap().clone();
    assert!(channels.len() >= 2, "{channels:?}");
    let message_id = *ada.events.values().flatten().next().unwrap();

    // By the socket, as the owner of the other server, who may do everything there.
    for channel in &channels {
        let id = channel["channel_id"].as_str().expect("an id");
        for request in about_channel(id, message_id) {
            let what = format!("{request:?}");
            let Some(Reply::Refusal(refusal)) = b.owner.try_ask(request).await else {
                panic!("{what} is not refused");
            };
            let known = [
                Reason::UnknownChannel,
                Reason::UnknownMessage,
                Reason::NotInRoom,
            ];
            assert!(known.contains(&refusal.reason()), "{what}: {refusal:?}");
        }
    }
    let mute = Request::MuteMember(wire::MuteMember {
        member_id: ada.member_id.clone(),
        muted: true,
    });
    let Some(Reply::Refusal(refusal)) = b.owner.try_ask(mute).await else {
        panic!("muted");
    };
    assert_eq!(refusal.reason(), Reason::UnknownMember);

    // By REST, with the right token and with the other server's.
    for channel in &channels {
        let id = channel["channel_id"].as_str().expect("an id");
        let messages = format!("channels/{id}/messages");
        let message = format!("{messages}/{message_id}");
        for (method, path) in [
            (Method::GET, &messages),
            (Method::POST, &messages),
            (Method::PATCH, &message),
            (Method::DELETE, &message),
        ] {
            let (status, body) = b.rest(&b.token(), method.clone(), path).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}: {body}");
            let (status, body) = b.rest(&a.token(), method.clone(), path).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path}: {body}");
        }
    }
    for path in ["channels", "members"] {
        let (status, _) = b.rest(&a.token(), Method::GET, path).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        let (_, body) = b.rest(&b.token(), Method::GET, path).await;
        assert!(!body.to_string().contains(&ada.member_id), "{body}");
    }

    // Her token opens nothing, and her session and her place in the log are nobody's.
    let resume = wire::Hello {
        protocol_version: 1,
        resume: ada.cursor.clone(),
        session_id: ada.session_id.clone(),
    };
    let Frame::Goodbye(goodbye) = b.hello(&a.token(), resume.clone()).await else {
        panic!("let in");
    };
    assert_eq!(goodbye.reason(), Reason::Unauthenticated);
    let Frame::Reply(reply) = b.hello(&b.token(), resume).await else {
        panic!("no reply");
    };
    let Some(Reply::Welcome(welcome)) = reply.result else {
        panic!("{:?}", reply.result);
    };
    assert!(!welcome.resumed && welcome.snapshot.is_some());
    assert_ne!(welcome.session_id, ada.session_id);
    let live = welcome.live.unwrap();
    assert_eq!(live.online_member_ids, [bob.member_id]);
    assert!(live.participants.is_empty());

    b.is_undisturbed().await;
    a.is_undisturbed().await;
}
