//! Short visits of people who are not of the crowd: to see who is let in, to read the history, and
//! to make rooms.

use std::time::Duration;

use anyhow::{Result, bail};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::server_frame::Frame;
use gryt_proto::client::v1::{ChannelKind, ClientFrame, Reason};
use gryt_tests::account::Site;
use gryt_tests::clock;
use gryt_tests::evidence::{Key, Written};
use gryt_tests::socket::{Bare, Incoming, next, open_bare, send};
use gryt_tests::wait::PATIENCE;

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    LetIn,
    Refused(Reason),
}

/// A greeted visitor. Leaves when dropped.
struct Visitor {
    socket: Bare,
    welcome: wire::Welcome,
    last_id: u64,
}

/// Tries to sign in by this token.
///
/// # Errors
/// When nobody answers.
pub(crate) async fn enter(site: &Site, token: &str) -> Result<Entrance> {
    Ok(match Visitor::greet(site, token).await? {
        Ok(_) => Entrance::LetIn,
        Err(reason) => Entrance::Refused(reason),
    })
}

/// Reads the channel's messages that are newer than `after`, oldest first, `None` for the newest
/// alone.
///
/// # Errors
/// When the server does not tell them.
pub(crate) async fn history(
    site: &Site,
    token: &str,
    channel_id: &str,
    after: Option<u64>,
) -> Result<Vec<Written>> {
    let deadline = clock::now() + PATIENCE;
    let mut visitor = loop {
        match Visitor::greet(site, token).await {
            Ok(Ok(visitor)) => break visitor,
            other if clock::now() > deadline => {
                bail!("cannot read the history: {:?}", other.map(Result::err))
            }
            _ => tokio::time::sleep(TRY_AGAIN).await,
        }
    };
    let mut history = Vec::new();
    let mut before_message_id = 0;
    loop {
        let request = Request::FetchMessages(wire::FetchMessages {
            channel_id: channel_id.to_owned(),
            before_message_id,
            limit: after.map_or(1, |_| 100),
        });
        let reply = visitor.ask(request).await?;
        if let Reply::Refusal(refusal) = &reply
            && clock::now() < deadline
        {
            let wait = Duration::from_millis(refusal.retry_after_ms.into());
            tokio::time::sleep(wait.max(TRY_AGAIN)).await;
            continue;
        }
        let Reply::MessagePage(page) = reply else {
            bail!("no page of the history: {reply:?}");
        };
        let is_new = |message: &&wire::Message| after.is_none_or(|id| message.message_id > id);
        let written = |message: &wire::Message| Written {
            message_id: message.message_id,
            key: Key::read(&message.text),
        };
        history.splice(0..0, page.messages.iter().filter(is_new).map(written));
        before_message_id = page.messages.first().map_or(0, |first| first.message_id);
        let goes_on = after.is_some_and(|id| before_message_id > id);
        if !(page.has_more && goes_on) {
            return Ok(history);
        }
    }
}

/// Makes voice channels until there are so many, and returns all channels. The first one to come owns
/// a server, and may do so.
///
/// # Errors
/// When the server refuses.
pub(crate) async fn furnish(site: &Site, token: &str, rooms: u32) -> Result<Vec<wire::Channel>> {
    let mut owner = match Visitor::greet(site, token).await? {
        Ok(owner) => owner,
        Err(reason) => bail!("the owner is not let in: {reason:?}"),
    };
    let mut channels = owner.welcome.snapshot.take().unwrap_or_default().channels;
    let is_room = |channel: &&wire::Channel| channel.kind() == ChannelKind::Voice;
    for number in channels.iter().filter(is_room).count()..usize::try_from(rooms)? {
        let mut create = wire::CreateChannel {
            name: format!("Room {number}"),
            ..wire::CreateChannel::default()
        };
        create.set_kind(ChannelKind::Voice);
        let reply = owner.ask(Request::CreateChannel(create)).await?;
        let Reply::Channel(channel) = reply else {
            bail!("no channel: {reply:?}");
        };
        channels.push(channel);
    }
    Ok(channels)
}

const TRY_AGAIN: Duration = Duration::from_millis(300);

impl Visitor {
    async fn greet(site: &Site, token: &str) -> Result<Result<Self, Reason>> {
        let mut visitor = Self {
            socket: open_bare(site, token).await?,
            welcome: wire::Welcome::default(),
            last_id: 0,
        };
        let hello = Request::Hello(wire::Hello {
            protocol_version: 1,
            ..wire::Hello::default()
        });
        visitor.send(hello).await?;
        loop {
            match next(&mut visitor.socket).await? {
                Incoming::Frame(frame) => match frame.frame {
                    Some(Frame::Goodbye(goodbye)) => return Ok(Err(goodbye.reason())),
                    Some(Frame::Reply(reply)) => match reply.result {
                        Some(Reply::Welcome(welcome)) => {
                            visitor.welcome = welcome;
                            return Ok(Ok(visitor));
                        }
                        other => bail!("no welcome: {other:?}"),
                    },
                    Some(Frame::Event(_)) | None => {}
                },
                Incoming::Closed(code) => bail!("closed with {code:?}"),
            }
        }
    }

    async fn send(&mut self, request: Request) -> Result<()> {
        self.last_id += 1;
        let frame = ClientFrame {
            request_id: self.last_id,
            request: Some(request),
        };
        send(&mut self.socket, &frame).await
    }

    async fn ask(&mut self, request: Request) -> Result<Reply> {
        self.send(request).await?;
        loop {
            if let Incoming::Frame(frame) = next(&mut self.socket).await?
                && let Some(Frame::Reply(reply)) = frame.frame
                && reply.request_id == self.last_id
                && let Some(result) = reply.result
            {
                return Ok(result);
            }
        }
    }
}
