//! The process as a pod runs it: how it drains, whom it lets in, what it announces.

use std::fs;
use std::time::Duration;

use gryt_proto::sfu::v1;
use gryt_tests::clock;
use gryt_tests::wait::until_answered;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::authority::{Authority, SERVER, client};
use super::caller::{ANOTHER_ROOM, Caller, ROOM, Talk, heard};
use super::process::Process;

/// How long a call is held after the signal. The cluster's test holds one for two minutes.
const DRAINING: Duration = Duration::from_secs(20);

fn candidates(sdp: &str) -> Vec<String> {
    sdp.lines()
        .filter(|line| line.starts_with("a=candidate:"))
        .map(|line| {
            line.split(' ')
                .skip(4)
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_process_keeps_its_call_and_ends_with_the_last_participant() {
    let mut process = Process::start(&[]).await;
    process.readiness_is("ok").await;
    let mut signaling = Caller::new("first", 1, process.connect().await);
    let (mut watch, snapshot) = signaling.watch().await;
    assert!(!snapshot.draining);
    let people = [signaling.seat(1).await, signaling.seat(2).await];
    let talk = Talk::begin([&people[0], &people[1]]).await;

    let told = clock::now();
    process.signal(Signal::SIGTERM);

    process.drains().await;
    // Else kube-proxy may forget the calls' way to it.
    process.readiness_is("ok").await;
    loop {
        let word = watch.message().await.unwrap().unwrap();
        if let Some(v1::watch_response::Event::Draining(v1::NodeDraining {})) = word.event {
            break;
        }
    }
    let refused = signaling.ask(ANOTHER_ROOM, 1).await.unwrap();
    let v1::seat_response::Outcome::Refused(refused) = refused else {
        panic!("a new room was taken: {refused:?}");
    };
    assert_eq!(refused.refusal(), v1::Refusal::Draining);
    // A device of a running call that lost its place comes back, and hears.
    let third = signaling.seat(3).await;
    let next = people[0].voice.spoken().await.unwrap();
    heard(&third, &people[0], next + 10).await;
    assert!(signaling.watch().await.1.draining);
    while clock::now() - told < DRAINING {
        talk.go_on(50).await;
    }
    let spoken = talk.end_without_a_gap().await;
    assert!(spoken.iter().all(|packets| *packets > 1_000), "{spoken:?}");

    signaling.leave(3).await;
    signaling.leave(1).await;
    assert_eq!(process.figure("gryt_sfu_participants").await, 1);
    assert!(!process.has_ended());
    signaling.leave(2).await;
    assert!(process.ended().await.success());
    assert_eq!(process.last_word(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outlasts_the_patience_is_cut_and_told() {
    let mut process = Process::start(&["--drain-timeout", "1"]).await;
    let mut signaling = Caller::new("first", 1, process.connect().await);
    signaling.offer(1).await;
    signaling.offer(2).await;
    process.signal(Signal::SIGTERM);
    assert!(process.ended().await.success());
    let told = "cut 1 calls with 2 participants\n";
    assert_eq!(process.last_word().as_deref(), Some(told));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once_and_an_idle_process_ends_at_the_first() {
    let mut process = Process::start(&[]).await;
    let mut signaling = Caller::new("first", 1, process.connect().await);
    signaling.offer(1).await;
    process.signal(Signal::SIGTERM);
    process.drains().await;
    process.signal(Signal::SIGTERM);
    assert!(process.ended().await.success());
    let told = "cut 1 calls with 1 participants\n";
    assert_eq!(process.last_word().as_deref(), Some(told));

    let mut idle = Process::start(&[]).await;
    idle.signal(Signal::SIGTERM);
    assert!(idle.ended().await.success());
    assert_eq!(idle.last_word(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_goes_on_when_its_signaling_dies_and_another_takes_over() {
    let process = Process::start(&[]).await;
    let mut first = Caller::new("first", 1, process.connect().await);
    let watch = first.watch().await.0;
    let people = [first.seat(1).await, first.seat(2).await];
    let talk = Talk::begin([&people[0], &people[1]]).await;

    drop((watch, first));
    talk.go_on(100).await;
    let mut second = Caller::new("second", 2, process.connect().await);
    let snapshot = second.watch().await.1;
    let mut seated: Vec<_> = snapshot
        .seated
        .iter()
        .map(|seated| (seated.participant_id, seated.speaking))
        .collect();
    seated.sort_unstable();
    assert_eq!(seated, [(1, true), (2, true)]);

    // It commands who was seated by the one before, who is fenced from then on.
    let done = v1::set_capabilities_response::Outcome::Done(v1::Done {});
    assert_eq!(second.set_may_speak(1, true).await, done);
    let mut stale = Caller::new("stale", 1, process.connect().await);
    let refused = stale.set_may_speak(1, false).await;
    let v1::set_capabilities_response::Outcome::Refused(refused) = refused else {
        panic!("a stale owner commands: {refused:?}");
    };
    assert_eq!(refused.refusal(), v1::Refusal::StaleEpoch);
    talk.go_on(50).await;
    talk.end_without_a_gap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_signaling_of_the_same_server_is_let_in() {
    let (ours, other) = (Authority::new(), Authority::new());
    let dir = TempDir::with_prefix("gryt-tls-").unwrap();
    ours.sfu().fill(dir.path(), &[&ours]);
    let process = Process::start(&["--tls-dir", dir.path().to_str().unwrap()]).await;

    let tenant = ours.issue("signaling.bbbbbbbbbbbbbbbbbbbbbbbbbb.gryt");
    let strangers = [
        ("another server", Some(tenant)),
        ("another part", Some(ours.sfu())),
        ("another authority", Some(other.signaling())),
        ("nobody", None),
    ];
    for (who, leaf) in &strangers {
        let channel = process.connect_as(client(leaf.as_ref(), &[&ours]));
        let asked = Caller::new("stranger", 1, channel).ask(ROOM, 1).await;
        assert!(asked.is_err(), "{who}: {asked:?}");
    }
    let plain = tonic::transport::Endpoint::from_shared(format!("http://{}", process.calls()));
    let plain = plain.unwrap().connect_lazy();
    assert!(Caller::new("plain", 1, plain).ask(ROOM, 1).await.is_err());

    let channel = process.connect_as(client(Some(&ours.signaling()), &[&ours]));
    Caller::new("ours", 1, channel).offer(1).await;
    let counted = async |reason: &str| {
        let sample = format!("gryt_sfu_refused_connections_total{{reason=\"{reason}\"}}");
        process.figure(&sample).await
    };
    // The channel itself tries again, so that each stranger counts at least once.
    assert!(counted("wrong_name").await >= 2);
    assert!(counted("untrusted").await >= 2);
    assert!(counted("broken").await >= 1);
    let line = process.logged("connection refused").await;
    assert_eq!(line["level"], "WARN", "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotated_certificates_cost_a_call_nothing() {
    let (old, new) = (Authority::new(), Authority::new());
    let dir = TempDir::with_prefix("gryt-tls-").unwrap();
    old.sfu().fill(dir.path(), &[&old]);
    let process = Process::start(&["--tls-dir", dir.path().to_str().unwrap()]).await;
    let channel = process.connect_as(client(Some(&old.signaling()), &[&old, &new]));
    let mut signaling = Caller::new("old", 1, channel);
    let mut watch = signaling.watch().await.0;
    let people = [signaling.seat(1).await, signaling.seat(2).await];
    let talk = Talk::begin([&people[0], &people[1]]).await;

    // Both authorities first, then the new leaf, then the old authority goes.
    let renewed = client(Some(&new.signaling()), &[&old, &new]);
    let steps: [(&Authority, &[&Authority]); 3] = [
        (&old, &[&old, &new]),
        (&new, &[&old, &new]),
        (&new, &[&new]),
    ];
    for (number, (leaf, trusted)) in (10..).zip(steps) {
        leaf.sfu().fill(dir.path(), trusted);
        let taken = || async {
            let only_new = client(Some(&new.signaling()), trusted);
            let channel = process.connect_as(only_new);
            let asked = Caller::new("probe", 1, channel).ask(ROOM, number).await;
            asked.ok()
        };
        until_answered("the rotation", taken).await.unwrap();
        let channel = process.connect_as(renewed.clone());
        Caller::new("renewed", 1, channel).watch().await;
        talk.go_on(10).await;
    }
    let late = process.connect_as(client(Some(&old.signaling()), &[&old, &new]));
    assert!(Caller::new("late", 1, late).ask(ROOM, 99).await.is_err());

    // The connection from before the rotation was not cut: its watch has every event.
    people[0].voice.hush().await.unwrap();
    let silent = v1::watch_response::Event::SpeakingChanged(v1::SpeakingChanged {
        room: Some(v1::Room {
            server_id: SERVER.to_owned(),
            channel_id: ROOM.to_string().repeat(26),
        }),
        participant_id: 1,
        speaking: false,
    });
    let mut last = 1;
    loop {
        let word = watch.message().await.unwrap().unwrap();
        assert_eq!(word.sequence, last + 1);
        last = word.sequence;
        if word.event.as_ref() == Some(&silent) {
            break;
        }
    }
    signaling.set_may_speak(1, true).await;
    talk.end_without_a_gap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_exactly_the_announced_addresses_and_port() {
    let announced = [
        "--announce",
        "192.0.2.7,2001:db8::7",
        "--announce-port",
        "31007",
    ];
    let process = Process::start(&announced).await;
    let mut signaling = Caller::new("first", 1, process.connect().await);
    let offer = signaling.offer(1).await;
    assert_eq!(
        candidates(&offer.sdp),
        ["192.0.2.7 31007", "2001:db8::7 31007"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_for_the_node_wins_and_a_changed_one_is_announced_without_a_restart() {
    let dir = TempDir::with_prefix("gryt-nodes-").unwrap();
    let nodes = dir.path().join("nodes");
    fs::write(&nodes, "node-2 198.51.100.2\nnode-1 198.51.100.1\n").unwrap();
    let flags = [
        "--announce",
        "192.0.2.7",
        "--announce-port",
        "31007",
        "--node-addresses",
        nodes.to_str().unwrap(),
        "--node-name",
        "node-1",
    ];
    let process = Process::start(&flags).await;
    let mut signaling = Caller::new("first", 1, process.connect().await);
    let offer = signaling.offer(1).await;
    assert_eq!(candidates(&offer.sdp), ["198.51.100.1 31007"]);

    for (text, expected) in [
        ("node-1 203.0.113.1\n", "203.0.113.1 31007"),
        ("node-2 198.51.100.2\n", "192.0.2.7 31007"),
    ] {
        fs::write(&nodes, text).unwrap();
        let mut last = Vec::new();
        let until = clock::now() + gryt_tests::wait::PATIENCE;
        while last != [expected] {
            assert!(clock::now() < until, "still {last:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
            last = candidates(&signaling.offer(2).await.sdp);
        }
    }
}
