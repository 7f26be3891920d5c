//! Several processes and nodes, with every message on its way for as long as it likes: once all have
//! arrived, everybody says the same.

use std::collections::VecDeque;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// A new session of the member connects to the process.
    Connect {
        m: u8,
        p: usize,
    },
    /// The session asks for a place.
    Join {
        s: usize,
        r: u8,
    },
    Leave {
        s: usize,
    },
    SetVoice {
        s: usize,
        muted: bool,
    },
    /// The socket is gone.
    Lose {
        s: usize,
    },
    /// A new session of the process goes on for an old one, wherever that was.
    Resume {
        s: usize,
        p: usize,
    },
    /// The process's oldest call to a node reaches it.
    Call {
        p: usize,
        n: usize,
    },
    /// The node's oldest reply reaches the process.
    Reply {
        p: usize,
        n: usize,
    },
    /// The oldest event of its stream reaches the process.
    Event {
        p: usize,
        n: usize,
    },
    /// A node loses somebody.
    Silence {
        n: usize,
        i: usize,
    },
    /// A node dies; another life begins at its address.
    Crash {
        n: usize,
    },
    /// A stream breaks and stays so for a while.
    Unhear {
        p: usize,
        n: usize,
    },
    /// A process dies; another one starts in its place.
    Kill {
        p: usize,
        calls_arrive: bool,
    },
    /// A stream breaks, if it has not, and is opened again.
    Rewatch {
        p: usize,
        n: usize,
    },
    Close {
        r: u8,
    },
    Pass {
        ms: u64,
    },
}

