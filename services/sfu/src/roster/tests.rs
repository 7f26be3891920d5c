//! Placement, snapshots and slow watchers.

use gryt_media::LossCause;
use gryt_model::{ChannelId, ServerId};

use super::watcher::CAPACITY;
use super::*;

fn room(n: u8) -> RoomId {
    RoomId {
        server: ServerId::from_random([1; 16]),
        channel: ChannelId::from_random([n; 16]),
    }
}

fn participant(n: u32) -> ParticipantId {
    ParticipantId::new(n).unwrap()
}

fn event(room_number: u8, number: u32, kind: EventKind) -> Event {
    Event {
        room: room(room_number),
        participant: participant(number),
        kind,
    }
}

fn seat(roster: &Roster, room_number: u8, number: u32) -> usize {
    let worker = claim(roster, room_number, 1).unwrap();
    roster.seated(&taken(room_number, number), Some(holder("s1")));
    roster.settle(&room(room_number));
    worker
}

fn roster(worker_count: usize) -> Roster {
    Roster::new(NodeId::from_random([9; 16]), worker_count)
}

/// By somebody who is not there yet.
fn claim(roster: &Roster, room_number: u8, epoch: u64) -> Result<usize, NoClaim> {
    roster.claim(&Claim {
        place: &place(room_number, 1000, epoch),
        session: None,
    })
}

fn taken(room_number: u8, number: u32) -> Seat {
    Seat {
        place: place(room_number, number, 1),
        capabilities: SPEAKS,
        audible_limit: AudibleLimit::new(9).unwrap(),
    }
}

fn place(room_number: u8, number: u32, epoch: u64) -> Place {
    Place {
        room: room(room_number),
        epoch: Epoch(epoch),
        participant: participant(number),
    }
}

fn holder(session: &str) -> v1::Holder {
    v1::Holder {
        member_id: "m".into(),
        session_id: session.into(),
        ..v1::Holder::default()
    }
}

fn change(from: &str, to: &str) -> HolderChange {
    HolderChange {
        from: from.into(),
        to: holder(to),
    }
}

const SPEAKS: Capabilities = Capabilities {
    may_speak: true,
    may_show: true,
};

fn snapshot(stream: &mut tokio::sync::mpsc::Receiver<WatchItem>) -> v1::Snapshot {
    let first = stream.try_recv().unwrap().unwrap();
    match first.event {
        Some(v1::watch_response::Event::Snapshot(snapshot)) => snapshot,
        other => panic!("no snapshot: {other:?}"),
    }
}

#[test]
fn a_snapshot_tells_what_a_new_signaling_process_has_to_know() {
    let roster = roster(1);
    seat(&roster, 1, 7);
    let told = snapshot(&mut roster.watch("a").0).seated.remove(0);
    assert_eq!(told.holder, Some(holder("s1")));
    assert_eq!(told.audible_limit, 9);

    let silent = Capabilities {
        may_speak: false,
        ..SPEAKS
    };
    roster.hold(&place(1, 7, 1), change("s1", "s2")).unwrap();
    roster.permitted(&place(1, 7, 1), silent);
    roster.limited(&room(1), AudibleLimit::new(3).unwrap());
    let told = snapshot(&mut roster.watch("a").0).seated.remove(0);
    assert_eq!(told.holder, Some(holder("s2")));
    assert_eq!(told.capabilities, Some(convert::wire_capabilities(silent)));
    assert_eq!(told.audible_limit, 3);
}

#[test]
fn a_stale_owner_does_not_change_who_holds_a_place() {
    let roster = roster(1);
    seat(&roster, 1, 7);
    roster.commanded(&room(1), Epoch(5));
    let highest = Epoch(5);
    assert_eq!(
        roster.hold(&place(1, 7, 4), change("s1", "s2")),
        Err(NotHeld::Refused(Refusal::StaleEpoch { highest }))
    );
    assert_eq!(
        roster.hold(&place(1, 8, 5), change("s1", "s2")),
        Err(NotHeld::Refused(Refusal::UnknownParticipant))
    );
    assert_eq!(
        roster.hold(&place(2, 7, 5), change("s1", "s2")),
        Err(NotHeld::Refused(Refusal::UnknownRoom))
    );
    let told = snapshot(&mut roster.watch("a").0).seated.remove(0);
    assert_eq!(told.holder, Some(holder("s1")));
}

