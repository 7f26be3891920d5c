//! What holds whatever happens in whichever order.

use std::collections::BTreeMap;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Command(Command),
    /// The node answers its oldest order.
    Answer(bool),
    /// The node loses one of those who sit there.
    Lose(usize),
    /// The node is heard with everyone who sits there.
    Hear,
    /// The process ends, another one starts and hears the node.
    Restart,
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (s, m, r) = (0u8..5, 0u8..3, 0u8..3);
    let step = prop_oneof![
        6 => (s.clone(), m, r.clone()).prop_map(|(s, m, r)| Step::Command(join(s, m, r))),
        6 => proptest::bool::weighted(0.8).prop_map(Step::Answer),
        2 => s.clone().prop_map(|s| Step::Command(Command::Leave { session: session(s) })),
        2 => s.clone().prop_map(|s| Step::Command(Command::SessionLost { session: session(s) })),
        2 => (s.clone(), s.clone(), 0u8..3).prop_map(|(from, to, m)| {
            Step::Command(Command::SessionResumed {
                from: session(from),
                to: session(to),
                member: member(m),
            })
        }),
        1 => (s, any::<bool>()).prop_map(|(s, muted)| {
            Step::Command(Command::SetVoiceState {
                session: session(s),
                voice: VoiceState { muted, ..VoiceState::default() },
            })
        }),
        1 => r.prop_map(|r| Step::Command(Command::CloseRoom { room: room(r) })),
        1 => Just(Step::Command(Command::NodeSilent { node: node(NODE) })),
        1 => Just(Step::Command(Command::NodeDraining { node: node(NODE) })),
        1 => Just(Step::Hear),
        1 => Just(Step::Restart),
        1 => (0usize..5).prop_map(Step::Lose),
        2 => (0u64..20_000).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What the world outside knows from the effects alone.
#[derive(Default)]
struct Outside {
    orders: Vec<TakenSeat>,
    /// Who sits on the node, and what it knows of them.
    seats: BTreeMap<Seated, TakenSeat>,
    /// Who was announced.
    announced: BTreeSet<Seated>,
}

impl Outside {
    fn perform(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Seat {
                    order,
                    holder,
                    capabilities,
                    audible_limit,
                } => self.orders.push(TakenSeat {
                    seat: seat(order),
                    holder: Some(holder.clone()),
                    capabilities: *capabilities,
                    audible_limit: *audible_limit,
                }),
                Effect::SetHolder { order, holder } => {
                    let seat = seat(order);
                    let ordered = self.orders.iter_mut().find(|taken| taken.seat == seat);
                    if let Some(taken) = self.seats.get_mut(&seat).or(ordered) {
                        taken.holder = Some(holder.clone());
                    }
                }
                Effect::Unseat(order) => {
                    self.seats.remove(&seat(order));
                }
                Effect::Joined { room, participant } => {
                    let fresh = self.announced.insert(Seated {
                        room: room.clone(),
                        participant: participant.id,
                    });
                    assert!(fresh, "told twice of {participant:?}");
                }
                Effect::Updated { room, participant } => {
                    assert!(self.announced.contains(&Seated {
                        room: room.clone(),
                        participant: participant.id,
                    }));
                }
                Effect::Left(seat) => {
                    assert!(self.announced.remove(seat), "left unseen: {seat:?}");
                }
                Effect::SetCapabilities { .. }
                | Effect::SetAudibleLimit { .. }
                | Effect::Ended { .. }
                | Effect::Refuse { .. } => {}
            }
        }
    }
}

fn heard(outside: &Outside, asked_at: Instant) -> Command {
    Command::NodeSnapshot {
        node: node(NODE),
        taken: outside.seats.values().cloned().collect(),
        asked_at,
    }
}

fn start(epoch: u64) -> Rooms {
    Rooms::new(Start {
        epoch: Epoch(epoch),
        first_participant: ParticipantId::new(u32::MAX - 3).unwrap(),
        capacity: 2,
    })
}

fn seat(order: &SeatOrder) -> Seated {
    Seated {
        room: order.room.clone(),
        participant: order.participant,
    }
}

