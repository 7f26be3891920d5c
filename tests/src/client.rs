//! One scripted person: an account, a session, and a place in a room.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use gryt_proto::client::v1::{self as wire, ChannelKind, client_frame, event, reply};

use crate::account::{Site, Tokens};
use crate::socket::Socket;
use crate::voice::{Voice, VoiceConfig};

/// A signed-in person with an open session.
#[derive(Debug)]
pub struct Client {
    /// What others see.
    pub name: String,
    /// The session.
    pub socket: Arc<Socket>,
    /// The latest tokens.
    pub tokens: Tokens,
}

/// A person in a room.
#[derive(Debug)]
pub struct Participant {
    /// The person.
    pub client: Client,
    /// The media.
    pub voice: Arc<Voice>,
    /// The name of its voice on the wire.
    pub participant_id: u32,
    /// Where.
    pub channel_id: String,
    /// The first offer.
    pub offer: String,
}

impl Client {
    /// Creates an account and opens a session.
    ///
    /// # Errors
    /// When the product refuses.
    pub async fn sign_up(site: &Site, name: &str) -> Result<Self> {
        let tokens = site.create_account(name).await?;
        let socket = Socket::open(site, &tokens.access_token).await?;
        Ok(Self {
            name: name.to_owned(),
            socket,
            tokens,
        })
    }

    /// This person's member id.
    #[must_use]
    pub fn member_id(&self) -> &str {
        self.socket
            .welcome()
            .me
            .as_ref()
            .map_or("", |me| me.member_id.as_str())
    }

    /// The first channel of a kind.
    ///
    /// # Errors
    /// When the server has none.
    pub fn channel(&self, kind: ChannelKind) -> Result<String> {
        let snapshot = self
            .socket
            .welcome()
            .snapshot
            .as_ref()
            .context("no snapshot")?;
        let found = snapshot
            .channels
            .iter()
            .find(|channel| channel.kind() == kind);
        Ok(found
            .with_context(|| format!("no {kind:?}"))?
            .channel_id
            .clone())
    }

    /// Asks for a place in a voice channel.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn ask_for_place(&self, channel_id: &str) -> Result<wire::VoiceOffer> {
        let join = wire::JoinVoice {
            channel_id: channel_id.to_owned(),
            ..wire::JoinVoice::default()
        };
        let reply = self
            .socket
            .request(client_frame::Request::JoinVoice(join))
            .await?;
        let reply::Result::VoiceOffer(offer) = reply else {
            bail!("no offer: {reply:?}");
        };
        Ok(offer)
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn hand_in(&self, channel_id: &str, revision: u32, sdp: String) -> Result<()> {
        let answer = wire::AnswerOffer {
            channel_id: channel_id.to_owned(),
            revision,
            sdp,
        };
        self.socket
            .do_it(client_frame::Request::AnswerOffer(answer))
            .await
    }

    /// Takes a place in a voice channel and waits until its media flows.
    ///
    /// # Errors
    /// When the server refuses, or media does not get through.
    pub async fn join(self, channel_id: &str, config: VoiceConfig) -> Result<Participant> {
        let mark = self.socket.event_count();
        let offer = self.ask_for_place(channel_id).await?;
        let wire::VoiceOffer {
            participant_id,
            revision,
            sdp,
            ..
        } = offer;
        let (voice, answer) = Voice::answer(config, &sdp).await?;
        self.hand_in(channel_id, revision, answer).await?;
        let voice = Arc::new(voice);
        tokio::spawn(answer_later_offers(
            Arc::clone(&self.socket),
            Arc::downgrade(&voice),
            channel_id.to_owned(),
            mark,
        ));
        voice
            .connected()
            .await
            .with_context(|| format!("\"{}\" in voice", self.name))?;
        let channel_id = channel_id.to_owned();
        Ok(Participant {
            client: self,
            voice,
            participant_id,
            channel_id,
            offer: sdp,
        })
    }
}

impl Participant {
    /// Gives the place up.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn leave(self) -> Result<Client> {
        let leave = client_frame::Request::LeaveVoice(wire::LeaveVoice {});
        self.client.socket.do_it(leave).await?;
        Ok(self.client)
    }

    /// How many offers came after the first one.
    #[must_use]
    pub fn later_offers(&self) -> usize {
        self.client.socket.events_since(0, later_offer).len()
    }
}

/// Answers each offer that comes as an event, as the web client does.
async fn answer_later_offers(
    socket: Arc<Socket>,
    voice: std::sync::Weak<Voice>,
    channel_id: String,
    mark: usize,
) {
    let mut answered = 0;
    while socket.ended().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        let Some(voice) = voice.upgrade() else { return };
        let offers = socket.events_since(mark, later_offer);
        for offer in offers.into_iter().skip(answered) {
            answered += 1;
            if let Ok(sdp) = voice.answer_again(&offer.sdp).await {
                let revision = offer.revision;
                let answer = wire::AnswerOffer {
                    channel_id: channel_id.clone(),
                    revision,
                    sdp,
                };
                // A newer offer may be out already; it comes as the next event.
                drop(
                    socket
                        .do_it(client_frame::Request::AnswerOffer(answer))
                        .await,
                );
            }
        }
    }
}

fn later_offer(event: &event::Event) -> Option<wire::VoiceOffer> {
    if let event::Event::VoiceOffer(offer) = event {
        Some(offer.clone())
    } else {
        None
    }
}
