//! The browser socket: requests with replies, and a record of every event.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use gryt_proto::client::v1::{
    self as wire, ClientFrame, Event, Reason, ServerFrame, client_frame, event, reply, server_frame,
};
use prost::Message as _;
use tokio::sync::Mutex as AsyncMutex;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::account::Site;
use crate::wait;
use crate::way::Connection;

/// The socket below the frames, for tests that send what no client would.
pub type Bare = WebSocketStream<Box<dyn Connection>>;

/// Opens a socket with these subprotocols and this origin.
///
/// # Errors
/// When the handshake is refused.
pub async fn connect(site: &Site, subprotocols: &str, origin: &str) -> Result<Bare> {
    let mut request = site.socket_url.as_str().into_client_request()?;
    let headers = request.headers_mut();
    headers.insert(
        header::SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_str(subprotocols)?,
    );
    headers.insert(header::ORIGIN, HeaderValue::from_str(origin)?);
    let connection = site.way().connect(&site.socket_url).await?;
    let (socket, response) = client_async(request, connection).await?;
    let selected = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
    let selected = selected.and_then(|value| value.to_str().ok());
    if selected != Some("gryt.v1") {
        bail!("the server selected {selected:?}");
    }
    Ok(socket)
}

/// Opens a socket as a page of the product does.
///
/// # Errors
/// When the handshake is refused.
pub async fn open_bare(site: &Site, access_token: &str) -> Result<Bare> {
    connect(
        site,
        &format!("gryt.v1, bearer.{access_token}"),
        site.origin(),
    )
    .await
}

/// Writes a frame.
///
/// # Errors
/// When the socket is closed.
pub async fn send(socket: &mut Bare, frame: &ClientFrame) -> Result<()> {
    Ok(socket.send(Message::binary(frame.encode_to_vec())).await?)
}

/// What comes next from the server.
#[derive(Debug)]
pub enum Incoming {
    /// A frame.
    Frame(Box<ServerFrame>),
    /// The end, with its close code.
    Closed(Option<u16>),
}

/// Reads the next frame, or the end.
///
/// # Errors
/// When nothing comes for [`wait::PATIENCE`], or what comes is no frame.
pub async fn next(socket: &mut Bare) -> Result<Incoming> {
    loop {
        let next = tokio::time::timeout(wait::PATIENCE, socket.next()).await;
        match next.context("the server is silent")? {
            Some(Ok(Message::Binary(bytes))) => {
                return Ok(Incoming::Frame(Box::new(ServerFrame::decode(bytes)?)));
            }
            Some(Ok(Message::Close(close))) => {
                return Ok(Incoming::Closed(close.as_ref().map(code)));
            }
            None | Some(Err(_)) => return Ok(Incoming::Closed(None)),
            Some(Ok(Message::Text(_) | Message::Frame(_))) => bail!("not a binary message"),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
        }
    }
}

fn code(close: &CloseFrame) -> u16 {
    close.code.into()
}

/// A refusal, as an error that tests can look into.
#[derive(Debug, Clone)]
pub struct Refused(pub wire::Refusal);

impl Refused {
    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason()
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.0.reason(), self.0.message)
    }
}

impl std::error::Error for Refused {}

/// A session that has said hello.
#[derive(Debug)]
pub struct Socket {
    outgoing: AsyncMutex<SplitSink<Bare, Message>>,
    record: Arc<Record>,
    last_request_id: AtomicU64,
    welcome: wire::Welcome,
}

/// What the server said since the welcome.
#[derive(Debug, Default)]
struct Record {
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    replies: HashMap<u64, reply::Result>,
    events: Vec<Event>,
    ended: Option<String>,
}

impl Record {
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Well below the server's interval, so that a busy machine is not taken for a dead client.
const PING_EVERY: Duration = Duration::from_secs(5);

impl Socket {
    /// Opens a session.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn open(site: &Site, access_token: &str) -> Result<Arc<Self>> {
        let bare = open_bare(site, access_token).await?;
        let (outgoing, incoming) = bare.split();
        let record = Arc::new(Record::default());
        tokio::spawn(read(incoming, Arc::clone(&record)));
        let mut socket = Self {
            outgoing: AsyncMutex::new(outgoing),
            record,
            last_request_id: AtomicU64::new(0),
            welcome: wire::Welcome::default(),
        };
        let hello = wire::Hello {
            protocol_version: 1,
            ..wire::Hello::default()
        };
        let reply = socket.request(client_frame::Request::Hello(hello)).await?;
        let reply::Result::Welcome(welcome) = reply else {
            bail!("no welcome: {reply:?}");
        };
        socket.welcome = welcome;
        let socket = Arc::new(socket);
        tokio::spawn(ping(Arc::downgrade(&socket)));
        Ok(socket)
    }

