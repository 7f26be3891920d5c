//! The calls of a round: whoever is not on the killed SFU may not notice that anything happened.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::crowd::Crowd;
use crate::person::{Part, Person, Seat};
use crate::round::until;

/// Where everybody sat at the beginning of the round, and how far they had spoken.
pub(super) struct Calls(Vec<Caller>);

struct Caller {
    person: usize,
    room: String,
    seat: Seat,
    spoken: u64,
}

impl Calls {
    /// Waits until everybody in a room hears the others, too.
    pub(super) async fn note(crowd: &Crowd) -> Result<Self> {
        until("everybody in a room hears somebody", || {
            crowd.callers().all(|(_, person)| hears_somebody(person))
        })
        .await?;
        let mut callers = Vec::new();
        for (number, person) in crowd.callers() {
            let Part::Caller(room) = &person.part else {
                continue;
            };
            let Some(seat) = person.record().seat.clone() else {
                continue;
            };
            callers.push(Caller {
                person: number,
                room: room.clone(),
                spoken: seat.voice.spoken().await?,
                seat,
            });
        }
        Ok(Self(callers))
    }

    /// The longest time without a packet between two who sat on another SFU than the killed one;
    /// `None` if there are no such two. Who had to take another place was silent for ever.
    pub(super) async fn longest_silence(
        &self,
        crowd: &Crowd,
        killed_media_port: Option<u16>,
    ) -> Result<Option<Duration>> {
        let mut longest = None;
        for speaker in &self.0 {
            if killed_media_port == Some(speaker.seat.media_port) {
                continue;
            }
            // The last packets may be on their way.
            let end = speaker.seat.voice.spoken().await?.saturating_sub(50);
            for listener in &self.0 {
                if listener.room != speaker.room || listener.person == speaker.person {
                    continue;
                }
                let reception = listener.seat.voice.reception();
                let tag = speaker.seat.voice.tag();
                let mut silence = reception.longest_silence_of(tag, speaker.spoken..end);
                // Of the last second of the round, something has to be there.
                if reception.first_from(tag, end.saturating_sub(50)).is_none() {
                    silence = Duration::MAX;
                }
                for caller in [speaker, listener] {
                    let seat = &crowd.people[caller.person].record().seat;
                    let sits = seat.as_ref().map(|seat| seat.number);
                    if sits != Some(caller.seat.number) {
                        silence = Duration::MAX;
                    }
                }
                longest = longest.max(Some(silence));
            }
        }
        Ok(longest)
    }
}

/// Whether anything of anybody ever came to where the person sits.
pub(super) fn hears_somebody(person: &Person) -> bool {
    let seat = person.record().seat.clone();
    seat.is_some_and(|seat| {
        let voice = Arc::clone(&seat.voice);
        let reception = voice.reception();
        !reception.names().is_empty()
    })
}
