//! The one task that holds a process's connection: it writes what is published, in the order in
//! which it came, and hands what Redis tells to the subscribers, in the order of the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _};
use redis::PushInfo;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::outage::Outage;
use super::primary::Primary;
use super::record::{Heard, Number, Record};
use super::session::{Batch, Broken, Found, Names, Opened, Place, Session, told};
use crate::subscription::Told;
use crate::{EventId, LogEpoch};

/// How often a process says that it is there. A connection that hangs, a demoted Redis and a lost
/// log are noticed after this and one answer's time at the latest.
const PULSE: Duration = Duration::from_secs(2);
/// How many events are written at once at most.
const BATCH: usize = 64;
/// Events read from the log at once to fill a gap.
const GAP_PIECE: u32 = 256;
/// Live events that could not be told for so long are dropped: they say what no longer is.
const LIVE_FOR: Duration = Duration::from_secs(5);

/// An event that waits to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) record: Record,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// Tells its id to who waits for it. Who no longer waits is not served.
    Durable(oneshot::Sender<EventId>),
    /// Came at this instant.
    Live(Instant),
}

/// What the task shares with the bus.
#[derive(Debug)]
pub(super) struct Shared {
    /// The session to read with; what is wrong while there is none.
    pub(super) state: watch::Sender<State>,
    /// Live events that the full queue did not take.
    pub(super) dropped: AtomicU64,
    pub(super) subscribers: broadcast::Sender<Told>,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    Connecting(Option<Arc<Broken>>),
    Connected(Session),
}

/// The task's own.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) primary: Primary,
    pub(super) names: Arc<Names>,
    pub(super) process: String,
    pub(super) dice: StdRng,
    pub(super) queue: mpsc::Receiver<Outgoing>,
    pub(super) shared: Arc<Shared>,
    pub(super) progress: Progress,
}

/// What outlives a connection.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Up to where the subscribers were told.
    place: Option<Place>,
    /// What is being written.
    batch: Vec<Outgoing>,
    /// The number of the batch that was sent last, and whether its answer is still to come.
    number: u64,
    is_unanswered: bool,
    /// Live events that were dropped and are not told as lost yet.
    lost: u64,
    /// Written, and not yet told to our own subscribers.
    written: VecDeque<(u64, oneshot::Sender<EventId>)>,
}

impl Link {
    /// Runs until nobody can publish any more.
    pub(super) async fn run(mut self) {
        let mut outage = Outage::of("events");
        loop {
            let broken = match self.open().await {
                Ok(opened) => {
                    outage.end(Instant::now());
                    match self.serve(opened).await {
                        Ok(()) => return,
                        Err(broken) => broken,
                    }
                }
                Err(broken) => broken,
            };
            self.progress.let_go();
            let broken = Arc::new(broken);
            outage.begin(&broken, Instant::now());
            let why = Some(Arc::clone(&broken));
            self.shared.state.send_replace(State::Connecting(why));
            tokio::time::sleep(outage.pause(self.dice.random())).await;
            if self.queue.is_closed() {
                return;
            }
        }
    }

    async fn open(&mut self) -> Result<Opened, Broken> {
        let mut bits = [0; 16];
        self.dice.fill_bytes(&mut bits);
        let fresh = LogEpoch::from_random(bits);
        let seen = self.progress.place.as_ref();
        Session::open(&mut self.primary, &self.names, &fresh, seen).await
    }

