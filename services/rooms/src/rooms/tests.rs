//! Coming and going, and invariants under any order of events.

use gryt_model::{ChannelId, ServerId};
use proptest::prelude::*;

use super::*;
use crate::command::{Join, TakenSeat};
use crate::room::Holder;

mod several;

pub(super) const NODE: u8 = 200;
/// Another one.
const OTHER: u8 = 201;

pub(super) fn session(n: u8) -> SessionId {
    SessionId::from_random([n; 16])
}

pub(super) fn member(n: u8) -> MemberId {
    MemberId::from_random([n; 16])
}

pub(super) fn room(n: u8) -> RoomId {
    RoomId {
        server: ServerId::from_random([0; 16]),
        channel: ChannelId::from_random([n; 16]),
    }
}

pub(super) fn watcher(n: u8) -> WatcherId {
    WatcherId::from_random([n; 16])
}

/// The process that the tests are about.
pub(super) const HERE: u8 = 100;
/// Another one.
const THERE: u8 = 101;

pub(super) fn node(n: u8) -> NodeId {
    NodeId::from_random([n; 16])
}

#[expect(clippy::disallowed_methods, reason = "a start for the virtual clock")]
pub(crate) fn epoch_start() -> Instant {
    Instant::now()
}

pub(super) const MAY_SPEAK: Capabilities = Capabilities {
    may_speak: true,
    may_show: true,
};

const MUTED: Capabilities = Capabilities {
    may_speak: false,
    may_show: false,
};

pub(super) fn join(s: u8, m: u8, r: u8) -> Command {
    Command::Join(Join {
        session: session(s),
        member: member(m),
        room: room(r),
        audible_limit: AudibleLimit::default(),
        voice: VoiceState::default(),
        capabilities: MAY_SPEAK,
    })
}

/// Rooms on a virtual clock, with one node that takes every seat.
struct World {
    rooms: Rooms,
    now: Instant,
    seats_given: u64,
}

impl World {
    fn new(capacity: usize) -> Self {
        let mut world = Self::started(7, capacity);
        world.hear(vec![]);
        world
    }

    /// A process that has heard nothing yet.
    fn started(epoch: u64, capacity: usize) -> Self {
        Self {
            rooms: Rooms::new(Start {
                watcher: watcher(HERE),
                epoch: Epoch(epoch),
                first_participant: ParticipantId::new(1).unwrap(),
                capacity,
            }),
            now: epoch_start(),
            seats_given: 0,
        }
    }

    fn hear(&mut self, seated: Vec<Seated>) -> Vec<Effect> {
        let seats_given = self.seats_given;
        self.handle(Command::NodeSnapshot {
            node: node(NODE),
            taken: seated.into_iter().map(unknown).collect(),
            watchers: BTreeSet::from([watcher(HERE)]),
            seats_given,
        })
    }

    /// Hears a node on which one sits, while these processes watch it.
    fn hear_of(&mut self, taken: TakenSeat, watchers: &[u8]) -> Vec<Effect> {
        self.seats_given = self.seats_given.max(taken.number);
        let seats_given = self.seats_given;
        self.handle(Command::NodeSnapshot {
            node: node(NODE),
            taken: vec![taken],
            watchers: watchers.iter().map(|n| watcher(*n)).collect(),
            seats_given,
        })
    }

    fn handle(&mut self, command: Command) -> Vec<Effect> {
        self.rooms.handle(command, self.now)
    }

    /// Joins, and lets the node take the seat.
    fn join(&mut self, s: u8, m: u8, r: u8) -> (Seated, Vec<Effect>) {
        let mut effects = self.handle(join(s, m, r));
        let seat = ordered(&effects).expect("a seat is ordered");
        self.seats_given += 1;
        let number = self.seats_given;
        let seat_taken = Command::SeatTaken {
            node: node_of(&effects),
            seat: seat.clone(),
            number,
        };
        effects.extend(self.handle(seat_taken));
        (seat, effects)
    }

    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now += time;
        self.rooms.handle_timeout(self.now)
    }

    fn order(&self, seat: &Seated) -> SeatOrder {
        SeatOrder {
            node: node(NODE),
            room: seat.room.clone(),
            epoch: Epoch(8),
            participant: seat.participant,
        }
    }
}

