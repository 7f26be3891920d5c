//! Messages: send, edit, delete, read.

use std::sync::PoisonError;

use gryt_bus::{Allowance, Audience};
use gryt_chat::{Act, Draft};
use gryt_model::{ChannelId, Member, Message, MessageId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_store::{Appended, MessageEdit, NewMessage};

use super::channels::unknown_channel;
use super::{EditDraft, MessagePage, Operations, PageRequest, SendDraft, storage};
use crate::refusal::Refusal;
use crate::{clock, convert};

/// The longest page.
const PAGE_MAX: u32 = 100;

impl Operations {
    /// Writes a message. The same nonce again is the same message, published once more.
    pub(crate) async fn send_message(
        &self,
        actor: &Member,
        draft: SendDraft,
    ) -> Result<Message, Refusal> {
        let SendDraft {
            channel,
            text,
            nonce,
            attachments,
        } = draft;
        self.take(actor, Act::Send).await?;
        let place = self.channel(&channel).await?;
        let attachments = self.attachments(actor, &channel, &attachments)?;
        let draft = Draft {
            channel: &place,
            text: &text,
            attachments: &attachments,
        };
        let new = NewMessage {
            channel: channel.clone(),
            author: actor.id.clone(),
            text: gryt_chat::compose(draft, actor)?,
            attachments,
            nonce,
            unix_ms: clock::unix_ms(),
        };
        let append = |this: Self| async move {
            let appended = this.store.append_message(new).await.map_err(storage)?;
            if let Appended::New(message) = &appended {
                this.tell_created(message).await?;
            }
            Ok(appended)
        };
        match self.side_by_side(append).await? {
            Appended::New(message) => Ok(message),
            // Maybe the process died between writing and publishing.
            Appended::Repeated(message) => self.tell_again(message).await,
            Appended::RepeatedDeleted(_) => Err(deleted_since()),
            Appended::NonceReused => Err(Refusal::new(
                Reason::NonceReused,
                "The nonce was used for another message.",
            )),
            Appended::UnknownChannel => Err(unknown_channel()),
        }
    }

    /// Publishes a message once more, unless it has been deleted: that must stay its last event.
    async fn tell_again(&self, message: Message) -> Result<Message, Refusal> {
        self.in_order(|this| async move {
            let found = this.store.message(&message.channel, message.id).await;
            let message = found.map_err(storage)?.ok_or_else(deleted_since)?;
            this.tell_created(&message).await?;
            Ok(message)
        })
        .await
    }

    async fn tell_created(&self, message: &Message) -> Result<(), Refusal> {
        let event = Kind::MessageCreated(convert::message(message));
        self.publish(event, Audience::Channel(message.channel.clone()))
            .await
    }

    /// Replaces the text of an own message.
    pub(crate) async fn edit_message(
        &self,
        actor: &Member,
        draft: EditDraft,
    ) -> Result<Message, Refusal> {
        let EditDraft {
            channel,
            message: id,
            text,
        } = draft;
        self.take(actor, Act::Edit).await?;
        let place = self.channel(&channel).await?;
        let message = self.message(&channel, id).await?;
        let draft = Draft {
            channel: &place,
            text: &text,
            attachments: &message.attachments,
        };
        let text = gryt_chat::revise(draft, &message, actor)?;
        let edit = MessageEdit {
            channel: channel.clone(),
            id,
            text,
            unix_ms: clock::unix_ms(),
        };
        self.in_order(|this| async move {
            let edited = this.store.edit_message(edit).await.map_err(storage)?;
            let message = edited.ok_or_else(unknown_message)?;
            this.publish(
                Kind::MessageEdited(convert::message(&message)),
                Audience::Channel(channel),
            )
            .await?;
            Ok(message)
        })
        .await
    }

    /// Deletes an own message, or anybody's with the permission. One that is deleted already is
    /// told once more: maybe the process died between writing and publishing.
    pub(crate) async fn delete_message(
        &self,
        actor: &Member,
        channel: &ChannelId,
        id: MessageId,
    ) -> Result<(), Refusal> {
        self.take(actor, Act::Delete).await?;
        self.channel(channel).await?;
        let author = self.store.author(channel, id).await.map_err(storage)?;
        gryt_chat::erase(&author.ok_or_else(unknown_message)?, actor)?;
        let message = self.store.message(channel, id).await.map_err(storage)?;
        let channel = channel.clone();
        self.in_order(|this| async move {
            // Whether it was there still makes no difference.
            let deleted = this.store.delete_message(&channel, id).await;
            deleted.map_err(storage)?;
            this.discard_files(message.map_or_else(Vec::new, |message| message.attachments));
            let event = wire::MessageDeleted {
                channel_id: channel.to_string(),
                message_id: id.get(),
            };
            this.publish(Kind::MessageDeleted(event), Audience::Channel(channel))
                .await
        })
        .await
    }

    /// Reads a piece of a channel's history.
    pub(crate) async fn fetch_messages(
        &self,
        actor: &Member,
        page: PageRequest,
    ) -> Result<MessagePage, Refusal> {
        let PageRequest {
            channel,
            before,
            limit,
        } = page;
        self.take(actor, Act::Fetch).await?;
        if !(1..=PAGE_MAX).contains(&limit) {
            return Err(Refusal::malformed("A page has 1 to 100 messages."));
        }
        gryt_chat::read(&self.channel(&channel).await?, actor)?;
        self.store
            .messages(&channel, before, limit)
            .await
            .map_err(storage)
    }

    async fn message(&self, channel: &ChannelId, id: MessageId) -> Result<Message, Refusal> {
        let found = self.store.message(channel, id).await.map_err(storage)?;
        found.ok_or_else(unknown_message)
    }

    /// Takes one of the actor's allowance, here and over all processes.
    pub(crate) async fn take(&self, actor: &Member, act: Act) -> Result<(), Refusal> {
        {
            let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
            limits.take(&actor.id, act, clock::now())?;
        }
        let rate = act.rate();
        let allowance = Allowance {
            interval: rate.interval(),
            burst: rate.burst,
        };
        let name = format!("{}:{}", quota(act), actor.id);
        let taken = self.quotas.take(&name, allowance).await;
        taken.map_err(Refusal::rate_limited)
    }
}

/// What an act is called among the limits of all processes.
fn quota(act: Act) -> &'static str {
    match act {
        Act::Send => "send",
        Act::Edit => "edit",
        Act::Delete => "delete",
        Act::Fetch => "fetch",
        Act::Upload => "upload",
        Act::Transfer => "transfer",
    }
}

fn deleted_since() -> Refusal {
    Refusal::new(
        Reason::UnknownMessage,
        "The message was sent and has been deleted since.",
    )
}

pub(super) fn unknown_message() -> Refusal {
    Refusal::new(Reason::UnknownMessage, "There is no such message.")
}
