//! What holds whatever happens in whichever order.

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
        1 => (0usize..5).prop_map(Step::Lose),
        2 => (0u64..20_000).prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..80)
}

/// What the world outside knows from the effects alone.
#[derive(Default)]
struct Outside {
    orders: Vec<Seated>,
    /// Who sits on the node.
    seats: BTreeSet<Seated>,
    /// Who was announced.
    announced: BTreeSet<Seated>,
}

impl Outside {
    fn perform(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Seat { order, .. } => self.orders.push(seat(order)),
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
        let members: BTreeSet<_> = room.participants.values().map(|p| &p.member).collect();
        assert_eq!(
            members.len(),
            room.participants.len(),
            "a member sits twice"
        );
        for (participant_id, participant) in &room.participants {
            seats += 1;
            let place = rooms.places.get(&participant.session);
            let here = Seated {
                room: id.clone(),
                participant: *participant_id,
            };
            assert_eq!(place, Some(&here), "places and rooms differ");
            let kept = participant
                .kept_until
                .map(|until| (until, Deadline::Place(participant.session.clone())));
            assert!(kept.is_none_or(|kept| rooms.deadlines.contains(&kept)));
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
        let mut rooms = Rooms::new(Start {
            epoch: Epoch(1),
            first_participant: ParticipantId::new(u32::MAX - 3).unwrap(),
            capacity: 2,
        });
        let mut now = epoch_start();
        let mut outside = Outside::default();
        rooms.handle(
            Command::NodeSnapshot { node: node(NODE), seated: vec![], asked_at: now },
            now,
        );
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
                    let seat = outside.orders.remove(0);
                    if takes {
                        // Its giving up may be queued behind the order.
                        if rooms.participant(&seat).is_some() {
                            outside.seats.insert(seat.clone());
                        }
                        rooms.handle(Command::SeatTaken { seat }, now)
                    } else {
                        rooms.handle(Command::SeatRefused { seat }, now)
                    }
                }
                Step::Lose(n) => {
                    let Some(seat) = outside.seats.iter().nth(n).cloned() else {
                        continue;
                    };
                    outside.seats.remove(&seat);
                    rooms.handle(Command::MediaLost { seat }, now)
                }
                Step::Hear => rooms.handle(
                    Command::NodeSnapshot {
                        node: node(NODE),
                        seated: outside.seats.iter().cloned().collect(),
                        asked_at: now,
                    },
                    now,
                ),
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
        let seated = outside.seats.iter().cloned().collect();
        let node = node(NODE);
        let heard = Command::NodeSnapshot { node, seated, asked_at: now };
        let effects = rooms.handle(heard, now);
        outside.perform(&effects);
        check(&rooms, &outside);
        let taken: BTreeSet<_> = outside.announced.clone();
        prop_assert!(taken.is_subset(&outside.seats));
    }
}
