//! Events as they stand in the log and on the channel. A message's text lies beside its event, so
//! that it can be forgotten while the event stays.

use std::str;

use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::event::Event as Kind;
use prost::Message as _;

use crate::{Audience, Delivery, DurableEvent, LiveEvent};

/// An event on its way into the log.
#[derive(Debug)]
pub(super) struct Record {
    /// Its audience, a line feed, the event in protobuf without the message's text.
    pub(super) body: Vec<u8>,
    /// The message's text.
    pub(super) text: String,
    /// What `text` is about: audience and message id; empty if there is no text.
    pub(super) about: String,
    /// Which texts are to be forgotten: audience and message id, or a whole audience; or empty.
    pub(super) erased: String,
}

impl Record {
    pub(super) fn durable(event: DurableEvent) -> Self {
        let DurableEvent {
            mut event,
            audience,
        } = event;
        let audience = audience.to_text();
        let (mut text, mut about, mut erased) = (String::new(), String::new(), String::new());
        match &mut event.event {
            Some(Kind::MessageCreated(message) | Kind::MessageEdited(message)) => {
                text = std::mem::take(&mut message.text);
                about = format!("{audience} {}", message.message_id);
            }
            Some(Kind::MessageDeleted(deleted)) => {
                erased = format!("{audience} {}", deleted.message_id);
            }
            Some(Kind::ChannelDeleted(_)) => erased.clone_from(&audience),
            Some(
                Kind::ChannelCreated(_)
                | Kind::ChannelUpdated(_)
                | Kind::MemberUpdated(_)
                | Kind::PresenceChanged(_)
                | Kind::ParticipantJoined(_)
                | Kind::ParticipantUpdated(_)
                | Kind::ParticipantLeft(_)
                | Kind::SpeakingChanged(_)
                | Kind::VoiceOffer(_)
                | Kind::VoiceEnded(_),
            )
            | None => {}
        }
        Self {
            body: body(&audience, event),
            text,
            about,
            erased,
        }
    }

    pub(super) fn live(event: LiveEvent) -> Self {
        let LiveEvent { event, audience } = event;
        Self {
            body: body(&audience.to_text(), event),
            text: String::new(),
            about: String::new(),
            erased: String::new(),
        }
    }
}

fn body(audience: &str, event: wire::Event) -> Vec<u8> {
    let event = wire::Event {
        event_id: 0,
        ..event
    };
    let mut body = Vec::with_capacity(audience.len() + 1 + event.encoded_len());
    body.extend_from_slice(audience.as_bytes());
    body.push(b'\n');
    body.extend_from_slice(&event.encode_to_vec());
    body
}

/// Puts an event together again. One that this program cannot read, because a newer one wrote it,
/// keeps its place and tells nothing.
pub(super) fn delivery(event_id: u64, body: &[u8], text: &str) -> Delivery {
    let Some((audience, mut event)) = read(body) else {
        tracing::error!(event_id, "an event in the log cannot be read");
        return Delivery {
            event: wire::Event {
                event_id,
                event: None,
            },
            audience: Audience::Everyone,
        };
    };
    event.event_id = event_id;
    if let Some(Kind::MessageCreated(message) | Kind::MessageEdited(message)) = &mut event.event {
        text.clone_into(&mut message.text);
    }
    Delivery { event, audience }
}

fn read(body: &[u8]) -> Option<(Audience, wire::Event)> {
    let end = body.iter().position(|&byte| byte == b'\n')?;
    let audience = Audience::from_text(str::from_utf8(&body[..end]).ok()?)?;
    let event = wire::Event::decode(&body[end + 1..]).ok()?;
    Some((audience, event))
}

/// What a subscriber hears.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) epoch: String,
    pub(super) number: Number,
    pub(super) delivery: Delivery,
}

/// Where an event stands among its kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// The event id, and the mark of who wrote it when.
    Durable(u64, String),
    /// Counts the live events of a log; one that is left out was lost.
    Live(u64),
}

impl Heard {
    /// Reads what the append script tells: `kind epoch number mark length body text`, with spaces
    /// between all but the last two; `None` if it is damaged.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let mut parts = payload.splitn(6, |&byte| byte == b' ');
        let mut word = || str::from_utf8(parts.next()?).ok();
        let (kind, epoch, number) = (word()?, word()?, word()?.parse().ok()?);
        let (mark, length) = (word()?, word()?.parse().ok()?);
        let (body, text) = parts.next()?.split_at_checked(length)?;
        let text = str::from_utf8(text).ok()?;
        let (number, event_id) = match kind {
            "E" => (Number::Durable(number, mark.to_owned()), number),
            "L" => (Number::Live(number), 0),
            _ => return None,
        };
        Some(Self {
            epoch: epoch.to_owned(),
            number,
            delivery: delivery(event_id, body, text),
        })
    }
}

#[cfg(test)]
mod tests {
    use gryt_model::ChannelId;

    use super::*;

    fn told(text: &str) -> DurableEvent {
        let message = wire::Message {
            message_id: 7,
            text: text.to_owned(),
            ..wire::Message::default()
        };
        DurableEvent {
            event: wire::Event {
                event_id: 0,
                event: Some(Kind::MessageCreated(message)),
            },
            audience: Audience::Channel(ChannelId::from_random([1; 16])),
        }
    }

    #[test]
    fn record_keeps_the_text_apart_and_is_put_together_again() {
        let event = told("with a space\nand ünïcode");
        let record = Record::durable(event.clone());
        assert!(!String::from_utf8_lossy(&record.body).contains("space"));

        let mut payload = format!("E abc 12 me-3 {} ", record.body.len()).into_bytes();
        payload.extend_from_slice(&record.body);
        payload.extend_from_slice(record.text.as_bytes());
        let heard = Heard::parse(&payload).unwrap();

        assert_eq!(heard.epoch, "abc");
        assert_eq!(heard.number, Number::Durable(12, "me-3".into()));
        assert_eq!(heard.delivery.audience, event.audience);
        assert_eq!(heard.delivery.event.event_id, 12);
        assert_eq!(heard.delivery.event.event, event.event.event);
    }

    #[test]
    fn event_that_cannot_be_read_keeps_its_place_and_tells_nothing() {
        for body in ["", "everyone", "guests of tomorrow\n", "everyone\n\u{1}"] {
            let delivery = delivery(5, body.as_bytes(), "text");
            assert_eq!(delivery.event.event_id, 5);
            assert_eq!(delivery.event.event, None);
        }
    }

    #[test]
    fn damaged_payloads_are_nothing() {
        for payload in [
            "",
            "E",
            "E abc 1 m 5",
            "E abc x m 0 ",
            "E abc 1 m 99 everyone\n",
            "X abc 1 m 9 everyone\n",
        ] {
            assert!(Heard::parse(payload.as_bytes()).is_none(), "{payload}");
        }
    }
}
