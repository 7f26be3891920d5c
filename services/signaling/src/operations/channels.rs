//! Channels: list, create, change, delete.

use gryt_bus::Audience;
use gryt_model::{Channel, ChannelId, ChannelKind, ChannelName, Member, Permission};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_store::{ChannelChange, NewChannel};

use super::members::require;
use super::{ChannelUpdate, Operations, storage};
use crate::refusal::Refusal;
use crate::{convert, entropy};

impl Operations {
    /// Lists the channels that the member may see, in the order of the list.
    pub(crate) async fn channels(&self, actor: &Member) -> Result<Vec<Channel>, Refusal> {
        require(actor, Permission::Read)?;
        self.store.channels().await.map_err(storage)
    }

    /// The voice channel of this id, for a member who may join rooms.
    pub(crate) async fn voice_channel(
        &self,
        actor: &Member,
        id: &ChannelId,
    ) -> Result<Channel, Refusal> {
        require(actor, Permission::Listen)?;
        self.voice(id).await
    }

    /// Adds a channel at the end of the list.
    pub(crate) async fn create_channel(
        &self,
        actor: &Member,
        name: ChannelName,
        kind: ChannelKind,
    ) -> Result<Channel, Refusal> {
        require(actor, Permission::ManageChannels)?;
        let new = NewChannel {
            id: ChannelId::from_random(entropy::bits()),
            name,
            kind,
        };
        self.in_order(|this| async move {
            let channel = this.store.create_channel(new).await.map_err(storage)?;
            this.publish(
                Kind::ChannelCreated(convert::channel(&channel)),
                Audience::Channel(channel.id.clone()),
            )
            .await?;
            Ok(channel)
        })
        .await
    }

    /// Renames a channel or changes its audible limit.
    pub(crate) async fn update_channel(
        &self,
        actor: &Member,
        update: ChannelUpdate,
    ) -> Result<Channel, Refusal> {
        let ChannelUpdate {
            channel: id,
            name,
            audible_limit,
        } = update;
        require(actor, Permission::ManageChannels)?;
        if audible_limit.is_some() {
            self.voice(&id).await?;
        }
        let change = ChannelChange {
            name,
            audible_limit,
        };
        self.in_order(|this| async move {
            let changed = this.store.update_channel(&id, change).await;
            let channel = changed.map_err(storage)?.ok_or_else(unknown_channel)?;
            this.publish(
                Kind::ChannelUpdated(convert::channel(&channel)),
                Audience::Channel(id),
            )
            .await?;
            Ok(channel)
        })
        .await
    }

    /// Deletes a channel with its messages; the room in it is closed by the event.
    pub(crate) async fn delete_channel(
        &self,
        actor: &Member,
        id: &ChannelId,
    ) -> Result<(), Refusal> {
        require(actor, Permission::ManageChannels)?;
        let id = id.clone();
        self.in_order(|this| async move {
            if !this.store.delete_channel(&id).await.map_err(storage)? {
                return Err(unknown_channel());
            }
            let event = wire::ChannelDeleted {
                channel_id: id.to_string(),
            };
            this.publish(Kind::ChannelDeleted(event), Audience::Channel(id))
                .await
        })
        .await
    }

    /// A channel as stored, if it is there.
    pub(crate) async fn find_channel(&self, id: &ChannelId) -> Result<Option<Channel>, Refusal> {
        self.store.channel(id).await.map_err(storage)
    }

    pub(super) async fn channel(&self, id: &ChannelId) -> Result<Channel, Refusal> {
        self.find_channel(id).await?.ok_or_else(unknown_channel)
    }

    async fn voice(&self, id: &ChannelId) -> Result<Channel, Refusal> {
        let channel = self.channel(id).await?;
        match channel.kind {
            ChannelKind::Voice => Ok(channel),
            ChannelKind::Text => Err(gryt_chat::Refusal::WrongChannelKind.into()),
        }
    }
}

pub(super) fn unknown_channel() -> Refusal {
    Refusal::new(Reason::UnknownChannel, "There is no such channel.")
}