fn ordered(effects: &[Effect]) -> Option<Seated> {
    effects.iter().find_map(|effect| match effect {
        Effect::Seat { order, .. } => Some(Seated {
            room: order.room.clone(),
            participant: order.participant,
        }),
        Effect::Unseat { .. }
        | Effect::SetCapabilities { .. }
        | Effect::SetAudibleLimit { .. }
        | Effect::SetHolder { .. }
        | Effect::Joined { .. }
        | Effect::Updated { .. }
        | Effect::Left(_)
        | Effect::Ended { .. }
        | Effect::Refuse { .. } => None,
    })
}

/// A seat of which the node does not know whose it is.
fn unknown(seat: Seated) -> TakenSeat {
    TakenSeat {
        seat,
        holder: None,
        capabilities: MAY_SPEAK,
        audible_limit: AudibleLimit::default(),
        number: 50,
        epoch: Epoch(8),
    }
}

/// Of this process.
pub(super) fn holder(s: u8, m: u8) -> Holder {
    Holder {
        member: member(m),
        session: session(s),
        watcher: watcher(HERE),
        voice: VoiceState::default(),
    }
}

fn unseat(order: SeatOrder, held_by: Option<u8>) -> Effect {
    Effect::Unseat {
        order,
        held_by: held_by.map(session),
    }
}

fn ended(s: u8, r: u8, end: End) -> Effect {
    Effect::Ended {
        session: session(s),
        room: room(r),
        end,
    }
}

fn refused(s: u8, refusal: Refusal) -> Vec<Effect> {
    vec![Effect::Refuse {
        session: session(s),
        refusal,
    }]
}

#[test]
fn room_is_made_by_the_first_join_and_gone_with_the_last_leave() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    assert!(world.rooms.is_on(&node(NODE), &room(1)));

    let effects = world.handle(Command::Leave {
        session: session(1),
    });

    let order = world.order(&seat);
    assert_eq!(effects, [unseat(order, Some(1)), Effect::Left(seat)]);
    assert!(world.rooms.is_empty());
}

#[test]
fn nobody_is_told_of_a_participant_before_the_node_gave_the_seat() {
    let mut world = World::new(10);
    let effects = world.handle(join(1, 1, 1));
    assert!(matches!(effects[..], [Effect::Seat { .. }]), "{effects:?}");
    assert_eq!(world.rooms.participants().count(), 0);

    let seat = ordered(&effects).unwrap();
    let effects = world.handle(Command::SeatTaken {
        node: node(NODE),
        seat,
        number: 1,
    });
    assert!(
        matches!(effects[..], [Effect::Joined { .. }]),
        "{effects:?}"
    );
    assert_eq!(world.rooms.participants().count(), 1);
}

#[test]
fn refused_seat_leaves_nothing_behind() {
    let mut world = World::new(10);
    let effects = world.handle(join(1, 1, 1));
    let seat = ordered(&effects).unwrap();
    let order = world.order(&seat);
    let effects = world.handle(Command::SeatRefused {
        node: node(NODE),
        seat,
    });
    assert_eq!(effects, [unseat(order, Some(1))]);
    assert!(world.rooms.is_empty());
}

#[test]
fn second_device_in_the_same_room_replaces_the_first() {
    let mut world = World::new(10);
    let (old, _) = world.join(1, 1, 1);
    let (new, effects) = world.join(2, 1, 1);

    let order = world.order(&old);
    assert_eq!(
        effects[..3],
        [
            unseat(order, Some(1)),
            Effect::Left(old.clone()),
            ended(1, 1, End::Replaced)
        ]
    );
    assert_ne!(old.participant, new.participant);
    assert_eq!(world.rooms.seats(), 1);
}

#[test]
fn second_device_in_another_room_is_another_participant() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    world.join(2, 1, 2);
    assert_eq!(world.rooms.participants().count(), 2);
}

