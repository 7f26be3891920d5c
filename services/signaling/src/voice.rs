//! Voice: one task owns the rooms, performs what they want, and is reached through a mailbox.
//!
//! The mailbox is bounded: senders wait. Calls to a node go through one queue per room, so that
//! they keep their order and a slow node holds up only its own rooms.

use gryt_model::{
    AudibleLimit, ChannelId, Member, MemberId, Permission, RoomId, ServerId, SessionId,
};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;
use gryt_proto::client::v1::event::Event as Kind;
use gryt_rooms::{Capabilities, Command, Join, Seated, VoiceState};
use tokio::sync::{mpsc, oneshot, watch as sync_watch};

use crate::convert;
use crate::refusal::Refusal;

mod calls;
mod fence;
mod keeper;
mod links;
mod seats;
mod watch;

pub(crate) use calls::{Caller, Node};
pub(crate) use keeper::Keeper;
pub(crate) use watch::watch;

use calls::SeatOutcome;
use watch::Heard;

/// Which of the SFUs that were named at the start, in their order.
pub(crate) type LinkId = usize;

/// What waits in the mailbox.
#[derive(Debug)]
enum Letter {
    Join(Join, oneshot::Sender<Result<wire::VoiceOffer, Refusal>>),
    Answer(Answer, oneshot::Sender<Result<(), Refusal>>),
    Ask(Command, oneshot::Sender<Result<(), Refusal>>),
    Tell(Command),
    Seat(SeatOutcome),
    /// The node took the answer to the offer of this revision.
    Answered(Seated, u32),
    Heard(LinkId, Heard),
    Participants(oneshot::Sender<Vec<wire::Participant>>),
}

/// A client's answer on its way to the node.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) session: SessionId,
    pub(crate) room: RoomId,
    pub(crate) revision: u32,
    pub(crate) sdp: String,
}

/// Speaks with the task that owns the rooms. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Voice {
    server: ServerId,
    mailbox: mpsc::Sender<Letter>,
    progress: sync_watch::Receiver<Progress>,
}

/// What is known of the nodes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Every one was heard, or does not answer.
    pub(crate) all_tried: bool,
    /// How many first words were heard: each brings calls that go on here.
    pub(crate) nodes: u64,
}

/// How many letters wait until senders do.
const MAILBOX: usize = 1024;

impl Voice {
    /// The handle, and where its letters arrive.
    pub(crate) fn new(server: ServerId) -> (Self, Mailbox) {
        let (mailbox, letters) = mpsc::channel(MAILBOX);
        let (progress, known) = sync_watch::channel(Progress::default());
        let voice = Self {
            server,
            mailbox,
            progress: known,
        };
        (voice, Mailbox { letters, progress })
    }

    /// Names the room of a channel.
    pub(crate) fn room(&self, channel: ChannelId) -> RoomId {
        RoomId {
            server: self.server.clone(),
            channel,
        }
    }

    /// Takes a place and returns the node's offer.
    pub(crate) async fn join(
        &self,
        session: SessionId,
        member: &Member,
        room: (RoomId, AudibleLimit),
        voice: VoiceState,
    ) -> Result<wire::VoiceOffer, Refusal> {
        let (room, audible_limit) = room;
        let join = Join {
            session,
            member: member.id.clone(),
            room,
            audible_limit,
            voice,
            capabilities: capabilities(member),
        };
        self.ask(|reply| Letter::Join(join, reply)).await
    }

    /// Gives a member's places what their role and mute permit.
    pub(crate) async fn set_capabilities(&self, member: &Member) {
        self.tell(Command::SetCapabilities {
            member: member.id.clone(),
            capabilities: capabilities(member),
        })
        .await;
    }

    /// Hands a client's answer to the node.
    pub(crate) async fn answer(&self, answer: Answer) -> Result<(), Refusal> {
        self.ask(|reply| Letter::Answer(answer, reply)).await
    }

    /// Gives up whatever place the session has.
    pub(crate) async fn leave(&self, session: SessionId) -> Result<(), Refusal> {
        let command = Command::Leave { session };
        self.ask(|reply| Letter::Ask(command, reply)).await
    }

