//! A running product with its owner and a room full of scripted people.

use anyhow::Result;
use futures_util::future::try_join_all;
use gryt_proto::client::v1::{self as wire, ChannelKind, client_frame, event, reply};
use gryt_tests::account::Site;
use gryt_tests::client::{Client, Participant};
use gryt_tests::metrics::Scrape;
use gryt_tests::product::Product;
use gryt_tests::voice::VoiceConfig;
use gryt_tests::wait::until;

pub(crate) struct Party {
    pub(crate) product: Product,
    pub(crate) site: Site,
    pub(crate) owner: Client,
    pub(crate) lounge: String,
}

impl Party {
    /// Starts a product and makes its owner, who is in no room.
    pub(crate) async fn start() -> Result<Self> {
        Self::in_product(Product::start().await?).await
    }

    pub(crate) async fn in_product(product: Product) -> Result<Self> {
        let site = Site::discover(product.url()).await?;
        let owner = Client::sign_up(&site, "owner").await?;
        let lounge = owner.channel(ChannelKind::Voice)?;
        Ok(Self {
            product,
            site,
            owner,
            lounge,
        })
    }

    pub(crate) async fn set_audible_limit(&self, audible_limit: u32) -> Result<()> {
        let update = wire::UpdateChannel {
            channel_id: self.lounge.clone(),
            name: None,
            audible_limit: Some(audible_limit),
        };
        let reply = self
            .owner
            .socket
            .request(client_frame::Request::UpdateChannel(update))
            .await?;
        let reply::Result::Channel(channel) = reply else {
            anyhow::bail!("no channel: {reply:?}");
        };
        assert_eq!(channel.audible_limit, audible_limit);
        Ok(())
    }

    /// Signs people up and brings them into the lounge, with the tags of this range.
    pub(crate) async fn join(&self, tags: std::ops::Range<u32>) -> Result<Vec<Participant>> {
        const AT_ONCE: usize = 5;
        let mut joined = Vec::new();
        let tags: Vec<u32> = tags.collect();
        for some in tags.chunks(AT_ONCE) {
            joined.extend(try_join_all(some.iter().map(|tag| self.join_one(*tag))).await?);
        }
        Ok(joined)
    }

    pub(crate) async fn join_one(&self, tag: u32) -> Result<Participant> {
        let client = Client::sign_up(&self.site, &format!("person {tag}")).await?;
        client
            .join(
                &self.lounge,
                VoiceConfig {
                    tag,
                    has_microphone: true,
                },
            )
            .await
    }

    pub(crate) async fn scrape(&self) -> Result<Scrape> {
        Scrape::take(self.product.url()).await
    }
}

/// Waits until the listener has the speaker's packet of this number.
pub(crate) async fn hears(
    listener: &Participant,
    speaker: &Participant,
    number: u64,
) -> Result<()> {
    let tag = speaker.voice.tag();
    let what = format!("\"{}\" hears {tag} from {number}", listener.client.name);
    until(&what, || listener.voice.reception().first_from(tag, number)).await?;
    Ok(())
}

/// Waits until the listener was told since the mark that each of these ceased to speak.
pub(crate) async fn told_silent(
    listener: &Participant,
    mark: usize,
    speakers: &[&Participant],
) -> Result<()> {
    for speaker in speakers {
        let id = speaker.participant_id;
        let what = format!("{id} is told to be silent");
        until(&what, || {
            let last = listener.client.socket.events_since(mark, |event| {
                if let event::Event::SpeakingChanged(change) = event
                    && change.participant_id == id
                {
                    Some(change.speaking)
                } else {
                    None
                }
            });
            (last.last() == Some(&false)).then_some(())
        })
        .await?;
    }
    Ok(())
}

/// Each listener was never misled: no gap in a slot, each voice under its own name.
pub(crate) fn assert_clean(listeners: &[Participant], everybody: &[&Participant]) {
    for listener in listeners {
        let reception = listener.voice.reception();
        let name = &listener.client.name;
        assert_eq!(reception.gaps(), 0, "{name}: {:?}", reception.slots());
        assert_eq!((reception.unnamed(), reception.strange()), (0, 0), "{name}");
        for (csrc, tag) in reception.names().keys() {
            let named = everybody
                .iter()
                .find(|person| person.participant_id == *csrc);
            let named = named.map(|person| person.voice.tag());
            assert_eq!(
                named,
                Some(*tag),
                "{name} heard {tag} under the name {csrc}"
            );
        }
        assert_eq!(
            reception.received_of(listener.voice.tag()),
            0,
            "{name} hears itself"
        );
    }
}