#[test]
fn session_changes_rooms_without_being_told_that_it_left() {
    let mut world = World::new(10);
    let (old, _) = world.join(1, 1, 1);
    let (_, effects) = world.join(1, 1, 2);
    assert!(effects.contains(&Effect::Left(old)));
    assert!(!effects.iter().any(|e| matches!(e, Effect::Ended { .. })));
    assert!(!world.rooms.is_on(&node(NODE), &room(1)));
}

#[test]
fn full_room_refuses_and_the_session_keeps_its_place() {
    let mut world = World::new(1);
    world.join(1, 1, 1);
    world.join(2, 2, 2);

    let effects = world.handle(join(2, 2, 1));

    assert_eq!(effects, refused(2, Refusal::Full));
    assert!(world.rooms.seat_of(&session(2)).is_some());
    // Whoever is in a full room may change devices.
    assert!(ordered(&world.handle(join(3, 1, 1))).is_some());
}

#[test]
fn without_a_node_no_room_is_made() {
    let mut world = World::new(10);
    world.handle(Command::NodeSilent { node: node(NODE) });
    assert_eq!(world.handle(join(1, 1, 1)), refused(1, Refusal::NoNode));
}

#[test]
fn draining_node_keeps_its_rooms_and_gets_no_new_ones_until_it_is_another_life() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    let draining = Command::NodeDraining { node: node(NODE) };
    assert_eq!(world.handle(draining), []);

    assert_eq!(world.handle(join(2, 2, 2)), refused(2, Refusal::NoNode));
    assert!(ordered(&world.handle(join(3, 3, 1))).is_some());

    world.hear(vec![seat]);
    assert!(ordered(&world.handle(join(2, 2, 2))).is_some());
}

#[test]
fn lost_session_keeps_its_place_for_the_grace_and_no_longer() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    world.handle(Command::SessionLost {
        session: session(1),
    });
    let almost = GRACE.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(world.pass(almost), []);
    assert_eq!(
        world.rooms.poll_timeout(),
        Some(world.now + Duration::from_millis(1))
    );

    let effects = world.pass(Duration::from_millis(1));

    let order = world.order(&seat);
    assert_eq!(effects, [unseat(order, Some(1)), Effect::Left(seat)]);
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn resumed_session_finds_its_place() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    world.handle(Command::SessionLost {
        session: session(1),
    });
    let effects = world.handle(Command::SessionResumed {
        from: session(1),
        to: session(2),
        member: member(1),
    });
    let told = Effect::SetHolder {
        order: world.order(&seat),
        from: session(1),
        holder: holder(2, 1),
    };
    assert_eq!(effects, [told]);
    assert_eq!(world.pass(GRACE), []);
    assert_eq!(world.rooms.seat_of(&session(2)), Some(world.order(&seat)));
    assert_eq!(world.rooms.seat_of(&session(1)), None);
}

#[test]
fn place_moves_on_before_the_old_socket_is_noticed_as_lost() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    world.handle(Command::SessionResumed {
        from: session(1),
        to: session(2),
        member: member(1),
    });
    world.handle(Command::SessionLost {
        session: session(1),
    });
    assert_eq!(world.pass(GRACE), []);
    assert!(world.rooms.seat_of(&session(2)).is_some());
}

#[test]
fn nobody_resumes_the_session_of_another_member() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    world.handle(Command::SessionResumed {
        from: session(1),
        to: session(2),
        member: member(2),
    });
    assert!(world.rooms.seat_of(&session(1)).is_some());
    assert!(world.rooms.seat_of(&session(2)).is_none());
}