#[test]
fn an_offer_is_told_to_every_new_watch_until_it_is_answered() {
    let roster = roster(1);
    seat(&roster, 1, 7);
    let ready = |revision| {
        let sdp = "v=0".to_owned();
        EventKind::OfferReady(gryt_media::Offer { revision, sdp })
    };
    roster.happened(event(1, 7, ready(2)));
    roster.happened(event(1, 7, ready(3)));
    roster.answered(&place(1, 7, 1), 2);
    let mut stream = roster.watch("a").0;
    snapshot(&mut stream);
    let second = stream.try_recv().unwrap().unwrap().event;
    let Some(v1::watch_response::Event::OfferReady(told)) = second else {
        panic!("no offer: {second:?}");
    };
    assert_eq!(told.offer.map(|offer| offer.revision), Some(3));

    roster.answered(&place(1, 7, 1), 3);
    let mut stream = roster.watch("a").0;
    snapshot(&mut stream);
    assert!(stream.try_recv().is_err());
}

#[test]
fn a_room_stays_on_its_worker_and_a_new_one_goes_to_the_least_loaded() {
    let roster = roster(2);
    assert_eq!(seat(&roster, 1, 1), 0);
    assert_eq!(seat(&roster, 1, 2), 0);
    assert_eq!(seat(&roster, 2, 1), 1);
    assert_eq!(seat(&roster, 3, 1), 1);
    assert_eq!(seat(&roster, 1, 3), 0);
}

#[test]
fn a_claim_holds_an_empty_room_in_its_place() {
    let roster = roster(2);
    let worker = seat(&roster, 1, 1);
    assert_eq!(claim(&roster, 1, 1), Ok(worker));
    roster.happened(event(
        1,
        1,
        EventKind::Lost {
            cause: LossCause::Silent,
        },
    ));
    assert_eq!(roster.worker_of(&room(1)), Some(worker));
    roster.settle(&room(1));
    assert_eq!(roster.worker_of(&room(1)), None);
}

#[test]
fn a_watch_begins_with_who_is_there_and_goes_on_without_a_gap() {
    let roster = roster(1);
    seat(&roster, 1, 7);
    roster.happened(event(1, 7, EventKind::SpeakingChanged { speaking: true }));
    let mut stream = roster.watch("a").0;
    roster.happened(event(1, 7, EventKind::SpeakingChanged { speaking: false }));

    let there = snapshot(&mut stream);
    assert_eq!(there.seated.len(), 1);
    assert!(there.seated[0].speaking);
    let second = stream.try_recv().unwrap().unwrap();
    assert_eq!(second.sequence, 2);
}

#[test]
fn a_slow_watcher_learns_at_the_end_that_it_was_too_slow() {
    let roster = roster(1);
    seat(&roster, 1, 7);
    let mut stream = roster.watch("a").0;
    for _ in 0..CAPACITY + 5 {
        roster.happened(event(1, 7, EventKind::SpeakingChanged { speaking: true }));
    }
    assert_eq!(roster.census().watchers, 0);
    assert_eq!(roster.census().ended_watches, 1);
    for sequence in 1..=CAPACITY as u64 {
        assert_eq!(stream.try_recv().unwrap().unwrap().sequence, sequence);
    }
    let last = stream.try_recv().unwrap().unwrap_err();
    assert_eq!(last.code(), tonic::Code::ResourceExhausted);
    assert!(stream.try_recv().is_err());
}

#[test]
fn one_who_is_lost_before_connecting_counts_as_a_failed_handshake() {
    let roster = roster(1);
    seat(&roster, 1, 1);
    seat(&roster, 1, 2);
    roster.happened(event(1, 1, EventKind::Connected));
    roster.happened(event(
        1,
        1,
        EventKind::Lost {
            cause: LossCause::Silent,
        },
    ));
    roster.happened(event(
        1,
        2,
        EventKind::Lost {
            cause: LossCause::Silent,
        },
    ));
    let census = roster.census();
    assert_eq!(
        (census.failed_handshakes, census.rooms, census.participants),
        (1, 0, 0)
    );
}

