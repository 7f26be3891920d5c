//! The queue and its worker, over a real folder.

use std::io::Cursor;
use std::time::Duration;

use gryt_blobs::Folder;
use gryt_blobs::folder::DoorKey;
use gryt_model::{ContentType, FileId, FileName, ServerId};
use image::{ImageFormat, RgbaImage};
use tempfile::TempDir;

use super::*;

fn folder(root: &TempDir) -> Arc<dyn Blobs> {
    let server = ServerId::from_random([1; 16]);
    Arc::new(Folder::open(root.path(), &server, &DoorKey::new(&[1; 32]), "").unwrap())
}

fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbaImage::new(20, 10);
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Puts it into the storage, as a picture.
async fn upload(blobs: &dyn Blobs, number: u8, bytes: Vec<u8>) -> Attachment {
    let attachment = Attachment {
        file: FileId::from_random([number; 16]),
        name: FileName::clean("a.png"),
        content_type: ContentType::clean("image/png"),
        size_bytes: bytes.len() as u64,
        picture: Some((20, 10)),
    };
    let key = key(Kind::File, &attachment.file);
    blobs.write(&key, "image/png", bytes).await.unwrap();
    attachment
}

async fn thumbnail(blobs: &dyn Blobs, attachment: &Attachment) -> Option<Vec<u8>> {
    let key = key(Kind::Thumbnail, &attachment.file);
    blobs.read(&key, 100_000).await.unwrap()
}

#[tokio::test]
async fn picture_that_cannot_be_read_stops_no_other() {
    let root = TempDir::new().unwrap();
    let blobs = folder(&root);
    let broken = upload(&*blobs, 1, png()[..40].to_vec()).await;
    let mut not_whole = upload(&*blobs, 2, png()).await;
    not_whole.size_bytes += 1;
    let gone = Attachment {
        file: FileId::from_random([3; 16]),
        ..broken.clone()
    };
    let fine = upload(&*blobs, 4, png()).await;
    let (thumbnails, work) = Thumbnails::new();
    for wanted in [&broken, &not_whole, &gone, &fine, &fine] {
        thumbnails.want(wanted);
    }
    drop(thumbnails);

    let made = work.run(Arc::clone(&blobs));

    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, made).await.unwrap();
    for without in [&broken, &not_whole, &gone] {
        assert_eq!(thumbnail(&*blobs, without).await, None);
    }
    assert!(thumbnail(&*blobs, &fine).await.is_some());
}

#[tokio::test]
async fn no_request_waits_for_a_full_queue() {
    let root = TempDir::new().unwrap();
    let blobs = folder(&root);
    let picture = upload(&*blobs, 1, png()).await;
    let mut other = picture.clone();
    other.picture = None;
    let (thumbnails, mut work) = Thumbnails::new();

    thumbnails.want(&other);
    for _ in 0..2 * WAITING {
        thumbnails.want(&picture);
    }

    let mut waiting = 0;
    while work.0.try_recv().is_ok() {
        waiting += 1;
    }
    assert_eq!(waiting, WAITING);
}