#[test]
fn server_mute_reaches_every_room_of_the_member() {
    let mut world = World::new(10);
    let (here, _) = world.join(1, 1, 1);
    let (there, _) = world.join(2, 1, 2);
    world.join(3, 3, 1);
    let capabilities = Capabilities {
        may_speak: false,
        may_show: false,
    };
    let command = Command::SetCapabilities {
        member: member(1),
        capabilities,
    };
    let expected = [(&here, 8), (&there, 9)].map(|(seat, epoch)| Effect::SetCapabilities {
        order: SeatOrder {
            epoch: Epoch(epoch),
            ..world.order(seat)
        },
        member: member(1),
        capabilities,
    });
    assert_eq!(world.handle(command.clone()), expected);
    assert_eq!(world.handle(command), []);
}

#[test]
fn voice_state_is_told_once_and_never_makes_a_listener_speak() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    let command = Command::SetVoiceState {
        session: session(1),
        voice: VoiceState {
            muted: true,
            deafened: false,
            listen_only: true,
        },
    };
    let effects = world.handle(command.clone());
    let [
        Effect::SetHolder { holder, .. },
        Effect::Updated { participant, .. },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_eq!(*holder, participant.holder);
    assert!(participant.holder.voice.muted && !participant.holder.voice.listen_only);
    assert_eq!(world.handle(command), []);
    let stranger = Command::SetVoiceState {
        session: session(9),
        voice: VoiceState::default(),
    };
    assert_eq!(world.handle(stranger), refused(9, Refusal::NotInRoom));
}

#[test]
fn audible_limit_reaches_the_node_once() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    let limit = AudibleLimit::new(8).unwrap();
    let command = |n| Command::SetAudibleLimit {
        room: room(n),
        limit,
    };
    let effects = world.handle(command(1));
    assert!(matches!(effects[..], [Effect::SetAudibleLimit { .. }]));
    assert_eq!(world.handle(command(1)), []);
    assert_eq!(world.handle(command(2)), []);
}

#[test]
fn deleted_channel_ends_everyones_place() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    world.join(2, 2, 1);
    let effects = world.handle(Command::CloseRoom { room: room(1) });
    for s in [1, 2] {
        assert!(effects.contains(&ended(s, 1, End::ChannelDeleted)));
    }
    assert!(world.rooms.is_empty());
}

#[test]
fn lost_media_ends_the_place_and_asks_the_node_for_nothing() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    let effects = world.handle(Command::MediaLost {
        node: node(NODE),
        seat: seat.clone(),
        number: 1,
    });
    assert_eq!(effects, [Effect::Left(seat), ended(1, 1, End::MediaLost)]);
}

#[test]
fn short_silence_of_a_node_costs_nothing_and_a_long_one_ends_its_rooms() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    world.handle(Command::NodeSilent { node: node(NODE) });
    world.pass(NODE_GRACE / 2);
    world.hear(vec![seat.clone()]);
    assert_eq!(world.pass(NODE_GRACE), []);

    world.handle(Command::NodeSilent { node: node(NODE) });
    world.handle(Command::NodeSilent { node: node(NODE) });
    let effects = world.pass(NODE_GRACE);
    let order = world.order(&seat);
    assert_eq!(
        effects,
        [
            unseat(order, Some(1)),
            Effect::Left(seat),
            ended(1, 1, End::NodeLost)
        ]
    );
    assert_eq!(world.rooms.poll_timeout(), None);
}

/// A world that hears another node, too.
fn with_two_nodes() -> World {
    let mut world = World::new(10);
    world.handle(Command::NodeSnapshot {
        node: node(OTHER),
        taken: vec![],
        watchers: BTreeSet::new(),
        seats_given: 0,
    });
    world
}

/// The node that a seat was ordered on.
fn node_of(effects: &[Effect]) -> NodeId {
    let order = effects.iter().find_map(|effect| {
        if let Effect::Seat { order, .. } = effect {
            Some(order.node.clone())
        } else {
            None
        }
    });
    order.expect("a seat is ordered")
}

