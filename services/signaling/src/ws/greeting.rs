//! `Hello`: a session enters, and goes on where the last one stopped or begins with a snapshot.
//!
//! No event is lost and none comes twice: the session enters the fan-out first, its outbox holds
//! what comes from there, then the log is read, and what the log brought is dropped from what was held.

use std::sync::Arc;

use gryt_bus::{Cursor, Replay};
use gryt_model::{InvalidId, Member, SessionId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::Reason;

use super::outbox::Farewell;
use super::session::Session;
use crate::live::{event_frame, may_receive};
use crate::refusal::Refusal;
use crate::{convert, live};

/// The protocol that this server speaks. There is no older one that it would have to understand.
pub(crate) const PROTOCOL_VERSION: u32 = 1;

/// Events read from the log at once.
const BATCH: u32 = 256;

impl Session {
    pub(super) async fn greet(&mut self, hello: wire::Hello) -> Result<wire::Welcome, Refusal> {
        let wire::Hello {
            protocol_version,
            resume,
            session_id,
        } = hello;
        if self.greeted {
            return Err(Refusal::malformed("Hello was said before."));
        }
        if protocol_version < PROTOCOL_VERSION {
            return Err(Refusal::new(
                Reason::ClientTooOld,
                "The client is too old. Please reload.",
            ));
        }
        let older = if session_id.is_empty() {
            None
        } else {
            let id: Result<SessionId, InvalidId> = session_id.parse();
            Some(id.map_err(|error| Refusal::malformed(error.to_string()))?)
        };
        self.shared.begun.wait().await;
        let me = self.shared.operations.sign_in(&self.claims).await?;
        let board = self
            .shared
            .live
            .enter(self.id.clone(), me.clone(), Arc::clone(&self.outbox));
        self.greeted = true;
        let me = self.shared.operations.member(&me.id).await?;
        self.shared.live.refresh(&self.id, me.clone());
        if let Some(older) = older {
            self.take_over(older, &me).await?;
        }

        let resumed = match &resume {
            Some(cursor) => self.may_resume(&cursor.into()).await?,
            None => None,
        };
        let (cursor, snapshot) = match resumed {
            Some(cursor) => (cursor, None),
            None => {
                let (head, snapshot) = self.snapshot(&me).await?;
                (head, Some(snapshot))
            }
        };
        let welcome = wire::Welcome {
            server: Some(self.shared.operations.server()),
            me: Some(convert::member(&me)),
            resumed: snapshot.is_none(),
            snapshot,
            cursor: Some((&cursor).into()),
            live: Some(board),
            ping_interval_seconds: whole_seconds(self.shared.limits.ping_interval),
            session_id: self.id.to_string(),
            has_invites: self.shared.operations.has_invites(),
        };
        self.replay_after = Some(cursor);
        Ok(welcome)
    }

    /// Sends what follows the cursor of `Welcome`, then lets live events through.
    pub(super) async fn replay(&mut self) {
        let Some(mut cursor) = self.replay_after.take() else {
            return;
        };
        loop {
            let member = self.shared.live.member(&self.id);
            let (Some(member), Ok(Replay::Events(events))) =
                (member, self.shared.bus.replay(&cursor, BATCH).await)
            else {
                self.outbox.end(Farewell {
                    reason: Reason::GoingAway,
                    message: "The event log could not be followed. Resume.",
                });
                return;
            };
            let Some(last) = events.last() else {
                break;
            };
            cursor.event_id = gryt_bus::EventId(last.event.event_id);
            for delivery in &events {
                if may_receive(&self.id, &member, &delivery.audience) {
                    self.outbox.wait_for_room().await;
                    self.outbox.push(event_frame(&delivery.event));
                }
            }
        }
        self.outbox.wait_until_taken().await;
        self.outbox.release(cursor.event_id.0);
    }

    /// The cursor, if the log reaches back to it.
    async fn may_resume(&self, cursor: &Cursor) -> Result<Option<Cursor>, Refusal> {
        match self.shared.bus.replay(cursor, 1).await {
            Ok(Replay::Events(_)) => Ok(Some(cursor.clone())),
            Ok(Replay::Trimmed | Replay::OtherEpoch) => Ok(None),
            Err(error) => Err(Refusal::internal("read the event log", &error)),
        }
    }

    async fn snapshot(&self, me: &Member) -> Result<(Cursor, wire::Snapshot), Refusal> {
        let operations = &self.shared.operations;
        let head = self.shared.bus.head().await;
        let head = head.map_err(|error| Refusal::internal("read the event log", &error))?;
        let channels = operations.channels(me).await?;
        let members = operations.members(me).await?;
        let snapshot = wire::Snapshot {
            channels: channels.iter().map(convert::channel).collect(),
            members: members.iter().map(convert::member).collect(),
        };
        Ok((head, snapshot))
    }

    /// Goes on for an older session of the same member: its place in a room moves here, and its
    /// socket, which may hang half-dead for minutes, ends.
    async fn take_over(&self, from: SessionId, me: &Member) -> Result<(), Refusal> {
        let shared: &crate::shared::Shared = &self.shared;
        shared
            .voice
            .resume(from.clone(), self.id.clone(), me.id.clone())
            .await?;
        // A call that was found may have been granted more than the member may today. A mute that
        // came meanwhile has reached the board before the rooms, and must not be undone here.
        let mut told = me.clone();
        loop {
            shared.voice.set_capabilities(&told).await;
            match shared.live.member(&self.id) {
                Some(today) if today != told => told = today,
                Some(_) | None => break,
            }
        }
        let live: &live::Live = &shared.live;
        live.end(
            &from,
            &me.id,
            Farewell {
                reason: Reason::GoingAway,
                message: "Another socket goes on for this one.",
            },
        );
        Ok(())
    }
}

fn whole_seconds(interval: std::time::Duration) -> u32 {
    u32::try_from(interval.as_secs()).unwrap_or(u32::MAX).max(1)
}
