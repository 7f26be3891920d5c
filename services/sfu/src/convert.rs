//! `gryt.sfu.v1` to commands and back. Bad input dies here.

use gryt_media::{Capabilities, Event, EventKind, LossCause, Place, Refusal, Seat};
use gryt_model::{AudibleLimit, Epoch, ParticipantId, RoomId};
use gryt_proto::sfu::v1;
use gryt_proto::sfu::v1::watch_response::Event as WatchEvent;

use crate::inbox::{Command, HolderChange};

/// A call that was read whole.
#[derive(Debug)]
pub(crate) struct Call {
    /// Names the call.
    pub(crate) request_id: String,
    /// What it asks for.
    pub(crate) command: Command,
}

/// Makes a refusal of a fixed code.
pub(crate) fn refused(refusal: v1::Refusal, message: impl Into<String>) -> v1::Refused {
    v1::Refused {
        refusal: refusal.into(),
        message: message.into(),
        highest_epoch: 0,
    }
}

/// Another session holds the place.
pub(crate) fn taken() -> v1::Refused {
    refused(v1::Refusal::Taken, "the place is another session's")
}

fn malformed(message: impl Into<String>) -> v1::Refused {
    refused(v1::Refusal::Malformed, message)
}

struct Context {
    request_id: String,
    room: RoomId,
    epoch: Epoch,
}

fn context(wire: Option<v1::CallContext>) -> Result<Context, v1::Refused> {
    let v1::CallContext {
        request_id,
        room,
        epoch,
    } = wire.ok_or_else(|| malformed("the context is missing"))?;
    if !is_name(&request_id) {
        return Err(malformed(
            "the request id is not 1 to 64 visible ASCII characters",
        ));
    }
    let v1::Room {
        server_id,
        channel_id,
    } = room.ok_or_else(|| malformed("the room is missing"))?;
    let room = RoomId {
        server: server_id
            .parse()
            .map_err(|error| malformed(format!("{error}")))?,
        channel: channel_id
            .parse()
            .map_err(|error| malformed(format!("{error}")))?,
    };
    Ok(Context {
        request_id,
        room,
        epoch: Epoch(epoch),
    })
}

/// The call's name and the place that it is about.
fn place(wire: Option<v1::CallContext>, participant: u32) -> Result<(String, Place), v1::Refused> {
    let Context {
        request_id,
        room,
        epoch,
    } = context(wire)?;
    let participant =
        ParticipantId::new(participant).ok_or_else(|| malformed("the participant id is 0"))?;
    let place = Place {
        room,
        epoch,
        participant,
    };
    Ok((request_id, place))
}

fn capabilities(wire: Option<v1::Capabilities>) -> Result<Capabilities, v1::Refused> {
    let v1::Capabilities {
        may_speak,
        may_show,
    } = wire.ok_or_else(|| malformed("the capabilities are missing"))?;
    Ok(Capabilities {
        may_speak,
        may_show,
    })
}

fn audible_limit(wire: u32) -> Result<AudibleLimit, v1::Refused> {
    AudibleLimit::new(wire).ok_or_else(|| malformed("the audible limit is not 1 to 32"))
}

const MAX_NAME_BYTES: usize = 64;

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Checks the name of a process that watches.
pub(crate) fn watcher(name: &str) -> Result<(), &'static str> {
    let error = "the watcher's name is not 1 to 64 visible ASCII characters";
    is_name(name).then_some(()).ok_or(error)
}

fn holder(holder: v1::Holder) -> Result<v1::Holder, v1::Refused> {
    let v1::Holder {
        member_id,
        session_id,
        watcher,
        ..
    } = &holder;
    if [member_id, session_id, watcher]
        .into_iter()
        .all(|name| is_name(name))
    {
        Ok(holder)
    } else {
        Err(malformed(
            "the holder's names are not 1 to 64 visible ASCII characters",
        ))
    }
}

pub(crate) fn seat(wire: v1::SeatRequest) -> Result<Call, v1::Refused> {
    let (request_id, place) = place(wire.context, wire.participant_id)?;
    let seat = Seat {
        place,
        capabilities: capabilities(wire.capabilities)?,
        audible_limit: audible_limit(wire.audible_limit)?,
    };
    let command = Command::Seat(seat, wire.holder.map(holder).transpose()?);
    Ok(Call {
        request_id,
        command,
    })
}

pub(crate) fn answer(wire: v1::AnswerRequest) -> Result<Call, v1::Refused> {
    let (request_id, place) = place(wire.context, wire.participant_id)?;
    let command = Command::Answer {
        place,
        revision: wire.revision,
        sdp: wire.sdp,
    };
    Ok(Call {
        request_id,
        command,
    })
}

