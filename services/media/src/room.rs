//! One room: who sits in it and who of them is heard. Knows no packet.

use std::time::Instant;

use gryt_model::{AudibleLimit, Epoch, ParticipantId, RoomId};

use crate::command::Refusal;
use crate::slots;
use crate::speakers::Speakers;

/// A channel's live session on this worker.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: RoomId,
    pub(crate) epoch: Epoch,
    pub(crate) speakers: Speakers,
    members: Vec<Member>,
}

/// One participant's name in the room and its index on the worker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) id: ParticipantId,
    pub(crate) index: usize,
}

impl Room {
    pub(crate) fn new(id: RoomId, epoch: Epoch, limit: AudibleLimit) -> Self {
        Self {
            id,
            epoch,
            speakers: Speakers::new(limit),
            members: Vec::new(),
        }
    }

    /// Lets only the highest epoch command the room.
    pub(crate) fn fence(&mut self, epoch: Epoch) -> Result<(), Refusal> {
        if epoch < self.epoch {
            return Err(Refusal::StaleEpoch {
                highest: self.epoch,
            });
        }
        self.epoch = epoch;
        Ok(())
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    pub(crate) fn find(&self, id: ParticipantId) -> Option<usize> {
        let member = self.members.iter().find(|member| member.id == id)?;
        Some(member.index)
    }

    pub(crate) fn join(&mut self, id: ParticipantId, index: usize) {
        self.members.push(Member { id, index });
    }

    pub(crate) fn leave(&mut self, id: ParticipantId) {
        self.members.retain(|member| member.id != id);
        self.speakers.remove(id);
    }

    pub(crate) fn set_limit(&mut self, limit: AudibleLimit, now: Instant) {
        self.speakers.set_limit(limit, now);
    }

    /// How many slots each participant needs.
    pub(crate) fn slots(&self) -> usize {
        let others = self.members.len().saturating_sub(1);
        slots::step(others.min(usize::from(self.speakers.limit().get())))
    }
}