fn check(rooms: &Rooms, outside: &Outside) {
    let mut seats = 0;
    for (id, room) in &rooms.by_id {
        assert!(!room.participants.is_empty(), "an empty room stays");
        let members: BTreeSet<_> = room
            .participants
            .values()
            .map(|p| &p.holder.member)
            .collect();
        assert_eq!(
            members.len(),
            room.participants.len(),
            "a member sits twice"
        );
        for (participant_id, participant) in &room.participants {
            seats += 1;
            let place = rooms.places.get(&participant.holder.session);
            let here = Seated {
                room: id.clone(),
                participant: *participant_id,
            };
            assert_eq!(place, Some(&here), "places and rooms differ");
            let kept = participant
                .kept_until
                .map(|until| (until, Deadline::Place(participant.holder.session.clone())));
            assert!(kept.is_none_or(|kept| rooms.deadlines.contains(&kept)));
            let known = outside
                .seats
                .get(&here)
                .and_then(|taken| taken.holder.as_ref());
            assert!(known.is_none_or(|holder| *holder == participant.holder));
        }
    }
    assert_eq!(seats, rooms.places.len(), "a session sits twice or nowhere");
    let on_nodes: usize = rooms.nodes.values().map(|node| node.seats).sum();
    assert!(on_nodes <= seats);
    let announced: BTreeSet<_> = rooms
        .participants()
        .map(|(room, participant)| Seated {
            room: room.clone(),
            participant: participant.id,
        })
        .collect();
    assert_eq!(announced, outside.announced, "the world was told otherwise");
}

proptest! {
    #[test]
    fn world_outside_always_knows_who_is_there(steps in steps()) {
        let mut epoch = 1;
        let mut rooms = start(epoch);
        let mut now = epoch_start();
        let mut outside = Outside::default();
        rooms.handle(heard(&outside, now), now);
        for step in steps {
            now += Duration::from_millis(1);
            let effects = match step {
                Step::Command(command) => {
                    let is_join = matches!(command, Command::Join(_));
                    let effects = rooms.handle(command, now);
                    let answers = effects
                        .iter()
                        .filter(|e| matches!(e, Effect::Seat { .. } | Effect::Refuse { .. }))
                        .count();
                    prop_assert!(!is_join || answers == 1, "a join is answered once");
                    effects
                }
                Step::Answer(takes) => {
                    if outside.orders.is_empty() {
                        continue;
                    }
                    let taken = outside.orders.remove(0);
                    let seat = taken.seat.clone();
                    if takes {
                        // Its giving up may be queued behind the order.
                        if rooms.participant(&seat).is_some() {
                            outside.seats.insert(seat.clone(), taken);
                        }
                        rooms.handle(Command::SeatTaken { seat }, now)
                    } else {
                        rooms.handle(Command::SeatRefused { seat }, now)
                    }
                }
                Step::Lose(n) => {
                    let Some(seat) = outside.seats.keys().nth(n).cloned() else {
                        continue;
                    };
                    outside.seats.remove(&seat);
                    rooms.handle(Command::MediaLost { seat }, now)
                }
                Step::Hear => rooms.handle(heard(&outside, now), now),
                Step::Restart => {
                    epoch += 1;
                    rooms = start(epoch);
                    outside.orders.clear();
                    outside.announced.clear();
                    let effects = rooms.handle(heard(&outside, now), now);
                    prop_assert_eq!(rooms.seats(), outside.seats.len(), "a call does not go on");
                    effects
                }
                Step::Pass(ms) => {
                    now += Duration::from_millis(ms);
                    let effects = rooms.handle_timeout(now);
                    prop_assert!(rooms.poll_timeout().is_none_or(|at| at > now));
                    effects
                }
            };
            outside.perform(&effects);
            check(&rooms, &outside);
        }
        // Once the node is heard again, it holds exactly those who sit.
        let effects = rooms.handle(heard(&outside, now), now);
        outside.perform(&effects);
        check(&rooms, &outside);
        let taken: BTreeSet<_> = outside.announced.clone();
        prop_assert!(taken.iter().all(|seat| outside.seats.contains_key(seat)));
    }
}
