//! Several SFUs of one server: calls spread over them, outlive one of them, and end in their own time
//! when one is no longer asked for. What changes, changes one by one.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use gryt_tests::client::Participant;
use gryt_tests::clock;
use gryt_tests::cluster::{Call, Namespace, PodSecurity, Visit};
use gryt_tests::voice::VoiceConfig;
use gryt_tests::wait::until_answered;
use serde_json::Value;

use crate::server::{condition, ready, with_spec};
use crate::{among_others, cluster};

/// How long a call goes on in an SFU that is no longer asked for.
const CALL: Duration = Duration::from_secs(60);
/// Speech comes every 20 ms: nothing for this long is silence.
const SILENCE: Duration = Duration::from_secs(1);
/// How long an SFU that should stay is watched.
const WATCHED_FOR: Duration = Duration::from_secs(20);
/// Between two looks at what is left of an SFU.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_spread_over_the_sfus_and_those_of_one_that_is_killed_go_on_elsewhere() -> Result<()>
{
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "sfus", PodSecurity::Restricted).await?;
    let visit = two_sfus(&space, "sfus.gryt.test").await?;
    let calls = Calls::begin(&space, &visit).await?;
    let (first, killed) = (pod(&space, 0).await?, pod(&space, 1).await?);
    ensure!(first.node != killed.node, "both are on {}", first.node);

    let [stays, moves] = calls.by_slot;
    let begun = clock::now();
    let now = ["--force", "--grace-period=0", "--wait=false"];
    space
        .kubectl(&[&["delete", &killed.name], &now[..]].concat())
        .await?;
    falls_silent(&moves).await?;
    let again = try_join_all(moves.people.into_iter().map(come_again)).await?;
    let again = Call::begin(again).await?;
    println!(
        "talked again, on SFU {}, {:?} after theirs was killed",
        slot(&space, &again).await?,
        begun.elapsed()
    );
    again.lost_nothing().await?;
    stays.goes_on().await?;
    let (packets, silence) = stays.lost_nothing().await?;
    println!("the other call: {packets} packets, none lost, longest silence {silence:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_sfu_that_is_no_longer_asked_for_goes_with_its_last_call_and_takes_all_of_it_along()
-> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "fewer", PodSecurity::Restricted).await?;
    let visit = two_sfus(&space, "fewer.gryt.test").await?;
    let calls = Calls::begin(&space, &visit).await?;
    let [stays, ends] = calls.by_slot;
    let leaving = pod(&space, 1).await?;

    change(&space, r#"{"sfu":{"replicas":1}}"#).await?;
    let terminating = |pod: &Value| (!pod["metadata"]["deletionTimestamp"].is_null()).then_some(());
    space
        .until(&leaving.name, "is Terminating", terminating)
        .await?;
    let begun = clock::now();
    space
        .until("gs/chat", "tells that SFU 1 drains", |server| {
            let (_, reason, message) = condition(server, "Reconciling")?;
            (reason == "Draining" && message.contains("SFU 1")).then_some(())
        })
        .await?;
    while begun.elapsed() < CALL {
        for kept in ["service/chat-sfu-1", "service/chat-sfu-1-media"] {
            space.get(kept).await?;
        }
        let now = space.get(&leaving.name).await?;
        ensure!(terminating(&now).is_some(), "{now:#}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ends.goes_on().await?;
    let (packets, silence) = ends.lost_nothing().await?;
    println!("in an SFU that leaves: {packets} packets, none lost, longest silence {silence:?}");

    let begun = clock::now();
    for person in ends.people {
        person.leave().await?;
    }
    for gone in [
        leaving.name.as_str(),
        "deployment/chat-sfu-1",
        "service/chat-sfu-1",
        "service/chat-sfu-1-media",
    ] {
        space.wait(gone, "delete").await?;
    }
    println!(
        "all of it was gone {:?} after the last had left",
        begun.elapsed()
    );
    space
        .until("gs/chat", "has one SFU", |server| {
            let media = server["status"]["media"].as_array()?;
            (media.len() == 1 && server["status"]["sfu"] == "1/1").then_some(())
        })
        .await?;
    stays.goes_on().await?;
    let (packets, silence) = stays.lost_nothing().await?;
    println!("the other call: {packets} packets, none lost, longest silence {silence:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sfu_takes_new_calls_and_leaves_those_that_go_on_alone() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "more", PodSecurity::Restricted).await?;
    ready(&space, "chat", "more.gryt.test").await?;
    let mut visit = Visit::begin(&space, "chat").await?;
    let call = visit.call(1..3).await?;
    let first = pod(&space, 0).await?;

    let begun = clock::now();
    change(&space, r#"{"sfu":{"replicas":2}}"#).await?;
    all_is_done(&space, "2/2").await?;
    println!("two SFUs {:?} after they were asked for", begun.elapsed());
    visit.come_back().await?;
    let other = visit.voice_channel("other").await?;
    let second = visit.call_in(&other, 3..5).await?;
    assert_eq!(
        (slot(&space, &call).await?, slot(&space, &second).await?),
        (0, 1)
    );
    assert_eq!(pod(&space, 0).await?.name, first.name);
    call.goes_on().await?;
    let (packets, silence) = call.lost_nothing().await?;
    println!("the call that went on: {packets} packets, none lost, longest silence {silence:?}");
    Ok(())
}

#[tokio::test]
async fn a_change_that_does_not_come_up_costs_one_sfu_until_it_is_taken_back() -> Result<()> {
    let _turn = among_others().await;
    let cluster = cluster()?;
    let space = Namespace::create(&cluster, "one-sfu", PodSecurity::Restricted).await?;
    let spec = "hostname: one-sfu.gryt.test, sfu: {replicas: 2}";
    space.apply(&with_spec("chat", spec)).await?;
    all_is_done(&space, "2/2").await?;
    let [stays, goes] = [pod(&space, 1).await?, pod(&space, 0).await?];

    // More than any node has.
    let much =
        r#"{"template":{"resources":{"sfu":{"requests":{"cpu":"1000"},"limits":{"cpu":"1000"}}}}}"#;
    change(&space, much).await?;
    let named = |server: &Value| {
        let (status, reason, message) = condition(server, "MediaAvailable")?;
        (status == "False" && reason == "Unschedulable").then_some(message)
    };
    let message = space.until("gs/chat", "names the SFU", named).await?;
    ensure!(message.starts_with("SFU 0: "), "{message}");
    let begun = clock::now();
    while begun.elapsed() < WATCHED_FOR {
        let server = space.get("gs/chat").await?;
        assert_eq!(server["status"]["sfu"], "1/2");
        assert_eq!(pod(&space, 1).await?.name, stays.name);
        tokio::time::sleep(LOOK_EVERY).await;
    }

    let back = r#"{"template":null}"#;
    change(&space, back).await?;
    all_is_done(&space, "2/2").await?;
    assert_eq!(pod(&space, 1).await?.name, stays.name);
    ensure!(pod(&space, 0).await?.name != goes.name);

    // One that every node has goes through both, and never are both away.
    let little = r#"{"template":{"resources":{"sfu":{"requests":{"cpu":"10m"}}}}}"#;
    change(&space, little).await?;
    space
        .until("gs/chat", "has changed both", |server| {
            let sfu = server["status"]["sfu"].as_str()?;
            assert_ne!(sfu, "0/2", "both were away");
            is_done(server, "2/2")
        })
        .await?;
    ensure!(pod(&space, 1).await?.name != stays.name);
    Ok(())
}

async fn change(space: &Namespace, spec: &str) -> Result<()> {
    let patch = format!(r#"{{"spec":{spec}}}"#);
    space
        .kubectl(&["patch", "gs/chat", "--type=merge", "--patch", &patch])
        .await?;
    Ok(())
}

/// Waits until the server is as it was asked for last, with so many SFUs.
async fn all_is_done(space: &Namespace, sfus: &str) -> Result<()> {
    space
        .until("gs/chat", "has all of it", |server| is_done(server, sfus))
        .await
}

fn is_done(server: &Value, sfus: &str) -> Option<()> {
    let status = &server["status"];
    let seen = status["observedGeneration"] == server["metadata"]["generation"];
    let ready = condition(server, "Ready")?.0 == "True";
    let at_rest = condition(server, "Reconciling").is_none();
    (seen && ready && at_rest && status["sfu"] == sfus && status["signaling"] == "1/1")
        .then_some(())
}

async fn two_sfus(space: &Namespace, hostname: &str) -> Result<Visit> {
    let spec = format!("hostname: {hostname}, sfu: {{replicas: 2}}");
    space.apply(&with_spec("chat", &spec)).await?;
    all_is_done(space, "2/2").await?;
    Visit::begin(space, "chat").await
}

/// A call on each SFU.
struct Calls {
    by_slot: [Call; 2],
}

impl Calls {
    async fn begin(space: &Namespace, visit: &Visit) -> Result<Self> {
        let first = visit.call(1..3).await?;
        let other = visit.voice_channel("other").await?;
        let second = visit.call_in(&other, 3..5).await?;
        let slots = (slot(space, &first).await?, slot(space, &second).await?);
        let by_slot = match slots {
            (0, 1) => [first, second],
            (1, 0) => [second, first],
            slots => bail!("the calls are on the SFUs {slots:?}"),
        };
        Ok(Self { by_slot })
    }
}

/// On which SFU a call is, by the port to which its people send.
async fn slot(space: &Namespace, call: &Call) -> Result<i64> {
    let server = space.get("gs/chat").await?;
    let media = server["status"]["media"].as_array().context("no media")?;
    let offers = || call.people.iter().map(|person| &person.offer);
    let found = media.iter().find(|slot| {
        let port = format!(" {} typ host", slot["port"]);
        offers().all(|offer| offer.contains(&port))
    });
    let found = found.with_context(|| format!("no SFU of {media:?} is in every offer"))?;
    found["slot"].as_i64().context("no slot")
}

struct SfuPod {
    /// `pod/<name>`.
    name: String,
    node: String,
}

async fn pod(space: &Namespace, slot: i64) -> Result<SfuPod> {
    let pods = space.get("pods").await?;
    let mut pods = pods["items"].as_array().into_iter().flatten();
    let slot = slot.to_string();
    let is_it = |pod: &Value| pod["metadata"]["labels"]["gryt.chat/slot"] == slot.as_str();
    let found = pods.find(|pod| is_it(pod));
    let found = found.with_context(|| format!("no pod of SFU {slot}"))?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("no text");
    Ok(SfuPod {
        name: format!("pod/{}", text(&found["metadata"]["name"])?),
        node: text(&found["spec"]["nodeName"])?,
    })
}

/// Waits until nobody hears a packet of the call any more.
async fn falls_silent(call: &Call) -> Result<()> {
    let [listener, speaker] = &call.people[..] else {
        bail!("not two people");
    };
    until_answered("the call falls silent", || async {
        let number = speaker.voice.spoken().await.ok()?;
        tokio::time::sleep(SILENCE).await;
        let heard = listener.voice.reception();
        let heard = heard.first_from(speaker.voice.tag(), number);
        heard.is_none().then_some(())
    })
    .await
}

/// Somebody whose SFU is gone asks for a place until there is one, as the web client does.
async fn come_again(person: Participant) -> Result<Participant> {
    let Participant {
        client,
        voice,
        channel_id,
        ..
    } = person;
    until_answered("a place on a living SFU", || async {
        client.ask_for_place(&channel_id).await.ok().map(drop)
    })
    .await?;
    let config = VoiceConfig {
        tag: voice.tag(),
        has_microphone: true,
    };
    client.join(&channel_id, config).await
}
