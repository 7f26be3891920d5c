//! Coming and going, and invariants under any order of events.

use gryt_model::{ChannelId, ServerId};
use proptest::prelude::*;

use super::*;
use crate::command::TakenSeat;

mod invariants;

pub(super) const NODE: u8 = 200;

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

pub(super) fn node(n: u8) -> NodeId {
    NodeId::from_random([n; 16])
}

#[expect(clippy::disallowed_methods, reason = "a start for the virtual clock")]
pub(super) fn epoch_start() -> Instant {
    Instant::now()
}

pub(super) const MAY_SPEAK: Capabilities = Capabilities {
    may_speak: true,
    may_show: true,
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
                epoch: Epoch(epoch),
                first_participant: ParticipantId::new(1).unwrap(),
                capacity,
            }),
            now: epoch_start(),
        }
    }

    fn hear(&mut self, seated: Vec<Seated>) -> Vec<Effect> {
        let asked_at = self.now;
        self.handle(Command::NodeSnapshot {
            node: node(NODE),
            taken: seated.into_iter().map(unknown).collect(),
            asked_at,
        })
    }

    fn handle(&mut self, command: Command) -> Vec<Effect> {
        self.rooms.handle(command, self.now)
    }

    /// Joins, and lets the node take the seat.
    fn join(&mut self, s: u8, m: u8, r: u8) -> (Seated, Vec<Effect>) {
        let mut effects = self.handle(join(s, m, r));
        let seat = ordered(&effects).expect("a seat is ordered");
        effects.extend(self.handle(Command::SeatTaken { seat: seat.clone() }));
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
            epoch: self.rooms.epoch,
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
        Effect::Unseat(_)
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
    }
}