    /// Serves until the connection breaks; `Ok` once nobody can publish any more.
    async fn serve(&mut self, opened: Opened) -> Result<(), Broken> {
        let Opened {
            session,
            connected,
            head,
            written,
        } = opened;
        let mut pushes = connected.pushes;
        self.progress.settle(written);
        self.catch_up(&session, head).await?;
        self.shared
            .state
            .send_replace(State::Connected(session.clone()));
        let mut writing = OptionFuture::from(self.write(&session));
        let mut pulsing = OptionFuture::from(None::<BoxFuture<'static, _>>);
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_pulsing = false;
        loop {
            tokio::select! {
                push = pushes.recv() => self.hear(&session, push.ok_or(Broken::Closed)?).await?,
                Some(first) = &mut writing, if self.progress.is_unanswered => {
                    self.progress.confirm(first?);
                }
                outgoing = self.queue.recv(), if !self.progress.is_unanswered => {
                    let Some(outgoing) = outgoing else { return Ok(()) };
                    self.collect(outgoing);
                    writing = self.write(&session).into();
                }
                _ = pulse.tick(), if !is_pulsing => {
                    let mut session = session.clone();
                    let asked: BoxFuture<'static, _> = Box::pin(async move { session.pulse().await });
                    pulsing = Some(asked).into();
                    is_pulsing = true;
                }
                Some(answer) = &mut pulsing, if is_pulsing => {
                    is_pulsing = false;
                    // Everything that was told before the answer waits in `pushes` already.
                    while let Ok(push) = pushes.try_recv() {
                        self.hear(&session, push).await?;
                    }
                    let (head, live) = answer?;
                    self.follow(&session, head, live).await?;
                }
            }
        }
    }

    /// Takes what waits together with the first event, so that they share one script's run.
    fn collect(&mut self, first: Outgoing) {
        let batch = &mut self.progress.batch;
        batch.push(first);
        while batch.len() < BATCH {
            let Ok(outgoing) = self.queue.try_recv() else {
                break;
            };
            batch.push(outgoing);
        }
        self.progress.drop_stale();
    }

    /// Sends the batch under a new number, if there is one or there are losses to tell.
    fn write(&mut self, session: &Session) -> Option<BoxFuture<'static, Result<u64, Broken>>> {
        let progress = &mut self.progress;
        progress.lost += self.shared.dropped.swap(0, Ordering::Relaxed);
        if progress.batch.is_empty() && progress.lost == 0 {
            return None;
        }
        progress.number += 1;
        progress.is_unanswered = true;
        let mark = format!("{}-{}", self.process, progress.number);
        let events = progress.batch.iter();
        let batch = Batch {
            number: progress.number,
            mark: &mark,
            lost: progress.lost,
            events: events
                .map(|outgoing| (matches!(outgoing.kind, Kind::Durable(_)), &outgoing.record))
                .collect(),
        };
        Some(session.append(&batch))
    }

    /// After opening: tells what was missed meanwhile, or that it is not known.
    async fn catch_up(&mut self, session: &Session, head: Place) -> Result<(), Broken> {
        let seen = self.progress.place.as_mut();
        match seen.filter(|seen| seen.epoch == head.epoch) {
            Some(seen) => {
                let is_same_run = !seen.run.is_empty() && seen.run == head.run;
                if !is_same_run || seen.live > head.live {
                    // With an older copy of the log the count may have gone back, and up again.
                    let lost = head.live.saturating_sub(seen.live).max(1);
                    seen.run.clone_from(&head.run);
                    self.lose(lost, head.live);
                }
                self.follow(session, head.event_id, head.live).await
            }
            None => {
                self.progress.place = Some(head);
                if self.shared.subscribers.receiver_count() > 0 {
                    self.tell(Told::Lost(1));
                }
                Ok(())
            }
        }
    }

    /// Takes one push.
    async fn hear(&mut self, session: &Session, push: PushInfo) -> Result<(), Broken> {
        let Some(payload) = told(&push)? else {
            return Ok(());
        };
        let Some(heard) = Heard::parse(payload) else {
            tracing::error!(
                "what came on the channel is no event, is another program writing there?"
            );
            return Ok(());
        };
        let place = self.progress.place.as_ref().ok_or(Broken::Unexpected)?;
        if heard.epoch != place.epoch.as_str() {
            return Err(Broken::OtherEpoch);
        }
        let (event_id, live) = (place.event_id, place.live);
        match heard.number {
            Number::Durable(id, mark) => {
                if id > event_id + 1 {
                    self.fill(session, id - 1).await?;
                }
                if id == self.reached() + 1 {
                    self.deliver(mark, heard.delivery);
                }
            }
            Number::Live(number) => {
                if number > live + 1 {
                    self.lose(number - live - 1, number - 1);
                }
                if number > live {
                    self.progress.heard_live(number);
                    self.tell(Told::Event(Arc::new(heard.delivery)));
                }
            }
        }
        Ok(())
    }

