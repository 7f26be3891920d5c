//! People who come to a server of the cluster as browsers do: by https through the gateway, the owner
//! by the link of the server's Secret, everybody else by an invite of the owner's.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use gryt_proto::client::v1::{self as wire, ChannelKind, client_frame, reply};
use url::Url;

use crate::account::Site;
use crate::client::{Client, Participant};
use crate::clock;
use crate::cluster::Namespace;
use crate::voice::VoiceConfig;
use crate::wait::{until, until_answered};
use crate::way::Way;

/// How loud scripted people speak, in -dBov.
const LEVEL: u8 = 20;

/// A server that is visited.
#[derive(Debug)]
pub struct Visit {
    site: Site,
    owner: Client,
}

impl Visit {
    /// Brings the owner to the server `name` of the namespace, through the gateway.
    ///
    /// # Errors
    /// When the page does not come, or the link does not let the owner in.
    pub async fn begin(space: &Namespace, name: &str) -> Result<Self> {
        let cluster = space.cluster();
        let gateway = SocketAddr::new(cluster.node_address("node1")?, 443);
        let authority = std::fs::read(cluster.gateway_authority())?;
        Self::by(space, name, Way::secure(gateway, &authority)).await
    }

    /// The same by another way in.
    ///
    /// # Errors
    /// When the page does not come, or the link does not let the owner in.
    pub async fn by(space: &Namespace, name: &str, way: Way) -> Result<Self> {
        let link = link(space, name).await?;
        // A route takes a moment until the controller knows it.
        let site = until_answered(&format!("the page of {link}"), || async {
            Site::discover_by(&link, way.clone()).await.ok()
        })
        .await?;
        let owner = Client::sign_up(&site.invited_by(token(&link)?), "owner").await?;
        Ok(Self { site, owner })
    }

    /// The owner, who is in no room.
    #[must_use]
    pub fn owner(&self) -> &Client {
        &self.owner
    }

    /// Opens a new session for the owner, whose last one may have ended with its pod.
    ///
    /// # Errors
    /// When the server does not let the owner in within [`crate::wait::PATIENCE`].
    pub async fn come_back(&mut self) -> Result<()> {
        let site = &self.site;
        self.owner = until_answered("the owner's new session", || async {
            let tokens = site.sign_in("owner").await.ok()?;
            let socket = crate::socket::Socket::open(site, &tokens.access_token);
            let socket = socket.await.ok()?;
            let name = "owner".to_owned();
            Some(Client {
                name,
                socket,
                tokens,
            })
        })
        .await?;
        Ok(())
    }

    /// Brings somebody by an invite of the owner's.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn guest(&self, name: &str) -> Result<Client> {
        let create = client_frame::Request::CreateInvite(wire::CreateInvite::default());
        let reply = self.owner.socket.request(create).await?;
        let reply::Result::CreatedInvite(invite) = reply else {
            bail!("no invite: {reply:?}");
        };
        let token = invite.path.rsplit('/').next().context("no token")?;
        Client::sign_up(&self.site.invited_by(token), name).await
    }

    /// Brings somebody, with the tag of its voice, into the first voice channel.
    ///
    /// # Errors
    /// When the server refuses, or media does not get through.
    pub async fn join(&self, tag: u32) -> Result<Participant> {
        let guest = self.guest(&format!("person {tag}")).await?;
        let lounge = guest.channel(ChannelKind::Voice)?;
        take_place(guest, &lounge, tag).await
    }

    /// Makes another voice channel. Returns its id.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn voice_channel(&self, name: &str) -> Result<String> {
        let channel = wire::CreateChannel {
            name: name.to_owned(),
            kind: ChannelKind::Voice.into(),
        };
        let create = client_frame::Request::CreateChannel(channel);
        let reply = self.owner.socket.request(create).await?;
        let reply::Result::Channel(channel) = reply else {
            bail!("no channel: {reply:?}");
        };
        Ok(channel.channel_id)
    }

    /// Brings people with these tags into this voice channel, where all of them speak.
    ///
    /// # Errors
    /// When one does not get there, or is not heard by all others.
    pub async fn call_in(&self, channel_id: &str, tags: Range<u32>) -> Result<Call> {
        let people = tags.map(|tag| async move {
            let guest = self.guest(&format!("person {tag}")).await?;
            take_place(guest, channel_id, tag).await
        });
        Call::begin(try_join_all(people).await?).await
    }

    /// Brings people with these tags into the first voice channel, where all of them speak.
    ///
    /// # Errors
    /// When one does not get there, or is not heard by all others.
    pub async fn call(&self, tags: Range<u32>) -> Result<Call> {
        Call::begin(try_join_all(tags.map(|tag| self.join(tag))).await?).await
    }

    /// Writes a message into the first text channel.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn write(&self, text: &str) -> Result<()> {
        let message = wire::SendMessage {
            channel_id: self.owner.channel(ChannelKind::Text)?,
            text: text.to_owned(),
            nonce: format!("nonce-{}", clock::since_1970().as_nanos()),
            attachments: Vec::new(),
        };
        let send = client_frame::Request::SendMessage(message);
        self.owner.socket.request(send).await?;
        Ok(())
    }

    /// The last messages of the first text channel, oldest first.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn history(&self) -> Result<Vec<String>> {
        let fetch = wire::FetchMessages {
            channel_id: self.owner.channel(ChannelKind::Text)?,
            before_message_id: 0,
            limit: 100,
        };
        let fetch = client_frame::Request::FetchMessages(fetch);
        let reply = self.owner.socket.request(fetch).await?;
        let reply::Result::MessagePage(page) = reply else {
            bail!("no page: {reply:?}");
        };
        Ok(page.messages.into_iter().map(|one| one.text).collect())
    }
}

