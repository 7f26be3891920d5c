//! What was acknowledged survives `kill -9`: a child process writes and tells, and is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use gryt_model::MessageId;
use gryt_store::{Appended, Messages as _, NewMessage};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::fixture::{channel, new_message, open, sign_ann_in};

/// Appends that the child has on the way at once, so that batches are cut in the middle.
const TASKS: u32 = 16;

#[tokio::test]
async fn acknowledged_messages_survive_kill_9_exactly_once() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gryt.db");
    let mut acknowledged = Vec::new();

    for round in 0..3 {
        let mut child = spawn_writer(&path, round);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard = acknowledged.len();
        for line in lines {
            acknowledged.extend(parse(&line.unwrap()));
            if acknowledged.len() == heard + 300 {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(acknowledged.len() >= heard + 300, "the child died early");
        check_history(&path, &acknowledged).await;
    }
}

async fn check_history(path: &Path, acknowledged: &[(String, MessageId)]) {
    let store = open(path);
    let page = store.messages(&channel(1), None, 100_000).await.unwrap();
    for (mark, id) in acknowledged {
        let found: Vec<_> = page
            .messages
            .iter()
            .filter(|message| message.nonce.as_str() == mark)
            .collect();
        assert_eq!(found.len(), 1, "message {mark}");
        assert_eq!(found[0].id, *id, "message {mark}");
        let again = store.append_message(message(mark)).await.unwrap();
        assert_eq!(again, Appended::Repeated(found[0].clone()));
    }
}

fn message(mark: &str) -> NewMessage {
    new_message(&format!("text of {mark}"), mark)
}

fn parse(line: &str) -> Option<(String, MessageId)> {
    // The test harness of the child may have begun the line.
    let (_, told) = line.split_once("acknowledged ")?;
    let (mark, id) = told.split_once(' ')?;
    Some((mark.to_owned(), id.parse().unwrap()))
}

/// Runs the test below in a process of its own, which gets its orders by standard input.
fn spawn_writer(path: &Path, round: u32) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child_writes_until_killed"])
        .args(["--ignored", "--nocapture", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let orders = format!("{round} {}\n", path.display());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(orders.as_bytes()).unwrap();
    child
}

#[tokio::test]
#[ignore = "the child process of the test above"]
async fn child_writes_until_killed() {
    let mut orders = String::new();
    std::io::stdin().read_line(&mut orders).unwrap();
    let Some((round, path)) = orders.trim_end().split_once(' ') else {
        return;
    };
    let store = Arc::new(open(&PathBuf::from(path)));
    sign_ann_in(&*store).await;

    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = Arc::clone(&store);
        let round = round.to_owned();
        tasks.spawn(async move {
            // An end, in case nobody kills.
            for number in 0..10_000 {
                let mark = format!("{round}-{task}-{number}");
                let outcome = store.append_message(message(&mark)).await.unwrap();
                let Appended::New(message) = outcome else {
                    panic!("not new: {outcome:?}");
                };
                println!("acknowledged {mark} {}", message.id);
            }
        });
    }
    tasks.join_all().await;
}