    /// Goes on to where the log is, if something was not told.
    async fn follow(&mut self, session: &Session, head: u64, live: u64) -> Result<(), Broken> {
        self.fill(session, head).await?;
        let known = self.progress.place.as_ref().map_or(0, |place| place.live);
        if live > known {
            self.lose(live - known, live);
        }
        Ok(())
    }

    /// Reads durable events from the log up to `head`.
    async fn fill(&mut self, session: &Session, head: u64) -> Result<(), Broken> {
        while self.reached() < head {
            let after = self.reached();
            let epoch = match &self.progress.place {
                Some(place) => place.epoch.clone(),
                None => return Err(Broken::Unexpected),
            };
            match session.clone().replay(&epoch, after, GAP_PIECE).await? {
                Found::Events(events) if events.is_empty() => return Err(Broken::Unexpected),
                Found::Events(events) => {
                    for (mark, delivery) in events {
                        self.deliver(mark, delivery);
                    }
                }
                Found::Trimmed(head, mark) => self.skip(head, mark),
                Found::OtherEpoch => return Err(Broken::OtherEpoch),
            }
        }
        Ok(())
    }

    fn deliver(&mut self, mark: String, delivery: crate::Delivery) {
        let id = delivery.event.event_id;
        self.tell(Told::Event(Arc::new(delivery)));
        self.progress.reach(id, mark);
    }

    /// Leaves out what the log has trimmed already.
    fn skip(&mut self, head: u64, mark: String) {
        let lost = head.saturating_sub(self.reached());
        self.tell(Told::Lost(lost));
        self.progress.reach(head, mark);
    }

    /// Says that live events were lost.
    fn lose(&mut self, count: u64, live: u64) {
        self.progress.heard_live(live);
        self.tell(Told::Lost(count));
    }

    fn tell(&self, told: Told) {
        // It fails if there is no subscriber, and then there is nobody to tell.
        let _ = self.shared.subscribers.send(told);
    }

    fn reached(&self) -> u64 {
        let place = self.progress.place.as_ref();
        place.map_or(0, |place| place.event_id)
    }
}

impl Progress {
    /// After opening: whether what was sent last is in the log. What is not is sent anew.
    fn settle(&mut self, written: Option<(u64, u64)>) {
        match written {
            Some((number, first)) if self.is_unanswered && number == self.number => {
                self.confirm(first);
            }
            Some(_) | None => {}
        }
        self.is_unanswered = false;
        self.drop_stale();
    }

    /// The batch is in the log, its first durable event under this id.
    fn confirm(&mut self, first: u64) {
        let mut id = first;
        self.is_unanswered = false;
        self.lost = 0;
        for outgoing in self.batch.drain(..) {
            if let Kind::Durable(waiting) = outgoing.kind {
                self.written.push_back((id, waiting));
                id += 1;
            }
        }
        self.release();
    }

    fn drop_stale(&mut self) {
        let now = Instant::now();
        let lost = &mut self.lost;
        self.batch.retain(|outgoing| match &outgoing.kind {
            Kind::Durable(waiting) => !waiting.is_closed(),
            Kind::Live(came) => {
                let is_fresh = now.duration_since(*came) < LIVE_FOR;
                *lost += u64::from(!is_fresh);
                is_fresh
            }
        });
    }

    fn reach(&mut self, event_id: u64, mark: String) {
        if let Some(place) = &mut self.place {
            place.event_id = event_id;
            place.mark = mark;
        }
        self.release();
    }

    fn heard_live(&mut self, live: u64) {
        if let Some(place) = &mut self.place {
            place.live = live;
        }
    }

    /// Answers those whose events our own subscribers have.
    fn release(&mut self) {
        let reached = self.place.as_ref().map_or(0, |place| place.event_id);
        while let Some((id, waiting)) = self.written.pop_front_if(|(id, _)| *id <= reached) {
            // Nobody may wait any more.
            let _ = waiting.send(EventId(id));
        }
    }

    /// The connection broke: what is in the log is in the log.
    fn let_go(&mut self) {
        for (id, waiting) in self.written.drain(..) {
            let _ = waiting.send(EventId(id));
        }
    }
}