#[test]
fn who_joins_a_room_on_a_silent_node_takes_it_along_to_a_heard_one() {
    let mut world = with_two_nodes();
    let silent = node_of(&world.handle(join(1, 1, 1)));
    world.handle(Command::NodeSilent {
        node: silent.clone(),
    });
    assert_eq!(node_of(&world.handle(join(3, 3, 1))), silent, "too early");
    world.pass(SHORT_SILENCE);

    let effects = world.handle(join(2, 2, 1));

    assert_ne!(node_of(&effects), silent);
    assert!(effects.contains(&ended(1, 1, End::NodeLost)), "{effects:?}");
    let epochs = effects.iter().filter_map(|effect| {
        if let Effect::Unseat { order, .. } | Effect::Seat { order, .. } = effect {
            Some(order.epoch)
        } else {
            None
        }
    });
    assert_eq!(epochs.collect::<Vec<_>>(), [Epoch(8), Epoch(8), Epoch(9)]);
}

#[test]
fn the_only_node_is_asked_however_silent_it_is() {
    let mut world = World::new(10);
    let (_, _) = world.join(1, 1, 1);
    world.handle(Command::NodeSilent { node: node(NODE) });
    world.pass(SHORT_SILENCE);
    assert_eq!(node_of(&world.handle(join(2, 2, 1))), node(NODE));
}

#[test]
fn a_successor_beside_a_node_that_drains_ends_no_call_there() {
    let mut world = World::new(10);
    world.join(1, 1, 1);
    world.handle(Command::NodeDraining { node: node(NODE) });
    assert_eq!(world.handle(Command::NodeGone { node: node(NODE) }), []);
    let effects = world.pass(NODE_GRACE);
    assert!(effects.contains(&ended(1, 1, End::NodeLost)), "{effects:?}");
}

#[test]
fn an_id_that_is_somebody_elses_is_replaced_with_what_holds_by_then() {
    let mut world = World::new(10);
    let seat = ordered(&world.handle(join(1, 1, 1))).unwrap();
    world.handle(Command::SetCapabilities {
        member: member(1),
        capabilities: MUTED,
    });
    world.handle(Command::SessionResumed {
        from: session(1),
        to: session(2),
        member: member(1),
    });

    let effects = world.handle(Command::IdTaken {
        node: node(NODE),
        seat: seat.clone(),
    });

    let [
        Effect::Seat {
            order,
            holder,
            capabilities,
            ..
        },
    ] = &effects[..]
    else {
        panic!("{effects:?}");
    };
    assert_ne!(order.participant, seat.participant);
    assert_eq!((&holder.session, *capabilities), (&session(2), MUTED));
    assert_eq!(world.rooms.seats(), 1);
}

#[test]
fn what_a_node_did_not_answer_is_told_again() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    let resumed = world.handle(Command::SessionResumed {
        from: session(1),
        to: session(2),
        member: member(1),
    });
    let again = world.handle(Command::Unanswered {
        node: node(NODE),
        seat,
    });
    assert!(
        resumed.iter().all(|effect| again.contains(effect)),
        "{again:?}"
    );
}

#[test]
fn seats_of_one_room_raise_its_epoch_in_every_process() {
    let mut world = with_two_nodes();
    let seat = |n| Seated {
        room: room(1),
        participant: ParticipantId::new(n).unwrap(),
    };
    let seen = |node, n, m, epoch| Command::SeatSeen {
        node,
        taken: TakenSeat {
            holder: Some(Holder {
                watcher: watcher(THERE),
                ..holder(m, m)
            }),
            epoch: Epoch(epoch),
            ..unknown(seat(n))
        },
    };
    world.handle(seen(node(NODE), 70, 1, 50));
    world.handle(seen(node(NODE), 71, 2, 90));
    assert_eq!(world.handle(seen(node(OTHER), 72, 3, 70)), []);
    assert!(world.rooms.is_on(&node(NODE), &room(1)));
}

#[test]
fn a_node_that_is_gone_loses_its_rooms_at_once_and_gets_no_call() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    let effects = world.handle(Command::NodeGone { node: node(NODE) });
    assert_eq!(effects, [Effect::Left(seat), ended(1, 1, End::NodeLost)]);
    let effects = world.handle(join(1, 1, 1));
    assert_eq!(effects, refused(1, Refusal::NoNode));
}