pub(crate) fn set_capabilities(wire: v1::SetCapabilitiesRequest) -> Result<Call, v1::Refused> {
    let (request_id, place) = place(wire.context, wire.participant_id)?;
    let capabilities = capabilities(wire.capabilities)?;
    Ok(Call {
        request_id,
        command: Command::SetCapabilities {
            place,
            member: wire.member_id,
            capabilities,
        },
    })
}

pub(crate) fn set_holder(wire: v1::SetHolderRequest) -> Result<Call, v1::Refused> {
    let (request_id, place) = place(wire.context, wire.participant_id)?;
    let missing = || malformed("the holder is missing");
    let to = holder(wire.holder.ok_or_else(missing)?)?;
    let from = wire.from_session_id;
    Ok(Call {
        request_id,
        command: Command::SetHolder {
            place,
            change: HolderChange { from, to },
        },
    })
}

pub(crate) fn set_audible_limit(wire: v1::SetAudibleLimitRequest) -> Result<Call, v1::Refused> {
    let Context {
        request_id,
        room,
        epoch,
    } = context(wire.context)?;
    let audible_limit = audible_limit(wire.audible_limit)?;
    Ok(Call {
        request_id,
        command: Command::SetAudibleLimit {
            room,
            epoch,
            audible_limit,
        },
    })
}

pub(crate) fn leave(wire: v1::LeaveRequest) -> Result<Call, v1::Refused> {
    let (request_id, place) = place(wire.context, wire.participant_id)?;
    Ok(Call {
        request_id,
        command: Command::Leave {
            place,
            held_by: wire.session_id,
        },
    })
}

/// The wire form of a refusal by the node.
pub(crate) fn refusal(refusal: &Refusal) -> v1::Refused {
    let mut highest_epoch = 0;
    let code = match refusal {
        Refusal::StaleEpoch { highest } => {
            highest_epoch = highest.0;
            v1::Refusal::StaleEpoch
        }
        Refusal::UnknownRoom => v1::Refusal::UnknownRoom,
        Refusal::UnknownParticipant => v1::Refusal::UnknownParticipant,
        Refusal::Full { .. } => v1::Refusal::Full,
        Refusal::BadAnswer { .. } => v1::Refusal::BadAnswer,
        Refusal::StaleOffer { .. } => v1::Refusal::StaleOffer,
    };
    v1::Refused {
        highest_epoch,
        ..refused(code, refusal.to_string())
    }
}

/// The wire form of an offer.
pub(crate) fn offer(participant: ParticipantId, offer: gryt_media::Offer) -> v1::Offer {
    let gryt_media::Offer { revision, sdp } = offer;
    v1::Offer {
        participant_id: participant.get(),
        revision,
        sdp,
    }
}

/// The wire form of what a participant may do.
pub(crate) fn wire_capabilities(capabilities: Capabilities) -> v1::Capabilities {
    let Capabilities {
        may_speak,
        may_show,
    } = capabilities;
    v1::Capabilities {
        may_speak,
        may_show,
    }
}

/// The wire form of a room's name.
pub(crate) fn room(room: &RoomId) -> v1::Room {
    v1::Room {
        server_id: room.server.to_string(),
        channel_id: room.channel.to_string(),
    }
}

/// The wire form of an event, with the number of the seat that it is about.
pub(crate) fn event(event: Event, number: u64) -> WatchEvent {
    let Event {
        room: id,
        participant,
        kind,
    } = event;
    let room = Some(room(&id));
    let participant_id = participant.get();
    match kind {
        EventKind::Connected => WatchEvent::Connected(v1::ParticipantConnected {
            room,
            participant_id,
        }),
        EventKind::Lost { cause } => {
            let cause = match cause {
                LossCause::Silent => v1::LossCause::Silent,
                LossCause::Closed => v1::LossCause::Closed,
                LossCause::NeverConnected => v1::LossCause::NeverConnected,
                LossCause::Expired => v1::LossCause::Expired,
            };
            WatchEvent::Lost(v1::ParticipantLost {
                room,
                participant_id,
                cause: cause.into(),
                number,
            })
        }
        EventKind::SpeakingChanged { speaking } => {
            WatchEvent::SpeakingChanged(v1::SpeakingChanged {
                room,
                participant_id,
                speaking,
            })
        }
        EventKind::OfferReady(ready) => WatchEvent::OfferReady(v1::OfferReady {
            room,
            offer: Some(offer(participant, ready)),
        }),
    }
}
