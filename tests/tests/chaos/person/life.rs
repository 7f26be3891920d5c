//! The task behind a person.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::client_frame::Request;
use gryt_proto::client::v1::event::Event;
use gryt_proto::client::v1::reply::Result as Reply;
use gryt_proto::client::v1::server_frame::Frame;
use gryt_proto::client::v1::{Reason, ServerFrame};
use gryt_tests::clock;
use gryt_tests::evidence::{Acknowledged, Key, Place, Sent};
use gryt_tests::socket::open_bare;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::call::Call;
use super::reading::Reading;
use super::talk::{Ask, Talk};
use super::{Greeting, Part, Record, Setting, lock};

/// After a refusal that will pass.
const SEND_AGAIN: Duration = Duration::from_millis(500);
/// One in so many messages is sent on a socket that is cut at once, so that nobody hears the answer.
const UNHEARD_ANSWERS: u32 = 100;
const NEVER: Duration = Duration::from_secs(3600);

pub(super) struct Life {
    number: u32,
    token: String,
    setting: Arc<Setting>,
    record: Arc<Mutex<Record>>,
    dice: StdRng,
    load: watch::Receiver<Option<Duration>>,
    writes: bool,
    listens: bool,
    call: Option<Call>,
    reading: Option<Reading>,
    next_due: Option<Instant>,
    outgoing: Option<Outgoing>,
    messages_made: u32,
    /// The socket ends by the person's own will.
    cuts_off: bool,
}

/// A message that is not acknowledged. Its last entry in the record says when it was sent.
struct Outgoing {
    key: Key,
    send_at: Instant,
}

impl Life {
    pub(super) fn new(
        number: u32,
        part: &Part,
        token: String,
        setting: Arc<Setting>,
        record: Arc<Mutex<Record>>,
        seed: u64,
    ) -> Self {
        let call = match part {
            Part::Caller(channel) => Some(Call::new(number, channel.clone())),
            Part::Writer | Part::Listener => None,
        };
        let mut load = setting.load.clone();
        load.mark_changed();
        Self {
            number,
            token,
            setting,
            record,
            dice: StdRng::seed_from_u64(seed),
            load,
            writes: *part != Part::Listener,
            listens: *part == Part::Listener,
            call,
            reading: None,
            next_due: None,
            outgoing: None,
            messages_made: 0,
            cuts_off: false,
        }
    }

    pub(super) async fn live(mut self) {
        loop {
            if let Ok(socket) = open_bare(&self.setting.site, &self.token).await {
                self.cuts_off = false;
                // Ends with the socket.
                let _ = self.converse(Talk::new(socket)).await;
                let at = self.setting.now();
                let mut record = lock(&self.record);
                if std::mem::take(&mut record.is_connected) && !self.cuts_off {
                    record.losses.push(at);
                }
            }
            let pause = Duration::from_millis(self.dice.random_range(100..400));
            tokio::time::sleep(pause).await;
        }
    }

