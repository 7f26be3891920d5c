//! What the folder promises beyond the contract.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use gryt_blobs::folder::{Admitted, DoorKey, NotAdmitted, PartDoor, PartRefused};
use gryt_blobs::{Blobs as _, Folder, Plan, Sha256, Uploads as _};
use gryt_model::ServerId;
use tempfile::TempDir;

use crate::browser::AtTheDoors;
use crate::fixture::{clock, file, key, now, part, pdf};

fn open(root: &Path, server: u8) -> Folder {
    let server = ServerId::from_random([server; 16]);
    Folder::open(root, &server, &DoorKey::new(&[1; 32]), AtTheDoors::DOORS).unwrap()
}

fn ticket(url: &str) -> &str {
    url.strip_prefix("/blobs/").unwrap()
}

async fn door(folder: &Folder, bytes: &[u8]) -> PartDoor {
    let plan = Plan::new(bytes.len() as u64).unwrap();
    let upload = folder.begin(&key(1), "", plan).await.unwrap();
    let digest = Sha256::of(bytes);
    let signed = folder.sign_part(&upload, part(1), &digest, now());
    let url = signed.await.unwrap().url;
    match folder.admit(ticket(&url), clock()).unwrap() {
        Admitted::Part(door) => door,
        Admitted::Read(_) => panic!("a part was signed"),
    }
}

/// Everything below a folder, but for the mark of an upload.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("begun") {
            found.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test]
async fn ticket_is_for_one_server_although_the_key_is_shared() {
    let root = TempDir::new().unwrap();
    let (one, other) = (open(root.path(), 1), open(root.path(), 2));
    let link = one.sign_read(&key(1), &pdf(), now()).await.unwrap();

    assert!(one.admit(ticket(&link.url), clock()).is_ok());
    let admitted = other.admit(ticket(&link.url), clock());
    assert!(matches!(admitted, Err(NotAdmitted::Forged)));
}

#[tokio::test]
async fn ticket_ends_to_the_second() {
    let root = TempDir::new().unwrap();
    let folder = open(root.path(), 1);
    let validity = now();
    let link = folder.sign_read(&key(1), &pdf(), validity).await.unwrap();

    let last = validity.until() - Duration::from_secs(1);
    assert!(folder.admit(ticket(&link.url), last).is_ok());
    let after = folder.admit(ticket(&link.url), validity.until());
    assert!(matches!(after, Err(NotAdmitted::Expired)));
}

#[tokio::test]
async fn foreign_texts_are_no_tickets() {
    let root = TempDir::new().unwrap();
    let folder = open(root.path(), 1);
    let link = folder.sign_read(&key(1), &pdf(), now()).await.unwrap().url;
    let (text, code) = ticket(&link).split_once('.').unwrap();
    for foreign in [
        String::new(),
        ".".to_owned(),
        format!("{text}."),
        format!(".{code}"),
        format!("{text}.{code}."),
        format!("{text}.{code}=="),
        format!("{text}/../{text}.{code}"),
        "a".repeat(1_000_000),
        "%00.%00".to_owned(),
        "\u{e4}.\u{e4}".to_owned(),
    ] {
        let admitted = folder.admit(&foreign, clock());
        assert!(
            matches!(admitted, Err(NotAdmitted::Forged)),
            "{foreign:.99}"
        );
    }
}

#[tokio::test]
async fn part_that_breaks_off_leaves_nothing_on_disk() {
    let root = TempDir::new().unwrap();
    let folder = open(root.path(), 1);
    let half = Ok(Bytes::from(file(500)));
    let gone = Err(io::Error::from(io::ErrorKind::ConnectionReset));

    let refused = door(&folder, &file(1_000)).await;
    let refused = refused.receive(stream::iter([half, gone])).await;

    assert!(matches!(refused, Err(PartRefused::BrokeOff(_))));
    assert_eq!(files(root.path()), [""; 0]);
}

#[tokio::test]
async fn part_whose_sender_goes_away_leaves_nothing_on_disk() {
    let root = TempDir::new().unwrap();
    let folder = open(root.path(), 1);
    let door = door(&folder, &file(1_000)).await;
    let half = stream::iter([Ok::<_, io::Error>(Bytes::from(file(500)))]);
    let (arrived, arrives) = tokio::sync::oneshot::channel();
    let mut arrived = Some(arrived);
    // Never ends, and tells once the half was taken.
    let rest = stream::poll_fn(move |_| {
        arrived.take().map(|arrived| arrived.send(()));
        std::task::Poll::Pending
    });
    let receiving = tokio::spawn(door.receive(half.chain(rest)));
    arrives.await.unwrap();
    assert_eq!(files(root.path()).len(), 1);

    receiving.abort();

    assert!(receiving.await.unwrap_err().is_cancelled());
    assert_eq!(files(root.path()), [""; 0]);
}

#[tokio::test]
async fn one_part_never_takes_more_room_than_planned() {
    let root = TempDir::new().unwrap();
    let folder = open(root.path(), 1);
    for first in 0..3 {
        let mut bytes = file(1_000);
        bytes[0] = first;
        let door = door(&folder, &bytes).await;
        let body = stream::iter([Ok::<_, io::Error>(Bytes::from(bytes))]);
        door.receive(body).await.unwrap();
    }

    assert_eq!(files(root.path()).len(), 1);
}

#[tokio::test]
async fn files_that_a_person_put_there_are_left_alone() {
    let root = TempDir::new().unwrap();
    let folder = open(root.path(), 1);
    let place = root.path().join(ServerId::from_random([1; 16]).as_str());
    for foreign in ["notes.txt", "..files", "FILES"] {
        fs::write(place.join("files").join(foreign), "mine").unwrap();
    }

    let listed = folder.list(key(1).kind, None, 10).await.unwrap();
    gryt_blobs::purge(&folder).await.unwrap();

    assert_eq!(listed, []);
    assert_eq!(files(root.path()).len(), 3);
}
