//! Seats and who holds them: between `gryt.sfu.v1` and the rooms.

use gryt_model::{AudibleLimit, Epoch, ParticipantId, RoomId};
use gryt_proto::sfu::v1 as sfu;
use gryt_rooms::{Capabilities, Holder, Seated, TakenSeat, VoiceState};

/// `None` for what this version cannot read.
pub(super) fn seat(room: Option<&sfu::Room>, participant: u32) -> Option<Seated> {
    let room = room?;
    Some(Seated {
        room: RoomId {
            server: room.server_id.parse().ok()?,
            channel: room.channel_id.parse().ok()?,
        },
        participant: ParticipantId::new(participant)?,
    })
}

/// `None` for a seat that this version cannot read. One whose holder it cannot read has none.
pub(super) fn taken_seat(seated: &sfu::Seated) -> Option<TakenSeat> {
    let sfu::Capabilities {
        may_speak,
        may_show,
    } = seated.capabilities.unwrap_or_default();
    Some(TakenSeat {
        seat: seat(seated.room.as_ref(), seated.participant_id)?,
        holder: seated.holder.as_ref().and_then(holder),
        capabilities: Capabilities {
            may_speak,
            may_show,
        },
        audible_limit: AudibleLimit::new(seated.audible_limit).unwrap_or_default(),
        number: seated.number,
        epoch: Epoch(seated.epoch),
    })
}

fn holder(wire: &sfu::Holder) -> Option<Holder> {
    let sfu::Holder {
        member_id,
        session_id,
        muted,
        deafened,
        listen_only,
        watcher,
    } = wire;
    Some(Holder {
        member: member_id.parse().ok()?,
        session: session_id.parse().ok()?,
        watcher: watcher.parse().ok()?,
        voice: VoiceState {
            muted: *muted,
            deafened: *deafened,
            listen_only: *listen_only,
        },
    })
}

pub(super) fn wire_holder(holder: &Holder) -> sfu::Holder {
    let Holder {
        member,
        session,
        watcher,
        voice:
            VoiceState {
                muted,
                deafened,
                listen_only,
            },
    } = holder;
    sfu::Holder {
        member_id: member.to_string(),
        session_id: session.to_string(),
        watcher: watcher.to_string(),
        muted: *muted,
        deafened: *deafened,
        listen_only: *listen_only,
    }
}

pub(super) fn wire_capabilities(capabilities: Capabilities) -> sfu::Capabilities {
    let Capabilities {
        may_speak,
        may_show,
    } = capabilities;
    sfu::Capabilities {
        may_speak,
        may_show,
    }
}

#[cfg(test)]
mod tests {
    use gryt_model::{ChannelId, MemberId, ServerId, SessionId, WatcherId};

    use super::*;

    #[test]
    fn a_holder_comes_back_from_the_node_as_it_went() {
        let there = Holder {
            member: MemberId::from_random([1; 16]),
            session: SessionId::from_random([2; 16]),
            watcher: WatcherId::from_random([6; 16]),
            voice: VoiceState {
                muted: true,
                deafened: false,
                listen_only: true,
            },
        };
        let seated = sfu::Seated {
            room: Some(sfu::Room {
                server_id: ServerId::from_random([3; 16]).to_string(),
                channel_id: ChannelId::from_random([4; 16]).to_string(),
            }),
            participant_id: 5,
            speaking: false,
            holder: Some(wire_holder(&there)),
            capabilities: None,
            audible_limit: 7,
            number: 8,
            epoch: 9,
        };
        let taken = taken_seat(&seated).unwrap();
        assert_eq!(taken.holder, Some(there));
        assert_eq!(taken.audible_limit.get(), 7);
        assert!(!taken.capabilities.may_speak);

        let stranger = sfu::Seated {
            holder: Some(sfu::Holder::default()),
            ..seated
        };
        assert_eq!(taken_seat(&stranger).unwrap().holder, None);
    }
}
