//! Each broken promise is seen, and a round without one passes.

use super::*;

const fn key(sender: u32, number: u32) -> Key {
    Key { sender, number }
}

fn place(epoch: &str, event_id: u64) -> Place {
    Place {
        epoch: epoch.to_owned(),
        event_id,
    }
}

/// Sent at this second and acknowledged half a second later.
fn sent(key: Key, second: u64, message_id: u64) -> Sent {
    let sent_at = Duration::from_secs(second);
    Sent {
        key,
        due: sent_at,
        sent_at,
        tries: 1,
        acknowledged: Some(Acknowledged {
            message_id,
            at: sent_at + Duration::from_millis(500),
        }),
    }
}

fn history(messages: &[(u64, Key)]) -> Vec<Written> {
    let written = |(message_id, key): &(u64, Key)| Written {
        message_id: *message_id,
        key: Some(*key),
    };
    messages.iter().map(written).collect()
}

fn listener(events: &[(u64, u64)]) -> Heard {
    Heard {
        events: events
            .iter()
            .map(|(event_id, message)| (place("a", *event_id), Some(*message)))
            .collect(),
        messages: events.iter().map(|(_, message)| *message).collect(),
    }
}

/// Two senders, three messages, two processes, two listeners.
fn good() -> Evidence {
    let written = history(&[(10, key(0, 0)), (11, key(1, 0)), (12, key(0, 1))]);
    Evidence {
        sent: vec![
            sent(key(0, 0), 1, 10),
            sent(key(0, 1), 3, 12),
            sent(key(1, 0), 2, 11),
        ],
        histories: vec![written.clone(), written],
        // Told in another order than written, which concurrent writers may cause.
        listeners: vec![listener(&[(1, 10), (2, 12), (3, 11)]); 2],
    }
}

#[test]
fn what_is_written_once_and_told_to_all_breaks_nothing() {
    assert_eq!(check(&good()), []);
}

#[test]
fn message_that_nobody_acknowledged_may_be_there_once_or_not_at_all() {
    let mut evidence = good();
    evidence.sent[1].acknowledged = None;
    assert_eq!(check(&evidence), []);
    for history in &mut evidence.histories {
        history.pop();
    }
    assert_eq!(check(&evidence), []);
}

#[test]
fn each_fault_of_the_history_is_named() {
    type Break = fn(&mut Vec<Written>);
    let cases: [(Break, &[Violation]); 5] = [
        (
            |history| {
                history.pop();
            },
            &[Violation::Lost(key(0, 1), 12)],
        ),
        (
            |history| history.extend(self::history(&[(13, key(1, 0))])),
            &[Violation::Duplicated(key(1, 0), 2)],
        ),
        (
            |history| history[2].message_id = 13,
            &[Violation::WrittenElsewhere(key(0, 1), 12, 13)],
        ),
        (
            |history| {
                history.push(Written {
                    message_id: 13,
                    key: None,
                });
            },
            &[Violation::NeverSent(13)],
        ),
        (
            |history| history.swap(0, 1),
            &[Violation::HistoryOutOfOrder(11, 10)],
        ),
    ];
    for (break_it, expected) in cases {
        let mut evidence = good();
        for history in &mut evidence.histories {
            break_it(history);
        }
        assert_eq!(check(&evidence), expected);
    }
}

#[test]
fn processes_that_tell_different_histories_are_named() {
    let mut evidence = good();
    evidence.histories[1].pop();
    assert_eq!(check(&evidence), [Violation::HistoriesDiffer(1)]);
}

#[test]
fn message_that_was_overtaken_is_named() {
    // Of one sender; the second is acknowledged while the first is still tried.
    let mut first = sent(key(0, 0), 1, 11);
    first.acknowledged = Some(Acknowledged {
        message_id: 11,
        at: Duration::from_secs(9),
    });
    let second = sent(key(0, 1), 2, 10);
    let mut violations = Vec::new();
    check_order(&[first, second], &mut violations);
    assert_eq!(
        violations,
        [Violation::SenderOutOfOrder(key(0, 0), key(0, 1))]
    );

    // Of two senders, of whom the second begins when the first is done, or not yet.
    for (second, expected) in [
        (2, vec![Violation::BeforeAcknowledged(key(1, 0), 11)]),
        (1, vec![]),
    ] {
        let mut violations = Vec::new();
        let two = [sent(key(0, 0), 1, 11), sent(key(1, 0), second, 10)];
        check_order(&two, &mut violations);
        assert_eq!(violations, expected);
    }
}

#[test]
fn listener_who_missed_a_message_or_was_told_another_is_named() {
    let mut evidence = good();
    evidence.listeners[1].messages.remove(&11);
    assert_eq!(check(&evidence), [Violation::NotTold(1, 11)]);

    let mut evidence = good();
    evidence.listeners[1].events.insert(place("a", 2), Some(11));
    assert_eq!(
        check(&evidence),
        [Violation::ToldDifferently(1, place("a", 2))]
    );
    // In another life of the log that number means another event.
    evidence.listeners[1] = good().listeners.remove(1);
    evidence.listeners[1].events.insert(place("b", 2), Some(11));
    assert_eq!(check(&evidence), []);
}

#[test]
fn follower_sees_gaps_repeats_and_a_place_that_is_not_its_own() {
    let mut following = Following::default();
    assert!(following.resume(place("a", 4)).is_err(), "it had none");
    following.begin(place("a", 4));
    assert_eq!(following.event(5), Ok(Some(&place("a", 5))));
    assert_eq!(following.resume(place("a", 5)), Ok(()));
    let last = place("a", 5);
    assert_eq!(following.event(7), Err(Violation::Gap { last, came: 7 }));
    let last = place("a", 7);
    assert_eq!(
        following.event(7),
        Err(Violation::Repeated {
            last: last.clone(),
            came: 7
        })
    );
    let said = place("b", 7);
    assert_eq!(
        following.resume(said.clone()),
        Err(Violation::ResumedElsewhere {
            last: Some(last),
            said
        })
    );
}

#[test]
fn percentile_is_the_value_that_so_many_do_not_exceed() {
    let values: Vec<Duration> = (1..=20).map(Duration::from_secs).collect();
    assert_eq!(percentile(&values, 50), Some(Duration::from_secs(10)));
    assert_eq!(percentile(&values, 95), Some(Duration::from_secs(19)));
    assert_eq!(percentile(&values[..3], 95), Some(Duration::from_secs(3)));
    assert_eq!(percentile(&[], 95), None);
}