#[test]
fn an_empty_room_keeps_its_highest_epoch_whichever_worker_it_was_on() {
    let roster = roster(2);
    seat(&roster, 1, 1);
    roster.commanded(&room(1), Epoch(6));
    roster.commanded(&room(1), Epoch(5));
    roster.left(&room(1), participant(1));
    // Busies the worker that the room was on.
    seat(&roster, 2, 1);

    let highest = Epoch(6);
    let stale = NoClaim::Stale(Refusal::StaleEpoch { highest });
    assert_eq!(claim(&roster, 1, 5), Err(stale.clone()));
    assert_eq!(claim(&roster, 1, highest.0), Ok(1));
    // A seat that is refused for want of places leaves the epoch as it was.
    roster.settle(&room(1));
    assert_eq!(claim(&roster, 1, 5), Err(stale));
}

#[test]
fn a_draining_roster_seats_only_in_rooms_that_are_here_and_tells_everyone() {
    let roster = roster(1);
    seat(&roster, 1, 1);
    let mut before = roster.watch("a").0;
    roster.drain();
    roster.drain();
    let mut after = roster.watch("a").0;
    assert_eq!(claim(&roster, 2, 1), Err(NoClaim::Draining));
    assert!(roster.census().draining);
    let draining = v1::watch_response::Event::Draining(v1::NodeDraining {});
    before.try_recv().unwrap().unwrap();
    assert_eq!(before.try_recv().unwrap().unwrap().event, Some(draining));
    assert!(before.try_recv().is_err(), "it is told once");
    seat(&roster, 1, 2);
    let Some(v1::watch_response::Event::Snapshot(snapshot)) =
        after.try_recv().unwrap().unwrap().event
    else {
        panic!("no snapshot");
    };
    assert!(snapshot.draining);
}

#[tokio::test]
async fn a_roster_is_vacated_by_its_last_participant_and_claim() {
    let roster = roster(1);
    roster.vacated().await;
    seat(&roster, 1, 1);
    claim(&roster, 1, 1).unwrap();
    roster.left(&room(1), participant(1));
    let vacated = tokio::time::timeout(std::time::Duration::from_millis(20), roster.vacated());
    assert!(vacated.await.is_err(), "a seat is being decided");
    roster.settle(&room(1));
    roster.vacated().await;
}

#[test]
fn a_closed_roster_ends_every_watch() {
    let roster = roster(1);
    let mut before = roster.watch("a").0;
    roster.close();
    let mut after = roster.watch("a").0;
    before.try_recv().unwrap().unwrap();
    assert_eq!(
        before.try_recv().unwrap().unwrap_err().code(),
        tonic::Code::Unavailable
    );
    assert_eq!(
        after.try_recv().unwrap().unwrap_err().code(),
        tonic::Code::Unavailable
    );
}

#[test]
fn watchers_learn_of_seats_of_who_holds_them_and_of_each_other() {
    use v1::watch_response::Event;
    let roster = roster(1);
    let (mut first, _) = roster.watch("a");
    assert_eq!(snapshot(&mut first).watchers, ["a"]);
    let (mut second, left) = roster.watch("b");
    assert_eq!(snapshot(&mut second).watchers, ["a", "b"]);
    seat(&roster, 1, 7);
    roster.hold(&place(1, 7, 1), change("s1", "s2")).unwrap();
    roster.left(&room(1), participant(7));
    drop(second);
    roster.sweep_watches();
    drop(left);

    let mut told = Vec::new();
    while let Ok(Ok(item)) = first.try_recv() {
        told.push(item.event.unwrap());
    }
    let [
        Event::WatcherChanged(came),
        Event::Seated(seated),
        Event::Seated(held),
        Event::Left(left),
        Event::WatcherChanged(gone),
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((came.watcher.as_str(), came.watches), ("b", true));
    assert_eq!(seated.holder, Some(holder("s1")));
    assert_eq!(held.holder, Some(holder("s2")));
    assert_eq!((seated.number, held.number), (1, 1));
    assert_eq!(left.participant_id, 7);
    assert_eq!((gone.watcher.as_str(), gone.watches), ("b", false));
}

#[test]
fn a_place_goes_only_from_the_session_that_has_it() {
    let roster = roster(1);
    seat(&roster, 1, 7);
    roster.hold(&place(1, 7, 1), change("s1", "s2")).unwrap();
    let late = roster.hold(&place(1, 7, 1), change("s1", "s1"));
    assert_eq!(late, Err(NotHeld::Taken));
    let session = "s3".to_owned();
    let place = place(1, 7, 1);
    let stranger = Claim {
        place: &place,
        session: Some(&session),
    };
    assert_eq!(roster.claim(&stranger), Err(NoClaim::Taken));
}
