//! One arm per request: decode, ask whoever knows, encode. No rule of the domain is here.

use gryt_model::Member;
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::{Reason, SentMessage};

use super::session::{Session, ends_at};
use crate::refusal::Refusal;
use crate::voice::Answer;
use crate::{clock, convert};

const DONE: Reply = Reply::Done(wire::Done {});

impl Session {
    pub(super) async fn answer(&mut self, request: Request) -> Result<Reply, Refusal> {
        if let Request::Hello(hello) = request {
            return self.greet(hello).await.map(Reply::Welcome);
        }
        let me = self.me()?;
        let operations = &self.shared.operations;
        let voice = &self.shared.voice;
        match request {
            Request::Hello(_) | Request::Ping(_) => Ok(DONE),
            Request::RenewToken(renewal) => self.renew(&renewal.token).await,

            Request::SendMessage(request) => {
                let draft = convert::send_draft(request)?;
                let message = operations.send_message(&me, draft).await?;
                Ok(sent(&message))
            }
            Request::EditMessage(request) => {
                let draft = convert::edit_draft(request)?;
                let message = operations.edit_message(&me, draft).await?;
                Ok(sent(&message))
            }
            Request::DeleteMessage(request) => {
                let (channel, id) = convert::delete_draft(&request)?;
                operations.delete_message(&me, &channel, id).await?;
                Ok(DONE)
            }
            Request::FetchMessages(request) => {
                let page = convert::page_request(&request)?;
                let page = operations.fetch_messages(&me, page).await?;
                Ok(Reply::MessagePage(convert::message_page(&page)))
            }

            Request::JoinVoice(request) => {
                let (channel, state) = convert::voice_join(&request)?;
                let channel = operations.voice_channel(&me, &channel).await?;
                let room = (voice.room(channel.id), channel.audible_limit);
                let offer = voice.join(self.id.clone(), &me, room, state).await?;
                self.check_again(&me, &offer).await?;
                Ok(Reply::VoiceOffer(offer))
            }
            Request::AnswerOffer(request) => {
                let channel = convert::answer(&request)?;
                let answer = Answer {
                    session: self.id.clone(),
                    room: voice.room(channel),
                    revision: request.revision,
                    sdp: request.sdp,
                };
                voice.answer(answer).await?;
                Ok(DONE)
            }
            Request::LeaveVoice(wire::LeaveVoice {}) => {
                voice.leave(self.id.clone()).await?;
                Ok(DONE)
            }
            Request::SetVoiceState(request) => {
                let state = convert::voice_state(request);
                voice.set_state(self.id.clone(), state).await?;
                Ok(DONE)
            }

            Request::MuteMember(request) => {
                let target = convert::member_mute(&request)?;
                operations.mute_member(&me, &target, request.muted).await?;
                Ok(DONE)
            }
            Request::CreateChannel(request) => {
                let (name, kind) = convert::channel_create(&request)?;
                let channel = operations.create_channel(&me, name, kind).await?;
                Ok(Reply::Channel(convert::channel(&channel)))
            }
            Request::UpdateChannel(request) => {
                let update = convert::channel_update(&request)?;
                let channel = operations.update_channel(&me, update).await?;
                Ok(Reply::Channel(convert::channel(&channel)))
            }
            Request::DeleteChannel(request) => {
                let channel = convert::channel_id(&request.channel_id)?;
                operations.delete_channel(&me, &channel).await?;
                Ok(DONE)
            }

            Request::CreateInvite(request) => {
                let draft = convert::invite_draft(request)?;
                let made = operations.create_invite(&me, draft).await?;
                Ok(Reply::CreatedInvite(convert::created_invite(&made)))
            }
            Request::ListInvites(wire::ListInvites {}) => {
                let invites = operations.invites(&me).await?;
                let invites = invites.iter().map(convert::invite).collect();
                Ok(Reply::InviteList(wire::InviteList { invites }))
            }
            Request::RevokeInvite(request) => {
                let id = convert::invite_revocation(&request)?;
                operations.revoke_invite(&me, &id).await?;
                Ok(DONE)
            }
        }
    }

    /// A mute or a deletion that reached the rooms before the join did has passed it by. Checked
    /// before the client has the offer, so that nothing is heard of it.
    async fn check_again(&self, before: &Member, offer: &wire::VoiceOffer) -> Result<(), Refusal> {
        let me = self.me()?;
        if me != *before {
            self.shared.voice.set_capabilities(&me).await;
        }
        let channel = convert::channel_id(&offer.channel_id)?;
        let found = self.shared.operations.voice_channel(&me, &channel).await;
        if let Err(refusal) = found {
            self.shared.voice.leave(self.id.clone()).await?;
            return Err(refusal);
        }
        Ok(())
    }

    fn me(&self) -> Result<Member, Refusal> {
        let hello_first = || Refusal::new(Reason::HelloRequired, "Say Hello first.");
        self.shared.live.member(&self.id).ok_or_else(hello_first)
    }

    async fn renew(&mut self, token: &str) -> Result<Reply, Refusal> {
        let claims = self.shared.verifier.verify(token, clock::wall()).await?;
        if claims.user != self.claims.user {
            return Err(Refusal::new(
                Reason::Unauthenticated,
                "The token is of somebody else.",
            ));
        }
        // A new name travels in the token.
        self.shared.operations.sign_in(&claims).await?;
        self.token_ends_at = ends_at(claims.expires_at);
        self.claims = claims;
        Ok(DONE)
    }
}

fn sent(message: &gryt_model::Message) -> Reply {
    Reply::SentMessage(SentMessage {
        message: Some(convert::message(message)),
    })
}
