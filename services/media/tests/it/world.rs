//! A node and its clients on one virtual clock. Links are perfect and instant; tests that want
//! others take the datagrams in their own hands.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use gryt_media::{
    Capabilities, Certificate, Event, EventKind, Node, NodeConfig, Path, Place, Refusal, Seat,
};
use gryt_model::{AudibleLimit, ChannelId, Epoch, ParticipantId, RoomId, ServerId};

use crate::client::Client;

pub(crate) const FRAME: Duration = Duration::from_millis(20);

pub(crate) const TALKER: Capabilities = Capabilities {
    may_speak: true,
    may_show: false,
};

/// Making one takes longer than anything else here.
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| Certificate::generate().unwrap());

pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) now: Instant,
    pub(crate) clients: BTreeMap<u32, Client>,
    pub(crate) events: Vec<(u32, EventKind)>,
    /// Offers that came by event, by participant.
    pub(crate) offers: BTreeMap<u32, usize>,
    pub(crate) limit: AudibleLimit,
    by_path: BTreeMap<Path, u32>,
    next_check: Instant,
}

pub(crate) fn room() -> RoomId {
    RoomId {
        server: ServerId::from_random([1; 16]),
        channel: ChannelId::from_random([2; 16]),
    }
}

pub(crate) fn place(id: u32) -> Place {
    Place {
        room: room(),
        epoch: Epoch(5),
        participant: ParticipantId::new(id).unwrap(),
    }
}

pub(crate) fn limit(value: u32) -> AudibleLimit {
    AudibleLimit::new(value).unwrap()
}

impl World {
    pub(crate) fn new(audible: u32) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock")]
        let now = Instant::now();
        let config = NodeConfig {
            candidates: vec![([10, 0, 0, 1], 8_081).into()],
            certificate: CERTIFICATE.clone(),
            max_participants: 64,
            worker: 3,
        };
        Self {
            node: Node::new(config, [9; 32]),
            now,
            clients: BTreeMap::new(),
            events: Vec::new(),
            offers: BTreeMap::new(),
            limit: limit(audible),
            by_path: BTreeMap::new(),
            next_check: now,
        }
    }

    /// A room with these participants, connected.
    pub(crate) fn with(audible: u32, ids: impl IntoIterator<Item = u32>) -> Self {
        let mut world = Self::new(audible);
        for id in ids {
            world.join(id);
        }
        world.offers.clear();
        world
    }

    pub(crate) fn seat(&self, id: u32) -> Seat {
        Seat {
            place: place(id),
            capabilities: TALKER,
            audible_limit: self.limit,
        }
    }

    /// Seats a participant and runs its handshake.
    pub(crate) fn join(&mut self, id: u32) {
        self.enter(id).unwrap();
        for _ in 0..20 {
            self.pass(FRAME);
            if self.clients[&id].is_connected() {
                return;
            }
        }
        panic!("participant {id} does not connect");
    }

    /// Seats a participant; its handshake begins with the next step.
    pub(crate) fn enter(&mut self, id: u32) -> Result<(), Refusal> {
        let seat = self.seat(id);
        let offer = self.node.seat(seat, self.now)?;
        let mut client = Client::new(id, &offer.sdp, self.now);
        let answer = client.answer(&offer.sdp);
        self.node
            .answer(&place(id), offer.revision, &answer, self.now)?;
        // Browsers check every few dozen milliseconds, which also pays for the server's flight.
        client.outbox.extend([client.check(), client.check()]);
        self.by_path.insert(client.path, id);
        self.clients.insert(id, client);
        self.pump();
        Ok(())
    }

    /// Moves the clock and lets everybody do what is due.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.node.handle_timeout(self.now);
            self.pump();
        }
        self.now = end;
        let checks = self.now >= self.next_check;
        if checks {
            self.next_check = self.now + Duration::from_secs(5);
        }
        for client in self.clients.values_mut() {
            client.tick(self.now);
            if checks {
                let check = client.check();
                client.outbox.push(check);
            }
        }
        self.pump();
    }

    /// Each of these sends one packet, spread over 20 ms.
    pub(crate) fn speak(&mut self, speakers: &[u32]) {
        let count = u32::try_from(speakers.len()).unwrap().max(1);
        for id in speakers {
            let packet = self.packet(*id);
            self.deliver(*id, packet);
            self.pass(FRAME / count);
        }
    }

    /// This participant's next packet.
    pub(crate) fn packet(&mut self, id: u32) -> Vec<u8> {
        self.clients.get_mut(&id).unwrap().speak(self.now)
    }

    /// Hands a datagram of this participant to the node.
    pub(crate) fn deliver(&mut self, id: u32, mut datagram: Vec<u8>) {
        let path = self.clients[&id].path;
        self.node.handle_datagram(path, &mut datagram, self.now);
        self.pump();
    }

    /// Carries datagrams and events until nobody has any.
    pub(crate) fn pump(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(transmit) = self.node.poll_output() {
                quiet = false;
                let id = self.by_path.get(&transmit.path);
                if let Some(client) = id.and_then(|id| self.clients.get_mut(id)) {
                    client.receive(transmit.datagram, self.now);
                }
            }
            while let Some(event) = self.node.poll_event() {
                quiet = false;
                self.happen(event);
            }
            for client in self.clients.values_mut() {
                for mut datagram in std::mem::take(&mut client.outbox) {
                    quiet = false;
                    self.node
                        .handle_datagram(client.path, &mut datagram, self.now);
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let id = event.participant.get();
        if let EventKind::OfferReady(offer) = &event.kind {
            *self.offers.entry(id).or_default() += 1;
            if let Some(client) = self.clients.get_mut(&id) {
                let answer = client.answer(&offer.sdp);
                self.node
                    .answer(&place(id), offer.revision, &answer, self.now)
                    .unwrap();
            }
        }
        self.events.push((id, event.kind));
    }
}