pub(super) fn holder(s: u8, m: u8) -> Holder {
    Holder {
        member: member(m),
        session: session(s),
        voice: VoiceState::default(),
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
    assert!(world.rooms.has(&room(1)));

    let effects = world.handle(Command::Leave {
        session: session(1),
    });

    let order = world.order(&seat);
    assert_eq!(effects, [Effect::Unseat(order), Effect::Left(seat)]);
    assert!(world.rooms.is_empty());
}

#[test]
fn nobody_is_told_of_a_participant_before_the_node_gave_the_seat() {
    let mut world = World::new(10);
    let effects = world.handle(join(1, 1, 1));
    assert!(matches!(effects[..], [Effect::Seat { .. }]), "{effects:?}");
    assert_eq!(world.rooms.participants().count(), 0);

    let seat = ordered(&effects).unwrap();
    let effects = world.handle(Command::SeatTaken { seat });
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
    let effects = world.handle(Command::SeatRefused { seat });
    assert_eq!(effects, [Effect::Unseat(order)]);
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
            Effect::Unseat(order),
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
    assert!(!world.rooms.has(&room(1)));
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
    assert_eq!(effects, [Effect::Unseat(order), Effect::Left(seat)]);
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
    let expected = [&here, &there].map(|seat| Effect::SetCapabilities {
        order: world.order(seat),
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
    let effects = world.handle(Command::MediaLost { seat: seat.clone() });
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
    assert_eq!(effects, [Effect::Left(seat), ended(1, 1, End::NodeLost)]);
    assert_eq!(world.rooms.poll_timeout(), None);
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
    assert!(effects.contains(&Effect::Unseat(world.order(&stranger))));
    let holder = holder(2, 2);
    let order = world.order(&there);
    assert!(effects.contains(&Effect::SetHolder { order, holder }));
    assert_eq!(world.rooms.seats(), 1);
}

#[test]
fn a_snapshot_that_says_what_is_known_costs_no_call_for_a_seat() {
    let mut world = World::new(10);
    let (seat, _) = world.join(1, 1, 1);
    let asked_at = world.now;
    let taken = TakenSeat {
        holder: Some(holder(1, 1)),
        ..unknown(seat.clone())
    };
    let mut hear = |taken: TakenSeat| {
        world.handle(Command::NodeSnapshot {
            node: node(NODE),
            taken: vec![taken],
            asked_at,
        })
    };
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
    let asked_at = world.now;
    let effects = world.handle(Command::NodeSnapshot {
        node: node(NODE),
        taken: vec![taken],
        asked_at,
    });
    assert_eq!(effects, [Effect::Unseat(world.order(&seat))]);
}

/// A process that has just started and heard of one seat, of session 1 of member 1 in room 1.
fn started_beside_a_call() -> (World, Seated, Vec<Effect>) {
    let mut world = World::started(8, 10);
    let seat = Seated {
        room: room(1),
        participant: ParticipantId::new(99).unwrap(),
    };
    let taken = TakenSeat {
        holder: Some(holder(1, 1)),
        ..unknown(seat.clone())
    };
    let asked_at = world.now;
    let effects = world.handle(Command::NodeSnapshot {
        node: node(NODE),
        taken: vec![taken],
        asked_at,
    });
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
    // The limit as it is tells the node who owns the room now.
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
    assert_eq!(
        world.handle(resumed(2, 1)),
        [Effect::SetHolder { order, holder }]
    );
    assert_eq!(world.pass(FOUND_GRACE), []);
    assert_eq!(world.rooms.seats(), 1);
}

#[test]
fn a_found_place_whose_session_never_comes_is_given_up() {
    let (mut world, seat, _) = started_beside_a_call();
    let almost = FOUND_GRACE.checked_sub(Duration::from_millis(1)).unwrap();
    assert_eq!(world.pass(almost), []);
    let given_up = [Effect::Unseat(world.order(&seat)), Effect::Left(seat)];
    assert_eq!(world.pass(Duration::from_millis(1)), given_up);
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn a_found_place_of_a_member_who_joins_anew_is_replaced() {
    let (mut world, found, _) = started_beside_a_call();
    let (seat, effects) = world.join(2, 1, 1);
    assert!(effects.contains(&Effect::Unseat(world.order(&found))));
    assert!(effects.contains(&Effect::Left(found)));
    assert_eq!(world.rooms.seats(), 1);
    assert!(world.rooms.participant(&seat).is_some());
}

#[test]
fn who_was_faster_than_the_nodes_first_word_keeps_the_new_place() {
    let mut world = World::new(10);
    let (seat, _) = world.join(2, 1, 1);
    let other = node(201);
    let found = Seated {
        room: room(1),
        participant: ParticipantId::new(99).unwrap(),
    };
    let taken = TakenSeat {
        holder: Some(holder(1, 1)),
        ..unknown(found.clone())
    };
    let asked_at = world.now;
    let first_word = Command::NodeSnapshot {
        node: other.clone(),
        taken: vec![taken],
        asked_at,
    };
    assert_eq!(world.handle(first_word), []);
    assert!(world.rooms.participant(&seat).is_some());
    let order = SeatOrder {
        node: other,
        ..world.order(&found)
    };
    assert_eq!(world.pass(GRACE), [Effect::Unseat(order)]);
}

#[test]
fn seats_of_nobody_known_live_on_until_their_sessions_had_time_to_join_anew() {
    let mut world = World::started(8, 10);
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

    assert_eq!(effects, [Effect::Unseat(world.order(&stranger))]);
    assert_eq!(world.rooms.poll_timeout(), None);
    // Whoever is a stranger later was never this process's: a call to give it up went astray.
    let effects = world.hear(vec![stranger.clone()]);
    assert!(effects.contains(&Effect::Unseat(world.order(&stranger))));
}

#[test]
fn snapshot_that_is_older_than_a_seat_does_not_end_it() {
    let mut world = World::new(10);
    let asked_at = world.now;
    world.now += Duration::from_millis(1);
    world.join(1, 1, 1);
    let ordered = world.handle(join(2, 2, 1));
    assert!(matches!(ordered[..], [Effect::Seat { .. }]));
    world.handle(Command::NodeSnapshot {
        node: node(NODE),
        taken: vec![],
        asked_at,
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
