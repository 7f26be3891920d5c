//! How conditions follow each other.

use super::*;
use crate::fixture::at;

fn drafts(truth: Truth, message: &str) -> Vec<Draft> {
    vec![Draft::new(READY, truth, "Because", message)]
}

#[test]
fn the_time_moves_only_with_the_truth() {
    let first = follow(&[], drafts(Truth::False, "a"), 1, at(0));
    assert_eq!(first[0].last_transition_time, Time(at(0)));

    let reworded = follow(&first, drafts(Truth::False, "b"), 2, at(10));
    assert_eq!(reworded[0].last_transition_time, Time(at(0)));
    assert_eq!(reworded[0].message, "b");
    assert_eq!(reworded[0].observed_generation, Some(2));

    let turned = follow(&reworded, drafts(Truth::True, "b"), 2, at(20));
    assert_eq!(turned[0].last_transition_time, Time(at(20)));
    let same = follow(&turned, drafts(Truth::True, "b"), 2, at(30));
    assert_eq!(same, turned);
}

#[test]
fn times_are_whole_seconds_like_their_echo_from_the_api_server() {
    let precise = Timestamp::from_millisecond(at(0).as_millisecond() + 750).unwrap();
    let written = follow(&[], drafts(Truth::True, "a"), 1, precise);
    let echo: Vec<Condition> =
        serde_json::from_value(serde_json::to_value(&written).unwrap()).unwrap();
    assert_eq!(echo, written);
}

#[test]
fn reasons_are_words_that_the_api_server_takes() {
    for (from, to) in [
        ("ImagePullBackOff", "ImagePullBackOff"),
        ("exit code 1", "exitcode1"),
        ("1st_", "st"),
        ("", "Unknown"),
        ("…", "Unknown"),
    ] {
        assert_eq!(Draft::new(READY, Truth::True, from, "").reason, to);
    }
}

#[test]
fn messages_have_an_end() {
    let long = Draft::new(READY, Truth::True, "A", "ä".repeat(100_000));
    assert!(long.message.len() < 1100 && long.message.ends_with('…'));
}
