//! One thread: owns a socket and every room placed on it. Nothing here is shared but the roster,
//! so nothing on a packet's way locks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use gryt_media::{Node, Refusal, Transmit};
use gryt_proto::sfu::v1;

use crate::convert;
use crate::inbox::{Command, Order, Outcome};
use crate::inquiries::Inquiries;
use crate::metrics::Totals;
use crate::roster::{NotHeld, Roster};
use crate::socket::{Batch, Socket};

/// Everything that the thread owns or sees.
pub(crate) struct Worker {
    pub(crate) node: Node,
    pub(crate) socket: Socket,
    pub(crate) poll: mio::Poll,
    pub(crate) orders: Receiver<Order>,
    pub(crate) inquiries: Inquiries,
    pub(crate) roster: Arc<Roster>,
    pub(crate) totals: Arc<Totals>,
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Orders taken per turn: packets never wait for more than these.
const ORDERS_PER_TURN: usize = 8;

/// How often the kernel is asked for its drops.
const KERNEL_FIGURES_INTERVAL: Duration = Duration::from_secs(1);

/// A socket that fails for good must not take the whole core.
const BREATH: Duration = Duration::from_millis(5);

#[expect(
    clippy::disallowed_methods,
    reason = "the shell's one clock on the packet's way"
)]
fn clock() -> Instant {
    Instant::now()
}

impl Worker {
    /// Runs until told to stop.
    pub(crate) fn run(mut self) {
        let mut batch = Batch::new();
        let mut events = mio::Events::with_capacity(4);
        let mut kernel_figures_due = clock();
        while !self.stopping.load(Ordering::Relaxed) {
            let mut now = clock();
            if self.node.poll_timeout().is_some_and(|due| due <= now) {
                self.node.handle_timeout(now);
                self.drain();
            }
            let busy = self.take_orders(now);

            match self.socket.receive(&mut batch) {
                Ok(()) => self.feed(&mut batch, now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.totals.record(self.node.counters());
                    if !busy {
                        self.sleep(&mut events, KERNEL_FIGURES_INTERVAL);
                    }
                }
                // One sender's ICMP error, or memory pressure: the next call mostly goes on.
                Err(error) => {
                    tracing::debug!(%error, "cannot receive");
                    self.sleep(&mut events, BREATH);
                }
            }

            now = clock();
            if now >= kernel_figures_due {
                kernel_figures_due = now + KERNEL_FIGURES_INTERVAL;
                self.totals.record(self.node.counters());
                if let Ok(drops) = self.socket.receive_queue_drops() {
                    self.totals.record_receive_queue_drops(drops);
                }
            }
        }
        self.totals.record(self.node.counters());
    }

    /// Feeds a batch with the same `now`.
    fn feed(&mut self, batch: &mut Batch, now: Instant) {
        let bound = self.socket.local().ip();
        for (path, datagram) in batch.datagrams(bound) {
            let occupancy = || self.roster.census().occupancy();
            if let Some(answer) = self.inquiries.answer(datagram, occupancy, now) {
                let datagram = &answer;
                send(&self.socket, &self.totals, Transmit { path, datagram });
                continue;
            }
            self.node.handle_datagram(path, datagram, now);
            self.drain();
        }
    }

    /// Sends what the node has to send, and tells what it has to tell.
    fn drain(&mut self) {
        while let Some(transmit) = self.node.poll_output() {
            send(&self.socket, &self.totals, transmit);
        }
        while let Some(event) = self.node.poll_event() {
            self.roster.happened(event);
        }
    }

    /// Takes a bounded number of orders; true when there may be more.
    fn take_orders(&mut self, now: Instant) -> bool {
        for _ in 0..ORDERS_PER_TURN {
            let (command, reply) = match self.orders.try_recv() {
                Ok(Order::Command(command, reply)) => (command, reply),
                Ok(Order::Announce(candidates)) => {
                    self.node.set_candidates(candidates);
                    continue;
                }
                Ok(Order::Trust(key)) => {
                    self.inquiries.trust(key);
                    continue;
                }
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => {
                    self.stopping.store(true, Ordering::Relaxed);
                    return false;
                }
            };
            let outcome = self.carry_out(command, now);
            self.drain();
            // The caller may have gone; the outcome stands all the same.
            drop(reply.send(outcome));
        }
        true
    }

    fn carry_out(&mut self, command: Command, now: Instant) -> Outcome {
        let (room, epoch) = command.room();
        let room = room.clone();
        let carried_out = self.command(command, now);
        if !matches!(carried_out, Err(Refusal::StaleEpoch { .. })) {
            self.roster.commanded(&room, epoch);
        }
        carried_out.unwrap_or_else(|refusal| Outcome::Refused(convert::refusal(&refusal)))
    }

    /// The node first, then the roster: it shows what is.
    fn command(&mut self, command: Command, now: Instant) -> Result<Outcome, Refusal> {
        match command {
            Command::Seat(seat, holder) => {
                let participant = seat.place.participant;
                let offer = self.node.seat(seat.clone(), now)?;
                let number = self.roster.seated(&seat, holder);
                let offer = convert::offer(participant, offer);
                return Ok(Outcome::Seated(offer, number));
            }
            Command::Answer {
                place,
                revision,
                sdp,
            } => {
                self.node.answer(&place, revision, &sdp, now)?;
                self.roster.answered(&place, revision);
            }
            Command::SetCapabilities {
                place,
                member,
                capabilities,
            } => {
                let of = |holder: &v1::Holder| holder.member_id == member;
                if !member.is_empty() && !self.roster.may_be_held(&place, of) {
                    return Ok(Outcome::Refused(convert::taken()));
                }
                self.node.set_capabilities(&place, capabilities)?;
                self.roster.permitted(&place, capabilities);
            }
            Command::SetHolder { place, change } => {
                self.node.fence(&place)?;
                match self.roster.hold(&place, change) {
                    Ok(()) => {}
                    Err(NotHeld::Refused(refusal)) => return Err(refusal),
                    Err(NotHeld::Taken) => return Ok(Outcome::Refused(convert::taken())),
                }
            }
            Command::SetAudibleLimit {
                room,
                epoch,
                audible_limit,
            } => {
                self.node
                    .set_audible_limit(&room, epoch, audible_limit, now)?;
                self.roster.limited(&room, audible_limit);
            }
            Command::Leave { place, held_by } => {
                let of = |holder: &v1::Holder| holder.session_id == held_by;
                if !held_by.is_empty() && !self.roster.may_be_held(&place, of) {
                    return Ok(Outcome::Refused(convert::taken()));
                }
                self.node.leave(&place)?;
                // Before the room may go: its epoch is remembered then.
                self.roster.commanded(&place.room, place.epoch);
                self.roster.left(&place.room, place.participant);
            }
        }
        Ok(Outcome::Done)
    }

    /// Sleeps until a datagram, an order or the node's deadline.
    fn sleep(&mut self, events: &mut mio::Events, most: Duration) {
        let timeout = self
            .node
            .poll_timeout()
            .map(|due| due.saturating_duration_since(clock()));
        let timeout = timeout.unwrap_or(most).min(most);
        match self.poll.poll(events, Some(timeout)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => tracing::error!(%error, "cannot sleep"),
        }
    }
}

fn send(socket: &Socket, totals: &Totals, transmit: Transmit<'_>) {
    if let Err(error) = socket.send(transmit) {
        totals.unsent();
        tracing::trace!(%error, "cannot send");
    }
}