    /// The answer to the hello.
    #[must_use]
    pub fn welcome(&self) -> &wire::Welcome {
        &self.welcome
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// [`Refused`] when it is refused; otherwise when the session ended.
    pub async fn request(&self, request: client_frame::Request) -> Result<reply::Result> {
        let request_id = self.last_request_id.fetch_add(1, Ordering::Relaxed) + 1;
        let frame = ClientFrame {
            request_id,
            request: Some(request),
        };
        let message = Message::binary(frame.encode_to_vec());
        self.outgoing.lock().await.send(message).await?;
        let result = wait::until("a reply", || {
            let mut said = self.record.said();
            let reply = said.replies.remove(&request_id).map(Ok);
            reply.or_else(|| {
                said.ended
                    .clone()
                    .map(|end| Err(anyhow!("the session ended: {end}")))
            })
        })
        .await??;
        if let reply::Result::Refusal(refusal) = result {
            return Err(Refused(refusal).into());
        }
        Ok(result)
    }

    /// Sends a request whose reply is `Done`.
    ///
    /// # Errors
    /// As [`Self::request`], and for any other reply.
    pub async fn do_it(&self, request: client_frame::Request) -> Result<()> {
        let reply = self.request(request).await?;
        if reply != reply::Result::Done(wire::Done {}) {
            bail!("not done: {reply:?}");
        }
        Ok(())
    }

    /// How many events came so far: a mark to look back to.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.record.said().events.len()
    }

    /// The events since a mark for which `pick` has something.
    pub fn events_since<T>(
        &self,
        mark: usize,
        pick: impl Fn(&event::Event) -> Option<T>,
    ) -> Vec<T> {
        let said = self.record.said();
        said.events
            .iter()
            .skip(mark)
            .filter_map(|event| pick(event.event.as_ref()?))
            .collect()
    }

    /// Waits for the first event since a mark for which `pick` has something.
    ///
    /// # Errors
    /// When none comes.
    pub async fn event<T>(
        &self,
        what: &str,
        mark: usize,
        pick: impl Fn(&event::Event) -> Option<T>,
    ) -> Result<T> {
        wait::until(what, || self.events_since(mark, &pick).into_iter().next()).await
    }

    /// How the session ended, once it has.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        self.record.said().ended.clone()
    }
}

async fn read(mut incoming: SplitStream<Bare>, record: Arc<Record>) {
    let mut goodbye = None;
    while let Some(message) = incoming.next().await {
        let bytes = match message {
            Ok(Message::Binary(bytes)) => bytes,
            Ok(Message::Close(close)) => {
                goodbye = goodbye.or_else(|| Some(format!("closed: {close:?}")));
                continue;
            }
            Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                continue;
            }
            Err(error) => {
                goodbye = goodbye.or_else(|| Some(error.to_string()));
                break;
            }
        };
        match ServerFrame::decode(bytes).map(|frame| frame.frame) {
            Ok(Some(server_frame::Frame::Reply(wire::Reply {
                request_id,
                result: Some(result),
            }))) => {
                record.said().replies.insert(request_id, result);
            }
            Ok(Some(server_frame::Frame::Event(event))) => record.said().events.push(event),
            Ok(Some(server_frame::Frame::Goodbye(end))) => goodbye = Some(format!("{end:?}")),
            other => goodbye = goodbye.or_else(|| Some(format!("unreadable frame: {other:?}"))),
        }
    }
    record.said().ended = Some(goodbye.unwrap_or_else(|| "without a word".to_owned()));
}

async fn ping(socket: std::sync::Weak<Socket>) {
    loop {
        tokio::time::sleep(PING_EVERY).await;
        let Some(socket) = socket.upgrade() else {
            return;
        };
        if socket
            .do_it(client_frame::Request::Ping(wire::Ping {}))
            .await
            .is_err()
        {
            return;
        }
    }
}
