//! A person who chats: holds a socket at one process of the server, goes on at the next one when it
//! is lost, and keeps a record of all they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
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
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long anything may take that does come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
const TRY_AGAIN: Duration = Duration::from_millis(100);

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Asked = (Request, oneshot::Sender<Reply>);

pub(crate) struct Chatter {
    pub(crate) name: String,
    record: Arc<Mutex<Record>>,
    asks: mpsc::Sender<Asked>,
    living: JoinHandle<()>,
}

/// What a person was told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Record {
    pub(crate) member_id: String,
    pub(crate) channel_id: String,
    /// How often a socket was greeted, and how often that was with a snapshot.
    pub(crate) greetings: usize,
    pub(crate) snapshots: usize,
    /// Every durable event since the last snapshot by id: the message that it told of, if any.
    pub(crate) events: BTreeMap<u64, Option<u64>>,
    /// Events that were lost or came twice.
    pub(crate) faults: Vec<String>,
    pub(crate) online: BTreeSet<String>,
    pub(crate) cursor: Option<wire::Cursor>,
    pub(crate) session_id: String,
}

impl Chatter {
    pub(crate) async fn enter(name: &str, token: String, addresses: Vec<SocketAddr>) -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        let (asks, asked) = mpsc::channel(16);
        let life = Life {
            token,
            addresses,
            record: Arc::clone(&record),
            asked,
            next_id: 0,
        };
        let chatter = Self {
            name: name.to_owned(),
            record,
            asks,
            living: tokio::spawn(life.live()),
        };
        chatter
            .until("a greeting", |record| record.greetings > 0)
            .await;
        chatter
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    /// Waits until the record is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Record) -> bool) {
        let waiting = async {
            while !is_so(&self.record()) {
                assert!(!self.living.is_finished(), "{} died", self.name);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            panic!(
                "{} waited in vain for {what}: {:?}",
                self.name,
                self.record()
            );
        }
    }

