//! Chat over several processes: every acknowledged message is there once, in one order, whoever dies.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::chatter::{Chatter, Record};
use crate::replica::Replica;
use crate::server::Server;

/// Within a member's burst, so that nobody waits for an allowance.
const MESSAGES: usize = 45;

/// Longer than presence's lease and than any call to Redis waits.
const LONG_PAUSE: Duration = Duration::from_secs(12);

struct Talk {
    people: Vec<Arc<Chatter>>,
}

impl Talk {
    /// One person at each process; each knows where the others are.
    async fn at(server: &Server, replicas: [&Replica; 3]) -> Self {
        let [a, b, c] = replicas;
        let mut people = Vec::new();
        for (name, order) in [("ada", [a, b, c]), ("bob", [b, c, a]), ("cyd", [c, a, b])] {
            people.push(Arc::new(server.person(name, &order).await));
        }
        Self { people }
    }

    /// All of them talk at once, while something happens after the first third. Returns what was
    /// acknowledged: ids and texts.
    async fn go_on(&self, topic: &str, disturb: impl AsyncFnOnce()) -> Vec<Vec<(u64, String)>> {
        let (third, mut reached) = tokio::sync::mpsc::channel::<()>(self.people.len());
        let talking = self.people.iter().map(|person| {
            let (person, topic, third) = (Arc::clone(person), topic.to_owned(), third.clone());
            tokio::spawn(async move {
                let mut said = Vec::new();
                for number in 0..MESSAGES {
                    if number == MESSAGES / 3 {
                        third.send(()).await.unwrap();
                    }
                    let text = format!("{topic} {} {number}", person.name);
                    said.push((person.say(&text).await, text));
                }
                said
            })
        });
        let talking: Vec<_> = talking.collect();
        // Whoever fails is not waited for.
        drop(third);
        for _ in &self.people {
            reached.recv().await.expect("somebody failed");
        }
        disturb().await;
        let mut said = Vec::new();
        for talk in talking {
            said.push(talk.await.unwrap());
        }
        said
    }

    /// Everybody was told of all these messages, or starts from a snapshot that has them.
    async fn until_told(&self, said: &[Vec<(u64, String)>]) {
        let ids: BTreeSet<u64> = said.iter().flatten().map(|(id, _)| *id).collect();
        for person in &self.people {
            let told = |record: &Record| {
                let told: BTreeSet<u64> = record.events.values().flatten().copied().collect();
                ids.is_subset(&told)
            };
            person.until("every message", told).await;
        }
    }

    /// Nobody was told anything twice, out of turn or differently, and the history has all of it once.
    async fn check(&self, said: &[Vec<(u64, String)>]) {
        let records: Vec<Record> = self.people.iter().map(|p| p.record().clone()).collect();
        for record in &records {
            assert_eq!(record.faults, [""; 0]);
            for (id, message) in &record.events {
                for other in &records {
                    let same = other.events.get(id);
                    assert!(
                        same.is_none_or(|other| other == message),
                        "event {id} differs"
                    );
                }
            }
        }
        let history = self.people[0].history().await;
        assert!(history.is_sorted_by_key(|(id, _)| *id));
        for said in said {
            assert!(said.is_sorted_by_key(|(id, _)| *id), "a sender's own order");
            for (id, text) in said {
                let found: Vec<u64> = ids_of(&history, text);
                assert_eq!(found, [*id], "{text}");
            }
        }
    }
}

fn ids_of(history: &[(u64, String)], text: &str) -> Vec<u64> {
    let same = history.iter().filter(|(_, found)| found == text);
    same.map(|(id, _)| *id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_a_killed_process_go_on_at_another_and_nothing_is_lost_or_repeated() {
    let server = Server::ready().await;
    let [mut a, b, c] = server.replicas().await;
    let talk = Talk::at(&server, [&a, &b, &c]).await;

    let said = talk.go_on("first", async || a.kill()).await;

    talk.until_told(&said).await;
    talk.check(&said).await;
    let ada = talk.people[0].record().clone();
    assert!(ada.greetings > 1, "her process is gone");
    for person in &talk.people {
        assert_eq!(person.record().snapshots, 1, "{} resumed", person.name);
    }
    assert!(!b.keeps_files() && !c.keeps_files());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_is_killed_and_comes_back_empty_costs_no_message() {
    let mut server = Server::ready().await;
    let [a, b, c] = server.replicas().await;
    let talk = Talk::at(&server, [&a, &b, &c]).await;

    let redis = &mut server.redis;
    let said = talk.go_on("first", async || {
        redis.kill();
        redis.start_again();
    });
    let said = said.await;

    // The log began anew: everybody is told so, and then nothing is lost again.
    for person in &talk.people {
        person
            .until("a snapshot", |record| record.snapshots > 1)
            .await;
    }
    let later = talk.go_on("second", async || {}).await;
    talk.until_told(&later).await;
    talk.check(&[said, later].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_that_pauses_longer_than_every_lease_costs_nothing() {
    let server = Server::ready().await;
    let [a, b, c] = server.replicas().await;
    let talk = Talk::at(&server, [&a, &b, &c]).await;
    let everybody: BTreeSet<String> = talk
        .people
        .iter()
        .map(|p| p.record().member_id.clone())
        .collect();
    for person in &talk.people {
        person
            .until("everybody", |record| record.online == everybody)
            .await;
    }

    let said = talk.go_on("first", async || {
        server.redis.pause();
        tokio::time::sleep(LONG_PAUSE).await;
        server.redis.go_on();
    });
    let said = said.await;

    talk.until_told(&said).await;
    talk.check(&said).await;
    for person in &talk.people {
        person
            .until("everybody", |record| record.online == everybody)
            .await;
        assert_eq!(person.record().snapshots, 1, "{} resumed", person.name);
    }
}
