//! Browsers' real answers, and broken ones.

use proptest::prelude::*;

use super::super::tests::layout;
use super::*;

const CHROMIUM: &str = include_str!("../../../tests/fixtures/chromium-156-answer.sdp");
const FIREFOX: &str = include_str!("../../../tests/fixtures/firefox-153-answer.sdp");

#[test]
fn both_browsers_answers_are_understood() {
    for (answer, ufrag) in [(CHROMIUM, "LPtF"), (FIREFOX, "703428a8")] {
        let (remote, negotiated) = parse(answer, &layout(8)).unwrap();
        assert_eq!(&*remote.ufrag, ufrag);
        assert_eq!(
            negotiated.extensions,
            HeaderExtensions {
                audio_level: Some(1),
                mid: Some(4),
                transport_cc: None
            }
        );
        assert_eq!(negotiated.lines.len(), 9);
        assert!(negotiated.lines[0].direction.sends());
        for line in &negotiated.lines {
            assert_eq!(line.opus_pt, Some(111));
            assert_ne!(line.direction.sends(), line.direction.receives());
        }
    }
}

#[test]
fn payload_type_is_the_browsers_choice() {
    let answer = CHROMIUM
        .replace("SAVPF 111", "SAVPF 0 96")
        .replace(":111 ", ":96 ");
    let (_, negotiated) = parse(&answer, &layout(8)).unwrap();
    assert_eq!(negotiated.lines[0].opus_pt, Some(96));
}

#[test]
fn rejected_line_is_inactive_and_the_next_one_carries_the_transport() {
    let answer = CHROMIUM.replacen("m=audio 9", "m=audio 0", 1);
    let (remote, negotiated) = parse(&answer, &layout(8)).unwrap();
    assert_eq!(&*remote.ufrag, "LPtF");
    assert_eq!(negotiated.lines[0].opus_pt, None);
    assert_eq!(negotiated.lines[0].direction, Direction::Inactive);
}

#[test]
fn what_does_not_fit_is_named() {
    let long = "a".repeat(MAX_ANSWER_BYTES + 1);
    let table: [(String, AnswerError); 10] = [
        (long.clone(), AnswerError::TooLong(long.len())),
        (
            CHROMIUM.replace("a=mid:mic", "a=mid:0"),
            AnswerError::LineMid {
                line: 0,
                answered: "0".into(),
                offered: Mid::Microphone,
            },
        ),
        (
            CHROMIUM.replace("BUNDLE mic a0 a1", "BUNDLE mic a1"),
            AnswerError::NotBundled(1),
        ),
        (
            CHROMIUM.replace("a=rtcp-mux\r\n", ""),
            AnswerError::NoRtcpMux,
        ),
        (
            CHROMIUM.replace("setup:active", "setup:passive"),
            AnswerError::SetupRole("passive".into()),
        ),
        (
            CHROMIUM.replace("a=fingerprint", "a=fingermark"),
            AnswerError::NoFingerprint,
        ),
        (
            CHROMIUM.replace("sha-256", "sha-1"),
            AnswerError::FingerprintAlgorithm,
        ),
        (
            CHROMIUM.replace("a=ice-pwd:", "a=ice-pwd:#"),
            AnswerError::NoIceCredentials,
        ),
        (
            CHROMIUM.replace("opus/48000", "speex/8000"),
            AnswerError::NoOpus(0),
        ),
        (
            CHROMIUM.replace("m=audio 9", "m=audio 0"),
            AnswerError::AllRejected,
        ),
    ];
    for (answer, expected) in table {
        assert_eq!(parse(&answer, &layout(8)).unwrap_err(), expected);
    }
    assert_eq!(
        parse(CHROMIUM, &layout(16)).unwrap_err(),
        AnswerError::LineCount {
            answered: 9,
            offered: 17
        }
    );
    assert!(matches!(
        parse("hello", &layout(8)),
        Err(AnswerError::ParseSdp(_))
    ));
}

proptest! {
    #[test]
    fn garbage_never_panics(text in "(?s).{0,300}") {
        let _ = parse(&text, &layout(1));
    }

    #[test]
    fn damaged_answer_never_panics(
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..8),
        firefox: bool,
    ) {
        let answer = if firefox { FIREFOX } else { CHROMIUM };
        let mut characters: Vec<char> = answer.chars().collect();
        for (at, character) in damages {
            let at = at.index(characters.len());
            characters[at] = character;
        }
        let text: String = characters.into_iter().collect();
        let _ = parse(&text, &layout(8));
    }
}