    /// Says something, as often as it takes until it is acknowledged, and returns the message's id.
    pub(crate) async fn say(&self, text: &str) -> u64 {
        let channel_id = self.record().channel_id.clone();
        let saying = async {
            loop {
                let request = Request::SendMessage(wire::SendMessage {
                    channel_id: channel_id.clone(),
                    text: text.to_owned(),
                    nonce: text.replace(' ', "-"),
                    attachments: Vec::new(),
                });
                match self.try_ask(request).await {
                    Some(Reply::SentMessage(sent)) => return sent.message.unwrap().message_id,
                    Some(Reply::Refusal(refusal)) => {
                        let passing =
                            [Reason::Internal, Reason::RateLimited, Reason::HelloRequired];
                        assert!(passing.contains(&refusal.reason()), "{refusal:?}");
                    }
                    Some(other) => panic!("{other:?}"),
                    None => {}
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        };
        let said = tokio::time::timeout(PATIENCE, saying).await;
        said.unwrap_or_else(|_| panic!("{} could not say {text}", self.name))
    }

    /// The channel's whole history, oldest first: ids and texts.
    pub(crate) async fn history(&self) -> Vec<(u64, String)> {
        let reading = tokio::time::timeout(PATIENCE, self.read_history());
        reading.await.expect("no history")
    }

    async fn read_history(&self) -> Vec<(u64, String)> {
        let mut history = Vec::new();
        let mut before = 0;
        loop {
            let request = Request::FetchMessages(wire::FetchMessages {
                channel_id: self.record().channel_id.clone(),
                before_message_id: before,
                limit: 100,
            });
            let Some(Reply::MessagePage(page)) = self.try_ask(request).await else {
                tokio::time::sleep(TRY_AGAIN).await;
                continue;
            };
            let piece = page.messages.iter();
            history.splice(0..0, piece.map(|m| (m.message_id, m.text.clone())));
            before = page.messages.first().map_or(0, |first| first.message_id);
            if !page.has_more {
                return history;
            }
        }
    }

    /// The reply, unless the socket was lost before it came.
    pub(crate) async fn try_ask(&self, request: Request) -> Option<Reply> {
        let (answer, answered) = oneshot::channel();
        self.asks.send((request, answer)).await.ok()?;
        answered.await.ok()
    }
}

impl Drop for Chatter {
    fn drop(&mut self) {
        self.living.abort();
    }
}

/// Opens a socket at a process; `None` if it is not there.
pub(crate) async fn connect(address: SocketAddr, token: &str) -> Option<Socket> {
    let url = format!("ws://{address}/ws");
    let mut request = url.into_client_request().unwrap();
    let protocols = format!("gryt.v1, bearer.{token}");
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
    let connecting = tokio::time::timeout(Duration::from_secs(10), connect_async(request));
    let (socket, _) = connecting.await.ok()?.ok()?;
    Some(socket)
}

/// The task behind a [`Chatter`].
struct Life {
    token: String,
    /// The one to go to first.
    addresses: Vec<SocketAddr>,
    record: Arc<Mutex<Record>>,
    asked: mpsc::Receiver<Asked>,
    next_id: u64,
}

impl Life {
    async fn live(mut self) {
        loop {
            if let Some(socket) = connect(self.addresses[0], &self.token).await {
                self.converse(socket).await;
            }
            self.addresses.rotate_left(1);
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    /// Until the socket is lost.
    async fn converse(&mut self, mut socket: Socket) {
        let hello = {
            let record = self.record.lock().unwrap();
            wire::Hello {
                protocol_version: 1,
                resume: record.cursor.clone(),
                session_id: record.session_id.clone(),
            }
        };
        let mut waiting: BTreeMap<u64, oneshot::Sender<Reply>> = BTreeMap::new();
        if self
            .send(&mut socket, Request::Hello(hello))
            .await
            .is_none()
        {
            return;
        }
        let mut is_greeted = false;
        let mut pings = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                message = socket.next() => {
                    let Some(Ok(Message::Binary(bytes))) = message else { return };
                    let frame = wire::ServerFrame::decode(bytes.as_ref()).unwrap();
                    match frame.frame.unwrap() {
                        Frame::Event(event) => self.record.lock().unwrap().note(event),
                        Frame::Goodbye(_) => return,
                        Frame::Reply(reply) => match reply.result.unwrap() {
                            Reply::Welcome(welcome) => {
                                self.record.lock().unwrap().greet(&welcome);
                                is_greeted = true;
                            }
                            // To Hello: the server cannot greet anybody yet.
                            Reply::Refusal(_) if !is_greeted => return,
                            result => {
                                if let Some(asked) = waiting.remove(&reply.request_id) {
                                    let _ = asked.send(result);
                                }
                            }
                        },
                    }
                }
                Some((request, answer)) = self.asked.recv(), if is_greeted => {
                    let Some(id) = self.send(&mut socket, request).await else { return };
                    waiting.insert(id, answer);
                }
                _ = pings.tick(), if is_greeted => {
                    let ping = Request::Ping(wire::Ping {});
                    if self.send(&mut socket, ping).await.is_none() { return }
                }
            }
        }
    }

    async fn send(&mut self, socket: &mut Socket, request: Request) -> Option<u64> {
        self.next_id += 1;
        let frame = wire::ClientFrame {
            request_id: self.next_id,
            request: Some(request),
        };
        let message = Message::Binary(frame.encode_to_vec().into());
        socket.send(message).await.ok()?;
        Some(self.next_id)
    }
}

impl Record {
    fn greet(&mut self, welcome: &wire::Welcome) {
        self.greetings += 1;
        self.member_id = welcome.me.as_ref().unwrap().member_id.clone();
        self.session_id.clone_from(&welcome.session_id);
        let live = welcome.live.as_ref().unwrap();
        self.online = live.online_member_ids.iter().cloned().collect();
        let cursor = welcome.cursor.clone().unwrap();
        if let Some(snapshot) = &welcome.snapshot {
            let mut channels = snapshot.channels.iter();
            let text = channels.find(|channel| channel.kind() == ChannelKind::Text);
            self.channel_id = text.unwrap().channel_id.clone();
            self.snapshots += 1;
            self.events.clear();
        } else if self.cursor.as_ref() != Some(&cursor) {
            self.faults
                .push(format!("resumed at {cursor:?}, not at {:?}", self.cursor));
        }
        self.cursor = Some(cursor);
    }

    fn note(&mut self, event: wire::Event) {
        let message = match event.event {
            Some(Event::PresenceChanged(change)) if change.online => {
                self.online.insert(change.member_id);
                None
            }
            Some(Event::PresenceChanged(change)) => {
                self.online.remove(&change.member_id);
                None
            }
            Some(Event::MessageCreated(message)) => Some(message.message_id),
            _ => None,
        };
        if event.event_id == 0 {
            return;
        }
        let cursor = self.cursor.as_mut().unwrap();
        if event.event_id != cursor.event_id + 1 {
            let (came, last) = (event.event_id, cursor.event_id);
            self.faults.push(format!("event {came} came after {last}"));
        }
        cursor.event_id = event.event_id;
        self.events.insert(event.event_id, message);
    }
}