    /// Changes what the others see.
    pub(crate) async fn set_state(
        &self,
        session: SessionId,
        voice: VoiceState,
    ) -> Result<(), Refusal> {
        let command = Command::SetVoiceState { session, voice };
        self.ask(|reply| Letter::Ask(command, reply)).await
    }

    /// Moves a place to the session that goes on for another.
    pub(crate) async fn resume(
        &self,
        from: SessionId,
        to: SessionId,
        member: MemberId,
    ) -> Result<(), Refusal> {
        let command = Command::SessionResumed { from, to, member };
        self.ask(|reply| Letter::Ask(command, reply)).await
    }

    /// The socket is gone.
    pub(crate) async fn session_lost(&self, session: SessionId) {
        self.tell(Command::SessionLost { session }).await;
    }

    /// What is known of the nodes, as it changes.
    pub(crate) fn progress(&self) -> sync_watch::Receiver<Progress> {
        self.progress.clone()
    }

    /// Lets nobody hear a member who is none.
    pub(crate) async fn silence(&self, member: MemberId) {
        let capabilities = speaking(false);
        self.tell(Command::SetCapabilities {
            member,
            capabilities,
        })
        .await;
    }

    /// Lets as many be heard at once in a channel's room as its setting says.
    pub(crate) async fn set_audible_limit(&self, channel: ChannelId, limit: AudibleLimit) {
        let room = self.room(channel);
        self.tell(Command::SetAudibleLimit { room, limit }).await;
    }

    /// Ends the places in the room of a channel that is gone.
    pub(crate) async fn close_room(&self, channel: ChannelId) {
        let room = self.room(channel);
        self.tell(Command::CloseRoom { room }).await;
    }

    /// Everyone who is in a room.
    pub(crate) async fn participants(&self) -> Vec<wire::Participant> {
        let (reply, answer) = oneshot::channel();
        self.send(Letter::Participants(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Takes from a durable event what concerns rooms.
    pub(crate) async fn notice(&self, event: &wire::Event) {
        let Some(kind) = &event.event else {
            return;
        };
        match kind {
            Kind::MemberUpdated(member) => {
                let role = convert::role(member.role());
                if let (Ok(id), Some(role)) = (member.member_id.parse(), role) {
                    let may_speak = role.permits(Permission::Speak) && !member.server_muted;
                    self.tell(Command::SetCapabilities {
                        member: id,
                        capabilities: speaking(may_speak),
                    })
                    .await;
                }
            }
            Kind::ChannelUpdated(channel) => {
                let limit = AudibleLimit::new(channel.audible_limit);
                if let (Ok(id), Some(limit)) = (channel.channel_id.parse(), limit) {
                    self.set_audible_limit(id, limit).await;
                }
            }
            Kind::ChannelDeleted(channel) => {
                if let Ok(id) = channel.channel_id.parse() {
                    self.close_room(id).await;
                }
            }
            Kind::MessageCreated(_)
            | Kind::MessageEdited(_)
            | Kind::MessageDeleted(_)
            | Kind::ChannelCreated(_)
            | Kind::PresenceChanged(_)
            | Kind::ParticipantJoined(_)
            | Kind::ParticipantUpdated(_)
            | Kind::ParticipantLeft(_)
            | Kind::SpeakingChanged(_)
            | Kind::VoiceOffer(_)
            | Kind::VoiceEnded(_) => {}
        }
    }

    async fn tell(&self, command: Command) {
        self.send(Letter::Tell(command)).await;
    }

    async fn ask<T>(
        &self,
        letter: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Letter,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(letter(reply)).await;
        let gone = || Refusal::new(Reason::GoingAway, "The server is going away.");
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// A letter to a task that has ended is dropped with its reply, which tells whoever waits.
    async fn send(&self, letter: Letter) {
        if self.mailbox.send(letter).await.is_err() {
            tracing::debug!("rooms are closed");
        }
    }
}

/// Where letters arrive.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: mpsc::Receiver<Letter>,
    progress: sync_watch::Sender<Progress>,
}

/// What a member may do in a room.
fn capabilities(member: &Member) -> Capabilities {
    speaking(member.role.permits(Permission::Speak) && !member.server_muted)
}

fn speaking(may_speak: bool) -> Capabilities {
    Capabilities {
        may_speak,
        may_show: may_speak,
    }
}