    /// Until the socket is lost, which `None` says all the way up.
    async fn converse(&mut self, mut talk: Talk) -> Option<()> {
        let hello = {
            let record = lock(&self.record);
            let resume = record.following.place().map(|place| wire::Cursor {
                epoch: place.epoch.clone(),
                event_id: place.event_id,
            });
            wire::Hello {
                protocol_version: 1,
                resume,
                session_id: record.session_id.clone(),
            }
        };
        talk.ask(Ask::Hello, Request::Hello(hello)).await?;
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.send_at = clock::now();
        }
        loop {
            let wake = self.due(&talk);
            tokio::select! {
                message = talk.socket.next() => match message {
                    Some(Ok(Message::Binary(bytes))) => {
                        let frame = ServerFrame::decode(bytes).ok()?.frame?;
                        self.take(&mut talk, frame).await?;
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Text(_) | Message::Close(_) | Message::Frame(_)) | Err(_))
                    | None => return None,
                },
                () = tokio::time::sleep_until(wake.into()) => self.act(&mut talk).await?,
                Ok(()) = self.load.changed() => self.change_load(),
            }
        }
    }

    /// When [`Self::act`] has something to do.
    fn due(&self, talk: &Talk) -> Instant {
        let mut due = talk.due();
        if talk.is_greeted {
            let may = |ask, at: Option<Instant>| at.filter(|_| !talk.waits_for(ask));
            let send = self.outgoing.as_ref().map(|outgoing| outgoing.send_at);
            let reading = self.reading.as_ref().map(|reading| reading.read_at);
            let join = self.call.as_ref().and_then(Call::due);
            due = [
                may(Ask::Send, send.or(self.next_due)),
                may(Ask::Fetch, reading),
                may(Ask::Join, join),
            ]
            .into_iter()
            .flatten()
            .fold(due, Instant::min);
        }
        due
    }

    async fn act(&mut self, talk: &mut Talk) -> Option<()> {
        let now = clock::now();
        talk.keep_up(now).await?;
        if !talk.is_greeted {
            return Some(());
        }
        self.make_message(now);
        self.send_message(talk, now).await?;
        if let Some(call) = &self.call
            && call.due().is_some_and(|due| due <= now)
            && !talk.waits_for(Ask::Join)
        {
            talk.ask(Ask::Join, call.join()).await?;
        }
        if let Some(reading) = &self.reading
            && reading.read_at <= now
            && !talk.waits_for(Ask::Fetch)
        {
            let request = reading.request(self.setting.text_channel.clone());
            talk.ask(Ask::Fetch, request).await?;
        }
        Some(())
    }

    /// The load began, or ended: what is due by then and was not sent is not sent any more.
    fn change_load(&mut self) {
        let interval = *self.load.borrow_and_update();
        self.next_due = interval.filter(|_| self.writes).map(|interval| {
            // Spread evenly, so that the rate of all is steady.
            clock::now() + interval.mul_f64(self.dice.random())
        });
        self.note_oldest();
    }

    fn note_oldest(&self) {
        let mut record = lock(&self.record);
        let due_next = self.next_due.map(|due| self.since_began(due));
        let oldest = record.sent.last().filter(|_| self.outgoing.is_some());
        record.oldest_due = oldest.map(|sent| sent.due).or(due_next);
    }

    fn since_began(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.setting.began)
    }

    fn make_message(&mut self, now: Instant) {
        let (None, Some(due)) = (&self.outgoing, self.next_due.filter(|due| *due <= now)) else {
            return;
        };
        let interval = self.load.borrow().unwrap_or(NEVER);
        self.next_due = Some(due + interval);
        let key = Key {
            sender: self.number,
            number: self.messages_made,
        };
        self.messages_made += 1;
        self.outgoing = Some(Outgoing { key, send_at: now });
        lock(&self.record).sent.push(Sent {
            key,
            due: self.since_began(due),
            sent_at: self.since_began(now),
            tries: 0,
            acknowledged: None,
        });
        self.note_oldest();
    }

    async fn send_message(&mut self, talk: &mut Talk, now: Instant) -> Option<()> {
        let Some(outgoing) = self.outgoing.as_ref().filter(|out| out.send_at <= now) else {
            return Some(());
        };
        if talk.waits_for(Ask::Send) {
            return Some(());
        }
        let is_first = {
            let mut record = lock(&self.record);
            let sent = record.sent.last_mut()?;
            sent.tries += 1;
            sent.tries == 1
        };
        let request = Request::SendMessage(wire::SendMessage {
            channel_id: self.setting.text_channel.clone(),
            text: outgoing.key.text(),
            nonce: outgoing.key.nonce(),
            attachments: Vec::new(),
        });
        talk.ask(Ask::Send, request).await?;
        // Who talks keeps the socket: a place in a room is held for seconds only.
        self.cuts_off =
            is_first && self.call.is_none() && self.dice.random_ratio(1, UNHEARD_ANSWERS);
        (!self.cuts_off).then_some(())
    }

    async fn take(&mut self, talk: &mut Talk, frame: Frame) -> Option<()> {
        match frame {
            Frame::Goodbye(_) => None,
            Frame::Event(event) => self.notice(talk, event).await,
            Frame::Reply(reply) => {
                let ask = talk.answered(reply.request_id)?;
                self.hear(talk, ask, reply.result?).await
            }
        }
    }

    async fn hear(&mut self, talk: &mut Talk, ask: Ask, reply: Reply) -> Option<()> {
        match (ask, reply) {
            (Ask::Hello, Reply::Welcome(welcome)) => {
                talk.is_greeted = true;
                self.greet(welcome);
            }
            // The server cannot greet anybody yet.
            (Ask::Hello, _) => return None,
            (Ask::Send, Reply::SentMessage(sent)) => {
                let message_id = sent.message?.message_id;
                let at = self.setting.now();
                self.outgoing = None;
                if let Some(sent) = lock(&self.record).sent.last_mut() {
                    sent.acknowledged = Some(Acknowledged { message_id, at });
                }
                self.note_oldest();
            }
            (Ask::Send, Reply::Refusal(refusal)) => self.put_off(&refusal),
            (Ask::Join, Reply::VoiceOffer(offer)) => {
                let call = self.call.as_mut()?;
                match call.sit(offer).await {
                    Some((seat, answer)) => {
                        lock(&self.record).seat = Some(seat);
                        talk.ask(Ask::Answer, answer).await?;
                    }
                    None => call.refused(),
                }
            }
            (Ask::Join, _) => self.call.as_mut()?.refused(),
            (Ask::Answer, Reply::Refusal(refusal)) if refusal.reason() != Reason::StaleOffer => {
                self.call.as_mut()?.refused();
            }
            (Ask::Fetch, Reply::MessagePage(page)) => self.read(&page),
            (Ask::Fetch, _) => {
                if let Some(reading) = &mut self.reading {
                    reading.refused();
                }
            }
            (Ask::Ping | Ask::Answer, _) => {}
            (Ask::Send, other) => {
                let complaint = format!("a message was answered by {other:?}");
                lock(&self.record).complaints.push(complaint);
            }
        }
        Some(())
    }

    fn put_off(&mut self, refusal: &wire::Refusal) {
        let passing = [Reason::Internal, Reason::RateLimited, Reason::GoingAway];
        if !passing.contains(&refusal.reason()) {
            let complaint = format!("a message was refused: {refusal:?}");
            lock(&self.record).complaints.push(complaint);
        }
        lock(&self.record).last_refusal = format!("{refusal:?}");
        if let Some(outgoing) = &mut self.outgoing {
            let wait = Duration::from_millis(refusal.retry_after_ms.into());
            outgoing.send_at = clock::now() + wait.max(SEND_AGAIN);
        }
    }

    fn greet(&mut self, welcome: wire::Welcome) {
        let at = self.setting.now();
        let cursor = welcome.cursor.unwrap_or_default();
        let place = Place {
            epoch: cursor.epoch,
            event_id: cursor.event_id,
        };
        let live = welcome.live.unwrap_or_default();
        if let Some(call) = &mut self.call
            && !call.is_kept(&live.participants)
        {
            call.lose();
        }
        let mut record = lock(&self.record);
        record.is_connected = true;
        record.session_id = welcome.session_id;
        if let Some(me) = welcome.me {
            record.member_id = me.member_id;
        }
        if welcome.resumed {
            if let Err(violation) = record.following.resume(place) {
                record.violations.push(violation);
            }
            record.greetings.push((at, Greeting::Resumed));
        } else {
            record.following.begin(place);
            record.greetings.push((at, Greeting::Snapshot));
            if self.listens {
                self.reading = Some(Reading::down_to(record.newest_message));
            }
        }
        if self.listens {
            record.online = live.online_member_ids.into_iter().collect();
        }
    }

    async fn notice(&mut self, talk: &mut Talk, event: wire::Event) -> Option<()> {
        let wire::Event { event_id, event } = event;
        if event_id != 0 {
            self.follow(event_id, event.as_ref());
        }
        match event {
            Some(Event::PresenceChanged(change)) if self.listens => {
                let mut record = lock(&self.record);
                match change.online {
                    true => record.online.insert(change.member_id),
                    false => record.online.remove(&change.member_id),
                };
            }
            Some(Event::VoiceOffer(offer)) => {
                if let Some(answer) = self.call.as_ref()?.sit_on(offer).await {
                    talk.ask(Ask::Answer, answer).await?;
                }
            }
            Some(Event::VoiceEnded(_)) => {
                if let Some(call) = &mut self.call {
                    call.lose();
                }
            }
            Some(_) | None => {}
        }
        Some(())
    }

    fn follow(&self, event_id: u64, event: Option<&Event>) {
        let mut record = lock(&self.record);
        let record = &mut *record;
        let place = match record.following.event(event_id) {
            Ok(place) => place.cloned(),
            Err(violation) => {
                record.violations.push(violation);
                record.following.place().cloned()
            }
        };
        if !self.listens {
            return;
        }
        let message = match event {
            Some(Event::MessageCreated(message)) => Some(message.message_id),
            Some(_) | None => None,
        };
        record.heard.messages.extend(message);
        record.newest_message = record.newest_message.max(message.unwrap_or(0));
        if let Some(place) = place {
            record.heard.events.insert(place, message);
        }
    }

    fn read(&mut self, page: &wire::MessagePage) {
        let ids = page.messages.iter().map(|message| message.message_id);
        lock(&self.record).heard.messages.extend(ids);
        if let Some(reading) = &mut self.reading
            && !reading.turn(page)
        {
            self.reading = None;
        }
    }
}