#[test]
fn of_two_nodes_with_one_room_the_later_owners_stays() {
    let mut world = with_two_nodes();
    let (seat, effects) = world.join(1, 1, 1);
    let here = node_of(&effects);
    let there = if here == node(NODE) {
        node(OTHER)
    } else {
        node(NODE)
    };
    let found = |epoch| TakenSeat {
        epoch: Epoch(epoch),
        ..of_another_process(&Seated {
            participant: ParticipantId::new(77).unwrap(),
            ..seat.clone()
        })
    };
    let seen = |epoch| Command::SeatSeen {
        node: there.clone(),
        taken: found(epoch),
    };

    assert_eq!(world.handle(seen(7)), [], "an earlier owner's");
    let effects = world.handle(seen(9));

    assert!(effects.contains(&ended(1, 1, End::NodeLost)), "{effects:?}");
    let all: Vec<_> = world
        .rooms
        .participants()
        .map(|(_, p)| p.id.get())
        .collect();
    assert_eq!(all, [77]);
    assert!(world.rooms.is_on(&there, &room(1)));
}

#[test]
fn snapshot_ends_who_is_missing_and_unseats_who_is_unknown() {
    let mut world = World::new(10);
    let (missing, _) = world.join(1, 1, 1);
    let (there, _) = world.join(2, 2, 1);
    let stranger = Seated {
        room: room(3),
        participant: ParticipantId::new(99).unwrap(),
    };
    world.now += Duration::from_secs(1);

    let effects = world.hear(vec![there.clone(), stranger.clone()]);

    assert!(effects.contains(&Effect::Left(missing)));
    assert!(effects.contains(&ended(1, 1, End::NodeLost)));
    assert!(effects.contains(&unseat(world.order(&stranger), None)));
    let holder = holder(2, 2);
    let from = session(2);
    let order = world.order(&there);
    assert!(effects.contains(&Effect::SetHolder {
        order,
        from,
        holder
    }));
    assert_eq!(world.rooms.seats(), 1);
}

#[test]
fn a_snapshot_that_says_what_is_known_costs_no_call_for_a_seat() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    let taken = TakenSeat {
        holder: Some(holder(1, 1)),
        ..unknown(seat.clone())
    };
    let mut hear = |taken: TakenSeat| world.hear_of(taken, &[HERE]);
    let only_the_limit = hear(taken.clone());
    assert!(matches!(
        only_the_limit[..],
        [Effect::SetAudibleLimit { .. }]
    ));
    let muted = Capabilities {
        may_speak: false,
        ..MAY_SPEAK
    };
    let lost_an_unmute = hear(TakenSeat {
        capabilities: muted,
        ..taken
    });
    assert!(lost_an_unmute.contains(&Effect::SetCapabilities {
        order: world.order(&seat),
        member: member(1),
        capabilities: MAY_SPEAK,
    }));
}

#[test]
fn who_was_told_that_the_node_is_lost_does_not_sit_there_when_it_comes_back() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    world.handle(Command::NodeSilent { node: node(NODE) });
    world.pass(NODE_GRACE);
    let taken = TakenSeat {
        holder: Some(holder(1, 1)),
        ..unknown(seat.clone())
    };
    let effects = world.hear_of(taken, &[HERE]);
    assert_eq!(effects, [unseat(world.order(&seat), Some(1))]);
}

/// Of session 1 of member 1.
fn of_another_process(seat: &Seated) -> TakenSeat {
    let holder = Holder {
        watcher: watcher(THERE),
        ..holder(1, 1)
    };
    TakenSeat {
        holder: Some(holder),
        ..unknown(seat.clone())
    }
}

/// A process that has just started and heard of one seat, of session 1 of member 1 in room 1.
fn started_beside_a_call() -> (World, Seated, Vec<Effect>) {
    let mut world = World::started(7, 10);
    let seat = Seated {
        room: room(1),
        participant: ParticipantId::new(99).unwrap(),
    };
    let effects = world.hear_of(of_another_process(&seat), &[HERE]);
    (world, seat, effects)
}