const PROCESSES: usize = 3;
const NODES: usize = 2;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (m, p, r, s, i) = (0u8..3, 0..PROCESSES, 0u8..2, 0usize..8, 0usize..4);
    let n = 0..NODES;
    let at = (p.clone(), n.clone());
    let step = prop_oneof![
        3 => (m, p.clone()).prop_map(|(m, p)| Step::Connect { m, p }),
        6 => (s.clone(), r.clone()).prop_map(|(s, r)| Step::Join { s, r }),
        2 => s.clone().prop_map(|s| Step::Leave { s }),
        2 => (s.clone(), any::<bool>()).prop_map(|(s, muted)| Step::SetVoice { s, muted }),
        2 => s.clone().prop_map(|s| Step::Lose { s }),
        4 => (s, p.clone()).prop_map(|(s, p)| Step::Resume { s, p }),
        12 => at.clone().prop_map(|(p, n)| Step::Call { p, n }),
        12 => at.clone().prop_map(|(p, n)| Step::Reply { p, n }),
        12 => at.clone().prop_map(|(p, n)| Step::Event { p, n }),
        1 => (n.clone(), i).prop_map(|(n, i)| Step::Silence { n, i }),
        1 => n.prop_map(|n| Step::Crash { n }),
        1 => at.clone().prop_map(|(p, n)| Step::Unhear { p, n }),
        1 => (p, any::<bool>())
            .prop_map(|(p, calls_arrive)| Step::Kill { p, calls_arrive }),
        1 => at.prop_map(|(p, n)| Step::Rewatch { p, n }),
        1 => r.prop_map(|r| Step::Close { r }),
        2 => (0u64..20_000).prop_map(|ms| Step::Pass { ms }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What the shell of one process would hold.
struct Process {
    watcher: WatcherId,
    rooms: Rooms,
    links: [Link; NODES],
    /// Who was announced.
    announced: BTreeMap<Seated, VoiceState>,
}

/// What is on its way between a process and a node.
#[derive(Default)]
struct Link {
    calls: VecDeque<Effect>,
    replies: VecDeque<Command>,
    stream: VecDeque<Command>,
    watches: bool,
}

impl Link {
    /// What the node said is lost; what the process found out by itself is not.
    fn interrupt(&mut self) {
        let by_itself =
            |said: &Command| matches!(said, Command::NodeSilent { .. } | Command::NodeGone { .. });
        self.stream.retain(by_itself);
    }
}

/// A node, in one of its lives.
#[derive(Default)]
struct Place {
    life: u8,
    seats: BTreeMap<Seated, TakenSeat>,
    seats_given: u64,
    /// The highest that each room was commanded at.
    epochs: BTreeMap<RoomId, Epoch>,
}

impl Place {
    /// As the node tells of it.
    fn taken(&self, seat: &Seated) -> Option<TakenSeat> {
        Some(TakenSeat {
            epoch: *self.epochs.get(&seat.room)?,
            ..self.seats.get(seat)?.clone()
        })
    }
}

#[derive(Debug, Clone)]
struct Client {
    session: SessionId,
    member: u8,
    process: usize,
    /// The process as it was: sockets die with it.
    watcher: WatcherId,
}

struct Several {
    processes: Vec<Process>,
    nodes: [Place; NODES],
    clients: Vec<Client>,
    sessions: u128,
    watchers: u8,
    now: Instant,
}

fn id_of(n: usize, life: u8) -> NodeId {
    node(u8::try_from(n).unwrap() * 100 + life)
}

fn node_of(id: &NodeId) -> (usize, u8) {
    let lives = (0..NODES).flat_map(|n| (0..100).map(move |life| (n, life)));
    lives
        .into_iter()
        .find(|(n, life)| id_of(*n, *life) == *id)
        .unwrap()
}

impl Several {
    fn new() -> Self {
        let mut several = Self {
            processes: Vec::new(),
            nodes: Default::default(),
            clients: Vec::new(),
            sessions: 0,
            watchers: 0,
            now: epoch_start(),
        };
        for p in 0..PROCESSES {
            let process = several.process();
            several.processes.push(process);
            for n in 0..NODES {
                several.watch(p, n);
            }
        }
        several
    }

    fn process(&mut self) -> Process {
        self.watchers += 1;
        let watcher = watcher(self.watchers);
        Process {
            rooms: Rooms::new(Start {
                watcher: watcher.clone(),
                // Some begin at the same instant.
                epoch: Epoch(u64::from(self.watchers / 2)),
                // The same for all: ids collide all the time.
                first_participant: ParticipantId::new(u32::MAX - 1).unwrap(),
                capacity: 3,
            }),
            watcher,
            links: Default::default(),
            announced: BTreeMap::new(),
        }
    }

    fn session(&mut self) -> SessionId {
        self.sessions += 1;
        SessionId::from_random(self.sessions.to_be_bytes())
    }

    fn tell(&mut self, p: usize, command: Command) {
        let is_join = matches!(command, Command::Join(_));
        let now = self.now;
        let process = &mut self.processes[p];
        let effects = process.rooms.handle(command, now);
        let answers = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Seat { .. } | Effect::Refuse { .. }))
            .count();
        assert!(!is_join || answers == 1, "a join is answered once");
        self.perform(p, effects);
    }

    fn perform(&mut self, p: usize, effects: Vec<Effect>) {
        let process = &mut self.processes[p];
        for effect in effects {
            match effect {
                Effect::Joined { room, participant } => {
                    let seat = Seated {
                        room,
                        participant: participant.id,
                    };
                    let before = process.announced.insert(seat, participant.holder.voice);
                    assert_eq!(before, None, "told twice of {participant:?}");
                }
                Effect::Updated { room, participant } => {
                    let seat = Seated {
                        room,
                        participant: participant.id,
                    };
                    let before = process.announced.insert(seat, participant.holder.voice);
                    assert!(before.is_some(), "never told of {participant:?}");
                }
                Effect::Left(seat) => {
                    let before = process.announced.remove(&seat);
                    assert!(before.is_some(), "left unseen: {seat:?}");
                }
                Effect::Ended { .. } | Effect::Refuse { .. } => {}
                Effect::Seat { ref order, .. }
                | Effect::Unseat { ref order, .. }
                | Effect::SetCapabilities { ref order, .. }
                | Effect::SetHolder { ref order, .. } => {
                    let (n, life) = node_of(&order.node);
                    if life == self.nodes[n].life {
                        process.links[n].calls.push_back(effect);
                    } else if let Effect::Seat { order, .. } = effect {
                        let refused = refused_seat(order);
                        process.links[n].replies.push_back(refused);
                    }
                }
                Effect::SetAudibleLimit { .. } => {}
            }
        }
        check(&process.rooms, &process.announced);
    }

    fn publish(&mut self, n: usize, event: &Command) {
        for process in &mut self.processes {
            let link = &mut process.links[n];
            if link.watches {
                link.stream.push_back(event.clone());
            }
        }
    }

    fn publish_seat(&mut self, n: usize, seat: &Seated) {
        if let Some(taken) = self.nodes[n].taken(seat) {
            let node = self.id(n);
            self.publish(n, &Command::SeatSeen { node, taken });
        }
    }

    fn id(&self, n: usize) -> NodeId {
        id_of(n, self.nodes[n].life)
    }

    /// Opens a stream, which begins with what is.
    fn watch(&mut self, p: usize, n: usize) {
        let came = Command::WatcherCame {
            node: self.id(n),
            watcher: self.processes[p].watcher.clone(),
        };
        self.publish(n, &came);
        self.processes[p].links[n].watches = true;
        let watching = self.processes.iter().filter(|p| p.links[n].watches);
        let snapshot = Command::NodeSnapshot {
            node: self.id(n),
            taken: self.nodes[n]
                .seats
                .keys()
                .filter_map(|seat| self.nodes[n].taken(seat))
                .collect(),
            watchers: watching.map(|process| process.watcher.clone()).collect(),
            seats_given: self.nodes[n].seats_given,
        };
        self.processes[p].links[n].stream.push_back(snapshot);
    }

    /// Ends a stream: what was on its way is lost.
    fn unwatch(&mut self, p: usize, n: usize) {
        let link = &mut self.processes[p].links[n];
        link.interrupt();
        if std::mem::replace(&mut link.watches, false) {
            let gone = Command::WatcherGone {
                node: self.id(n),
                watcher: self.processes[p].watcher.clone(),
            };
            self.publish(n, &gone);
        }
    }

    fn crash(&mut self, n: usize) {
        let gone = self.id(n);
        let life = self.nodes[n].life + 1;
        self.nodes[n] = Place {
            life,
            ..Place::default()
        };
        for p in 0..PROCESSES {
            let link = &mut self.processes[p].links[n];
            let unanswered = std::mem::take(&mut link.calls);
            link.interrupt();
            link.watches = false;
            for call in unanswered {
                if let Effect::Seat { order, .. } = call {
                    link.replies.push_back(refused_seat(order));
                }
            }
            link.stream
                .push_back(Command::NodeSilent { node: gone.clone() });
            link.stream
                .push_back(Command::NodeGone { node: gone.clone() });
        }
        for p in 0..PROCESSES {
            self.watch(p, n);
        }
    }

    /// The node carries a call out.
    fn carry_out(&mut self, p: usize, n: usize, call: Effect) {
        let node = self.id(n);
        let place = &mut self.nodes[n];
        let replies = &mut self.processes[p].links[n].replies;
        if let Effect::Seat { order, .. }
        | Effect::Unseat { order, .. }
        | Effect::SetHolder { order, .. }
        | Effect::SetCapabilities { order, .. } = &call
        {
            // A caller with a lower one is told, and calls again with this.
            let highest = place.epochs.entry(order.room.clone()).or_default();
            *highest = order.epoch.max(*highest);
        }
        match call {
            Effect::Seat {
                order,
                holder,
                capabilities,
                audible_limit,
            } => {
                let seat = seat(&order);
                let there = place
                    .seats
                    .get(&seat)
                    .and_then(|taken| taken.holder.as_ref());
                if there.is_some_and(|there| there.session != holder.session) {
                    replies.push_back(Command::IdTaken { node, seat });
                    return;
                }
                place.seats_given += 1;
                let number = place.seats_given;
                let taken = TakenSeat {
                    seat: seat.clone(),
                    holder: Some(holder),
                    capabilities,
                    audible_limit,
                    number,
                    epoch: order.epoch,
                };
                place.seats.insert(seat.clone(), taken);
                replies.push_back(Command::SeatTaken {
                    node,
                    seat: seat.clone(),
                    number,
                });
                self.publish_seat(n, &seat);
            }
            Effect::Unseat { order, held_by } => {
                let seat = seat(&order);
                let there = place
                    .seats
                    .get(&seat)
                    .and_then(|taken| taken.holder.as_ref());
                if there.is_none_or(|there| Some(&there.session) != held_by.as_ref()) {
                    return;
                }
                if let Some(TakenSeat { number, .. }) = place.seats.remove(&seat) {
                    self.publish(n, &Command::SeatLeft { node, seat, number });
                }
            }
            Effect::SetHolder {
                order,
                from,
                holder,
            } => {
                let seat = seat(&order);
                let known = place.seats.get_mut(&seat).filter(|taken| {
                    let there = taken.holder.as_ref().map(|holder| &holder.session);
                    there == Some(&from) || there == Some(&holder.session)
                });
                if let Some(taken) = known {
                    taken.holder = Some(holder);
                    self.publish_seat(n, &seat);
                } else {
                    replies.push_back(Command::HolderRefused { node, seat });
                }
            }
            Effect::SetCapabilities {
                order,
                member,
                capabilities,
            } => {
                let seat = seat(&order);
                if let Some(taken) = place.seats.get_mut(&seat)
                    && taken
                        .holder
                        .as_ref()
                        .is_some_and(|there| there.member == member)
                {
                    taken.capabilities = capabilities;
                }
                self.publish_seat(n, &seat);
            }
            Effect::SetAudibleLimit { .. }
            | Effect::Joined { .. }
            | Effect::Updated { .. }
            | Effect::Left(_)
            | Effect::Ended { .. }
            | Effect::Refuse { .. } => {}
        }
    }

    fn client(&self, s: usize) -> Option<Client> {
        let all = self.clients.len();
        let client = self.clients.get(s % all.max(1))?;
        let lives = self.processes[client.process].watcher == client.watcher;
        lives.then(|| client.clone())
    }

    fn connect(&mut self, m: u8, p: usize) -> SessionId {
        let session = self.session();
        self.clients.push(Client {
            session: session.clone(),
            member: m,
            process: p,
            watcher: self.processes[p].watcher.clone(),
        });
        session
    }

    fn step(&mut self, step: &Step) {
        self.now += Duration::from_millis(1);
        match *step {
            Step::Connect { m, p } => {
                self.connect(m, p);
            }
            Step::Join { s, r } => {
                if let Some(client) = self.client(s) {
                    let join = Join {
                        session: client.session,
                        member: member(client.member),
                        room: room(r),
                        audible_limit: AudibleLimit::default(),
                        voice: VoiceState::default(),
                        capabilities: MAY_SPEAK,
                    };
                    self.tell(client.process, Command::Join(join));
                }
            }
            Step::Leave { s } => {
                if let Some(Client {
                    session, process, ..
                }) = self.client(s)
                {
                    self.tell(process, Command::Leave { session });
                }
            }
            Step::SetVoice { s, muted } => {
                if let Some(Client {
                    session, process, ..
                }) = self.client(s)
                {
                    let voice = VoiceState {
                        muted,
                        ..VoiceState::default()
                    };
                    self.tell(process, Command::SetVoiceState { session, voice });
                }
            }
            Step::Lose { s } => {
                if let Some(Client {
                    session, process, ..
                }) = self.client(s)
                {
                    self.clients.retain(|client| client.session != session);
                    self.tell(process, Command::SessionLost { session });
                }
            }
            Step::Resume { s, p } => {
                // Also for sessions whose process has died.
                let all = self.clients.len();
                if let Some(old) = self.clients.get(s % all.max(1)).cloned() {
                    let to = self.connect(old.member, p);
                    self.clients.retain(|client| client.session != old.session);
                    let resumed = Command::SessionResumed {
                        from: old.session.clone(),
                        to,
                        member: member(old.member),
                    };
                    self.tell(p, resumed);
                    // The old socket ends sooner or later.
                    if self.processes[old.process].watcher == old.watcher {
                        let session = old.session;
                        self.tell(old.process, Command::SessionLost { session });
                    }
                }
            }
            Step::Call { p, n } => {
                if let Some(call) = self.processes[p].links[n].calls.pop_front() {
                    self.carry_out(p, n, call);
                }
            }
            Step::Reply { p, n } => {
                if let Some(reply) = self.processes[p].links[n].replies.pop_front() {
                    self.tell(p, reply);
                }
            }
            Step::Event { p, n } => {
                if let Some(event) = self.processes[p].links[n].stream.pop_front() {
                    self.tell(p, event);
                }
            }
            Step::Silence { n, i } => {
                if let Some(seat) = self.nodes[n].seats.keys().nth(i).cloned() {
                    let lost = self.nodes[n].seats.remove(&seat);
                    let number = lost.map_or(0, |taken| taken.number);
                    let node = self.id(n);
                    self.publish(n, &Command::MediaLost { node, seat, number });
                }
            }
            Step::Crash { n } => self.crash(n),
            Step::Kill { p, calls_arrive } => {
                for n in 0..NODES {
                    if calls_arrive {
                        while let Some(call) = self.processes[p].links[n].calls.pop_front() {
                            self.carry_out(p, n, call);
                        }
                    }
                    self.unwatch(p, n);
                }
                self.processes[p] = self.process();
                for n in 0..NODES {
                    self.watch(p, n);
                }
            }
            Step::Unhear { p, n } => {
                self.unwatch(p, n);
                let silent = Command::NodeSilent { node: self.id(n) };
                self.processes[p].links[n].stream.push_back(silent);
            }
            Step::Rewatch { p, n } => {
                self.unwatch(p, n);
                self.watch(p, n);
            }
            Step::Close { r } => {
                for p in 0..PROCESSES {
                    self.tell(p, Command::CloseRoom { room: room(r) });
                }
            }
            Step::Pass { ms } => self.pass(Duration::from_millis(ms)),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for p in 0..PROCESSES {
            let now = self.now;
            let rooms = &mut self.processes[p].rooms;
            let effects = rooms.handle_timeout(now);
            assert!(rooms.poll_timeout().is_none_or(|at| at > now));
            self.perform(p, effects);
        }
    }

    /// Everything that is on its way arrives.
    fn settle(&mut self) {
        for (p, n) in (0..PROCESSES).flat_map(|p| (0..NODES).map(move |n| (p, n))) {
            if !self.processes[p].links[n].watches {
                self.step(&Step::Rewatch { p, n });
            }
        }
        for _ in 0..10_000 {
            let mut links = self.processes.iter().flat_map(|process| &process.links);
            let is_quiet = links.all(|link| {
                link.calls.is_empty() && link.replies.is_empty() && link.stream.is_empty()
            });
            if is_quiet {
                return;
            }
            for p in 0..PROCESSES {
                for n in 0..NODES {
                    self.step(&Step::Call { p, n });
                    self.step(&Step::Reply { p, n });
                    self.step(&Step::Event { p, n });
                }
            }
        }
        panic!("they never come to an end");
    }
}

fn refused_seat(order: SeatOrder) -> Command {
    Command::SeatRefused {
        seat: seat(&order),
        node: order.node,
    }
}

fn seat(order: &SeatOrder) -> Seated {
    Seated {
        room: order.room.clone(),
        participant: order.participant,
    }
}

/// What holds in one process after each step.
fn check(rooms: &Rooms, announced: &BTreeMap<Seated, VoiceState>) {
    let mut seats = 0;
    for (id, room) in &rooms.by_id {
        assert!(!room.participants.is_empty(), "an empty room stays");
        for (participant_id, participant) in &room.participants {
            seats += 1;
            let here = Seated {
                room: id.clone(),
                participant: *participant_id,
            };
            if rooms.is_own(participant) {
                let place = rooms.places.get(&participant.holder.session);
                assert_eq!(place, Some(&here), "places and rooms differ");
            }
            let kept = participant
                .kept_until
                .map(|until| (until, Deadline::Place(here.clone())));
            assert!(kept.is_none_or(|kept| rooms.deadlines.contains(&kept)));
        }
    }
    let on_nodes: usize = rooms.nodes.values().map(|node| node.seats).sum();
    assert_eq!(on_nodes, seats, "a node's load is miscounted");
    assert!(rooms.places.len() <= seats, "a session sits nowhere");
    let known: BTreeSet<_> = rooms
        .participants()
        .map(|(room, participant)| Seated {
            room: room.clone(),
            participant: participant.id,
        })
        .collect();
    let told: BTreeSet<_> = announced.keys().cloned().collect();
    assert_eq!(known, told, "the world was told otherwise");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn all_processes_say_in_the_end_what_the_node_says(steps in steps()) {
        let mut several = Several::new();
        for step in steps {
            several.step(&step);
        }
        several.settle();
        // Whoever lost their process or socket has had the time to come back.
        several.pass(FOUND_GRACE);
        several.settle();
        several.pass(FOUND_GRACE);
        several.settle();

        let Several { processes, nodes, .. } = &several;
        let seats = || nodes.iter().flat_map(|node| &node.seats);
        let on_nodes: BTreeMap<_, _> = seats()
            .filter_map(|(seat, taken)| Some((seat.clone(), taken.holder.clone()?.voice)))
            .collect();
        let mut people = BTreeSet::new();
        let mut sessions = BTreeSet::new();
        for (seat, taken) in seats() {
            let holder = taken.holder.as_ref().unwrap();
            let place = (seat.room.clone(), holder.member.clone());
            prop_assert!(people.insert(place), "a member sits twice in a room");
            prop_assert!(sessions.insert(holder.session.clone()), "a session sits twice");
            let serves = processes.iter().any(|process| process.watcher == holder.watcher);
            prop_assert!(serves, "nobody serves who sits there");
        }
        for room in (0..2).map(room) {
            let places = nodes.iter().filter(|node| node.seats.keys().any(|seat| seat.room == room));
            prop_assert!(places.count() < 2, "a room is on two nodes");
        }
        for process in processes {
            prop_assert_eq!(&process.announced, &on_nodes);
            for client in &several.clients {
                let sits = process.rooms.seat_of(&client.session);
                let held = seats().map(|(_, taken)| taken).find(|taken| {
                    let holder = taken.holder.as_ref().unwrap();
                    holder.session == client.session && holder.watcher == process.watcher
                });
                prop_assert_eq!(sits.map(|order| seat(&order)), held.map(|t| t.seat.clone()));
            }
        }
    }
}
