//! Storage under test, and things to put in it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, SystemTime};

use gryt_blobs::folder::DoorKey;
use gryt_blobs::{
    BlobKey, Blobs, Disposition, Folder, Kind, PartNumber, Plan, Read, Sha256, Upload, Validity,
};
use gryt_model::{FileId, ServerId};
use tempfile::TempDir;

use crate::browser::{AtTheDoors, Browser};

/// Two servers with the same storage, and browsers of their people.
pub(crate) struct Fixture {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) browser: Arc<dyn Browser>,
    pub(crate) other_blobs: Arc<dyn Blobs>,
    pub(crate) other_browser: Arc<dyn Browser>,
    pub(crate) _alive: Box<dyn Any + Send + Sync>,
}

/// Folders that vanish with the fixture.
pub(crate) fn folder() -> Fixture {
    let root = TempDir::new().unwrap();
    let open = || {
        let key = DoorKey::new(&[1; 32]);
        Folder::open(root.path(), &fresh_server(), &key, AtTheDoors::DOORS).unwrap()
    };
    let (one, other) = (open(), open());
    Fixture {
        blobs: Arc::new(one.clone()),
        browser: Arc::new(AtTheDoors(one)),
        other_blobs: Arc::new(other.clone()),
        other_browser: Arc::new(AtTheDoors(other)),
        _alive: Box::new(root),
    }
}

pub(crate) fn fresh_server() -> ServerId {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    ServerId::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 16])
}

pub(crate) fn key(number: u8) -> BlobKey {
    BlobKey {
        kind: Kind::File,
        id: FileId::from_random([number; 16]),
    }
}

pub(crate) fn part(number: u32) -> PartNumber {
    PartNumber::new(number).unwrap()
}

pub(crate) fn pdf() -> Read {
    Read {
        content_type: "application/pdf".into(),
        disposition: Disposition::Attachment {
            name: "Plan.pdf".into(),
        },
    }
}

/// A signature that is good while a test runs.
pub(crate) fn now() -> Validity {
    Validity {
        from: clock(),
        lasts: Duration::from_secs(300),
    }
}

/// One that was good once.
pub(crate) fn over() -> Validity {
    Validity {
        from: clock() - Duration::from_secs(100),
        lasts: Duration::from_secs(60),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "signatures are for a time, and this is the shell of the test"
)]
pub(crate) fn clock() -> SystemTime {
    SystemTime::now()
}

/// A file whose parts differ.
pub(crate) fn file(size: u64) -> Vec<u8> {
    (0..size)
        .map(|n| (n / 7 + n / 65_537).to_le_bytes()[0])
        .collect()
}

/// An upload under way.
pub(crate) struct Sending {
    pub(crate) upload: Upload,
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) digests: Vec<Sha256>,
}

impl Fixture {
    pub(crate) async fn begin(&self, key: &BlobKey, bytes: &[u8]) -> Sending {
        let plan = Plan::new(bytes.len() as u64).unwrap();
        let upload = self
            .blobs
            .begin(key, "application/pdf", plan)
            .await
            .unwrap();
        let size = usize::try_from(Plan::PART_BYTES).unwrap();
        let parts: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
        Sending {
            upload,
            digests: parts.iter().map(|part| Sha256::of(part)).collect(),
            parts,
        }
    }

    /// Signs a part and sends it; whether it was taken.
    pub(crate) async fn send(&self, sending: &Sending, number: u32) -> bool {
        let index = number as usize - 1;
        let digest = &sending.digests[index];
        let signed = self
            .blobs
            .sign_part(&sending.upload, part(number), digest, now())
            .await
            .unwrap();
        let body = sending.parts[index].clone();
        self.browser.put(&signed, body).await
    }

    pub(crate) async fn upload(&self, key: &BlobKey, bytes: &[u8]) {
        let sending = self.begin(key, bytes).await;
        for number in 1..=sending.parts.len() {
            assert!(self.send(&sending, u32::try_from(number).unwrap()).await);
        }
        let Sending {
            upload, digests, ..
        } = sending;
        self.blobs.complete(&upload, &digests).await.unwrap();
    }

    /// What a browser gets that was given a link.
    pub(crate) async fn follow(&self, key: &BlobKey) -> Option<Vec<u8>> {
        let signed = self.blobs.sign_read(key, &pdf(), now()).await.unwrap();
        let answer = self.browser.get(&signed.url).await;
        answer.map(|answer| answer.bytes)
    }
}
