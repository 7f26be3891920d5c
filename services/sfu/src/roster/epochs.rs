//! The highest epochs of rooms that nobody sits in any more, so that a signaling process that
//! has lost a room has to learn of it before it makes it anew.

use std::collections::VecDeque;

use gryt_model::{Epoch, RoomId};

/// Rooms remembered, over all workers: a room that comes back may live on another one.
const MOST: usize = 1_024;

/// Epochs of empty rooms, the longest empty first. Bounded: when it is full, the room that is
/// empty longest is forgotten, and any epoch may make it anew.
#[derive(Debug, Default)]
pub(crate) struct Epochs {
    empty: VecDeque<(RoomId, Epoch)>,
}

impl Epochs {
    /// Notes the highest epoch of a room that has become empty.
    pub(crate) fn remember(&mut self, room: RoomId, epoch: Epoch) {
        self.forget(&room);
        if self.empty.len() >= MOST {
            self.empty.pop_front();
        }
        self.empty.push_back((room, epoch));
    }

    /// The highest epoch that was seen of an empty room.
    pub(crate) fn highest(&self, room: &RoomId) -> Option<Epoch> {
        let known = self.empty.iter().find(|(known, _)| known == room);
        known.map(|(_, epoch)| *epoch)
    }

    /// The room is there again and keeps its epoch itself.
    pub(crate) fn forget(&mut self, room: &RoomId) {
        self.empty.retain(|(known, _)| known != room);
    }
}

#[cfg(test)]
mod tests {
    use gryt_model::{ChannelId, ServerId};

    use super::*;

    fn room(number: usize) -> RoomId {
        let mut channel = [0; 16];
        channel[..8].copy_from_slice(&(number as u64).to_be_bytes());
        RoomId {
            server: ServerId::from_random([1; 16]),
            channel: ChannelId::from_random(channel),
        }
    }

    #[test]
    fn the_room_that_is_empty_longest_is_forgotten_first() {
        let mut epochs = Epochs::default();
        for number in 0..MOST {
            epochs.remember(room(number), Epoch(7));
        }
        epochs.remember(room(0), Epoch(8));
        epochs.remember(room(MOST), Epoch(9));
        assert_eq!(epochs.highest(&room(0)), Some(Epoch(8)));
        assert_eq!(epochs.highest(&room(1)), None);
        assert_eq!(epochs.highest(&room(2)), Some(Epoch(7)));
        assert_eq!(epochs.empty.len(), MOST);
    }
}