/// People in a room, all of whom speak.
#[derive(Debug)]
pub struct Call {
    /// In the order of their tags.
    pub people: Vec<Participant>,
    /// The number of each one's first packet.
    begun: Vec<u64>,
}

impl Call {
    /// Lets people who are in one room speak.
    ///
    /// # Errors
    /// When one is not heard by all others.
    pub async fn begin(people: Vec<Participant>) -> Result<Self> {
        let speak = people.iter().map(|person| person.voice.speak(LEVEL));
        let begun = try_join_all(speak).await?;
        let call = Self { people, begun };
        call.goes_on().await?;
        Ok(call)
    }

    /// Waits until everybody hears what everybody else says from now on.
    ///
    /// # Errors
    /// When somebody is not heard within [`crate::wait::PATIENCE`].
    pub async fn goes_on(&self) -> Result<()> {
        for (listener, speaker) in self.pairs() {
            let (tag, number) = (speaker.voice.tag(), speaker.voice.spoken().await?);
            let what = format!("\"{}\" hears {tag} from {number}", listener.client.name);
            until(&what, || listener.voice.reception().first_from(tag, number)).await?;
        }
        Ok(())
    }

    /// Checks that nobody missed a packet since the call began. Returns how many packets that are,
    /// and the longest silence between two of them at any listener.
    ///
    /// # Errors
    /// Names who missed what.
    pub async fn lost_nothing(&self) -> Result<(u64, Duration)> {
        let (mut packets, mut longest) = (0, Duration::ZERO);
        for (speaker, first) in self.people.iter().zip(&self.begun) {
            let tag = speaker.voice.tag();
            let end = speaker.voice.spoken().await?;
            let others = self.people.iter().filter(|one| one.voice.tag() != tag);
            for listener in others {
                let heard = || listener.voice.reception().first_from(tag, end);
                until(&format!("packet {end} of {tag}"), heard).await?;
                let reception = listener.voice.reception();
                let missing = reception.missing_of(tag, *first..end);
                let name = &listener.client.name;
                ensure!(missing.is_empty(), "{name} missed of {tag}: {missing:?}");
                packets += end - first;
                longest = longest.max(reception.longest_silence_of(tag, *first..end));
            }
        }
        Ok((packets, longest))
    }

    fn pairs(&self) -> impl Iterator<Item = (&Participant, &Participant)> {
        let people = &self.people;
        people.iter().flat_map(move |listener| {
            let others = people
                .iter()
                .filter(|one| one.voice.tag() != listener.voice.tag());
            others.map(move |speaker| (listener, speaker))
        })
    }
}

async fn take_place(guest: Client, channel_id: &str, tag: u32) -> Result<Participant> {
    let has_microphone = true;
    guest
        .join(
            channel_id,
            VoiceConfig {
                tag,
                has_microphone,
            },
        )
        .await
}

/// The owner's one-time link, once the operator has made it.
async fn link(space: &Namespace, name: &str) -> Result<Url> {
    let secret = format!("secret/{name}-owner");
    let link = space
        .until(&secret, "has the owner's link", |secret| {
            let encoded = secret["data"]["link"].as_str()?;
            String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
        })
        .await?;
    Ok(link.parse()?)
}

fn token(link: &Url) -> Result<&str> {
    let last = link.path_segments().and_then(|mut parts| parts.next_back());
    last.context("a link without a token")
}