#[test]
fn calls_of_the_process_before_go_on_and_their_sessions_take_their_places_up() {
    let (mut world, seat, effects) = started_beside_a_call();
    let participant = world.rooms.participant(&seat).unwrap().clone();
    let joined = Effect::Joined {
        room: room(1),
        participant,
    };
    let limit = Effect::SetAudibleLimit {
        node: node(NODE),
        room: room(1),
        epoch: Epoch(8),
        limit: AudibleLimit::default(),
    };
    assert_eq!(effects, [joined, limit]);

    let resumed = |to, m| Command::SessionResumed {
        from: session(1),
        to: session(to),
        member: member(m),
    };
    assert_eq!(world.handle(resumed(3, 2)), [], "of another member");
    let order = world.order(&seat);
    let holder = holder(2, 1);
    let from = session(1);
    assert_eq!(
        world.handle(resumed(2, 1)),
        [Effect::SetHolder {
            order,
            from,
            holder
        }]
    );
    assert_eq!(world.pass(FOUND_GRACE), []);
    assert_eq!(world.rooms.seats(), 1);
}

#[test]
fn a_found_place_whose_session_never_comes_is_given_up() {
    let (mut world, seat, _) = started_beside_a_call();
    let almost = FOUND_GRACE.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(world.pass(almost), []);
    let given_up = [unseat(world.order(&seat), Some(1)), Effect::Left(seat)];
    assert_eq!(world.pass(Duration::from_millis(1)), given_up);
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn a_found_place_of_a_member_who_joins_anew_is_given_up_once_the_new_one_is_taken() {
    let (mut world, found, _) = started_beside_a_call();
    let given_up = unseat(world.order(&found), Some(1));
    world.seats_given = 50;
    let (seat, effects) = world.join(2, 1, 1);
    assert!(effects.contains(&given_up));
    let effects = world.handle(Command::SeatLeft {
        node: node(NODE),
        seat: found.clone(),
        number: 50,
    });
    assert_eq!(effects, [Effect::Left(found)]);
    assert!(world.rooms.participant(&seat).is_some());
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn seats_of_nobody_known_live_on_until_their_sessions_had_time_to_join_anew() {
    let mut world = World::started(7, 10);
    let stranger = Seated {
        room: room(1),
        participant: ParticipantId::new(99).unwrap(),
    };
    world.handle(Command::NodeSilent { node: node(NODE) });
    assert_eq!(world.hear(vec![stranger.clone()]), []);
    world.join(1, 1, 1);
    let almost = GRACE.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(world.pass(almost), []);

    let effects = world.pass(Duration::from_millis(1));

    assert_eq!(effects, [unseat(world.order(&stranger), None)]);
    assert_eq!(world.rooms.poll_timeout(), None);
    // Whoever is a stranger later was never this process's: a call to give it up went astray.
    let effects = world.hear(vec![stranger.clone()]);
    assert!(effects.contains(&unseat(world.order(&stranger), None)));
}

#[test]
fn snapshot_that_is_older_than_a_seat_does_not_end_it() {
    let mut world = World::new(10);
    let seats_given = world.seats_given;
    world.join(1, 1, 1);
    let ordered = world.handle(join(2, 2, 1));
    assert!(matches!(ordered[..], [Effect::Seat { .. }]));
    world.handle(Command::NodeSnapshot {
        node: node(NODE),
        taken: vec![],
        watchers: BTreeSet::new(),
        seats_given,
    });
    assert_eq!(world.rooms.seats(), 2);
}

#[test]
fn participant_ids_pass_zero_and_those_that_are_taken() {
    let mut world = World::new(10);
    world.rooms.next_participant = ParticipantId::new(u32::MAX).unwrap();
    let ids: Vec<_> = [1, 2, 3]
        .map(|s| world.join(s, s, 1).0.participant.get())
        .into();
    assert_eq!(ids, [u32::MAX, 1, 2]);
    world.rooms.next_participant = ParticipantId::new(1).unwrap();
    assert_eq!(world.join(4, 4, 1).0.participant.get(), 3);
}
