//! A scripted client: asks, waits for events, reads goodbyes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::event::Event;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::server_frame::Frame;
use gryt_proto::client::v1::{ChannelKind, Reason};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next_id: u64,
    /// Events that came while something else was awaited.
    events: VecDeque<wire::Event>,
    goodbye: Option<wire::Goodbye>,
    replies: Vec<u64>,
}

/// Why there is no socket.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) body: serde_json::Value,
}

/// Opens a socket with these subprotocols and this origin.
pub(crate) async fn handshake(
    world: &World,
    protocols: &str,
    origin: Option<&str>,
) -> Result<(Client, Response<()>), Refused> {
    handshake_at(world.address, protocols, origin).await
}

async fn handshake_at(
    address: SocketAddr,
    protocols: &str,
    origin: Option<&str>,
) -> Result<(Client, Response<()>), Refused> {
    let url = format!("ws://{address}/ws");
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, response)) => {
            let client = Client {
                socket,
                next_id: 0,
                events: VecDeque::new(),
                goodbye: None,
                replies: Vec::new(),
            };
            Ok((client, response.map(drop)))
        }
        Err(Error::Http(response)) => Err(Refused {
            status: response.status().as_u16(),
            body: serde_json::from_slice(response.body().as_deref().unwrap_or_default())
                .unwrap_or_default(),
        }),
        Err(error) => panic!("{error}"),
    }
}

impl Client {
    pub(crate) async fn with_token(world: &World, token: &str) -> Self {
        Self::at(world.address, token).await
    }

    /// Connects to whatever server is there.
    pub(crate) async fn at(address: SocketAddr, token: &str) -> Self {
        let protocols = format!("gryt.v1, bearer.{token}");
        let (client, _) = handshake_at(address, &protocols, None).await.unwrap();
        client
    }

    /// Connects and says hello as a new client.
    pub(crate) async fn enter(world: &World, name: &str) -> (Self, wire::Welcome) {
        Self::enter_again(world, name, None, "").await
    }

    /// Connects and says hello as one that was here before.
    pub(crate) async fn enter_again(
        world: &World,
        name: &str,
        resume: Option<wire::Cursor>,
        session_id: &str,
    ) -> (Self, wire::Welcome) {
        let mut client = Self::with_token(world, &world.token(name)).await;
        let welcome = client.hello(resume, session_id).await;
        (client, welcome)
    }

    pub(crate) async fn hello(
        &mut self,
        resume: Option<wire::Cursor>,
        session_id: &str,
    ) -> wire::Welcome {
        let hello = wire::Hello {
            protocol_version: 1,
            resume,
            session_id: session_id.to_owned(),
        };
        match self.ask(Request::Hello(hello)).await {
            Reply::Welcome(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a request and returns its reply.
    pub(crate) async fn ask(&mut self, request: Request) -> Reply {
        let id = self.send(request).await;
        self.reply(id).await
    }

    /// Asks what has to be refused.
    pub(crate) async fn refused(&mut self, request: Request) -> Reason {
        match self.ask(request).await {
            Reply::Refusal(refusal) => refusal.reason(),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Asks what has to be done.
    pub(crate) async fn done(&mut self, request: Request) {
        assert_eq!(self.ask(request).await, Reply::Done(wire::Done {}));
    }

    pub(crate) async fn send(&mut self, request: Request) -> u64 {
        self.next_id += 1;
        let frame = wire::ClientFrame {
            request_id: self.next_id,
            request: Some(request),
        };
        self.send_raw(Message::Binary(frame.encode_to_vec().into()))
            .await;
        self.next_id
    }

    pub(crate) async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub(crate) async fn reply(&mut self, id: u64) -> Reply {
        loop {
            match self.frame().await {
                Some(Frame::Reply(reply)) => {
                    assert!(!self.replies.contains(&reply.request_id), "replied twice");
                    self.replies.push(reply.request_id);
                    assert_eq!(reply.request_id, id, "the reply of another request");
                    return reply.result.unwrap();
                }
                Some(Frame::Event(event)) => self.events.push_back(event),
                other => panic!("no reply but {other:?}"),
            }
        }
    }

    /// The next event that `pick` wants. Those before it are passed over.
    pub(crate) async fn event<T>(&mut self, pick: impl Fn(&Event) -> Option<T>) -> T {
        loop {
            let event = self.any_event().await;
            if let Some(picked) = pick(event.event.as_ref().unwrap()) {
                return picked;
            }
        }
    }

    /// The next event.
    pub(crate) async fn any_event(&mut self) -> wire::Event {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        match self.frame().await {
            Some(Frame::Event(event)) => event,
            other => panic!("no event but {other:?}"),
        }
    }

    /// The next message that was created, edited or deleted is not filtered: ids of durable events.
    pub(crate) async fn durable_event(&mut self) -> wire::Event {
        loop {
            let event = self.any_event().await;
            if event.event_id != 0 {
                return event;
            }
        }
    }

    /// Reads to the end and returns the reason of the goodbye and the close code.
    pub(crate) async fn end(&mut self) -> (Reason, u16) {
        while self.frame().await.is_some() {}
        let goodbye = self.goodbye.take().expect("a goodbye");
        let code = match self.message().await {
            Some(Message::Close(Some(close))) => close.code.into(),
            other => panic!("no close but {other:?}"),
        };
        (goodbye.reason(), code)
    }

    /// The reason of the goodbye that was read.
    pub(crate) fn end_reason(&self) -> Reason {
        self.goodbye.as_ref().expect("a goodbye").reason()
    }

    pub(crate) async fn close(mut self) {
        self.socket.close(None).await.unwrap();
    }

    /// The next frame; none after the goodbye.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        match self.message().await {
            Some(Message::Binary(bytes)) => {
                let frame = wire::ServerFrame::decode(bytes.as_ref()).unwrap();
                match frame.frame.unwrap() {
                    Frame::Goodbye(goodbye) => {
                        self.goodbye = Some(goodbye);
                        None
                    }
                    frame => Some(frame),
                }
            }
            other => panic!("no frame but {other:?}"),
        }
    }

    async fn message(&mut self) -> Option<Message> {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
        message.expect("nothing came").map(Result::unwrap)
    }
}

/// The id of the channel that every new server has of this kind.
pub(crate) fn channel(welcome: &wire::Welcome, kind: ChannelKind) -> String {
    let channels = &welcome.snapshot.as_ref().unwrap().channels;
    let found = channels.iter().find(|channel| channel.kind() == kind);
    found.unwrap().channel_id.clone()
}

pub(crate) fn message(channel: &str, text: &str, nonce: &str) -> Request {
    Request::SendMessage(wire::SendMessage {
        channel_id: channel.to_owned(),
        text: text.to_owned(),
        nonce: nonce.to_owned(),
        attachments: Vec::new(),
    })
}

pub(crate) fn page(channel: &str) -> Request {
    Request::FetchMessages(wire::FetchMessages {
        channel_id: channel.to_owned(),
        before_message_id: 0,
        limit: 100,
    })
}

pub(crate) fn ping() -> Request {
    Request::Ping(wire::Ping {})
}

pub(crate) fn me(welcome: &wire::Welcome) -> String {
    welcome.me.as_ref().unwrap().member_id.clone()
}
