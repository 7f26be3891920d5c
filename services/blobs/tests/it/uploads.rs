//! The contract of uploads.

use gryt_blobs::{Error, Plan, Sha256};

use crate::fixture::{Fixture, Sending, clock, file, key, now, over, part};

const TWO_PARTS: u64 = Plan::PART_BYTES + 1_000;

pub(crate) async fn upload_of_one_part_is_read_back(storage: Fixture) {
    let bytes = file(100_000);
    storage.upload(&key(1), &bytes).await;

    assert!(storage.follow(&key(1)).await == Some(bytes));
}

pub(crate) async fn upload_of_several_parts_is_read_back(storage: Fixture) {
    let bytes = file(TWO_PARTS);
    storage.upload(&key(1), &bytes).await;

    assert!(storage.follow(&key(1)).await == Some(bytes));
}

pub(crate) async fn nothing_is_read_before_it_is_complete(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(1_000)).await;
    assert!(storage.send(&sending, 1).await);

    assert_eq!(storage.follow(&key(1)).await, None);
    assert_eq!(storage.blobs.read(&key(1), 10).await.unwrap(), None);
}

pub(crate) async fn part_of_another_size_is_refused(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(1_000)).await;
    let sign = || async {
        let digest = &sending.digests[0];
        let signed = storage
            .blobs
            .sign_part(&sending.upload, part(1), digest, now())
            .await;
        signed.unwrap()
    };

    for size in [0, 1, 999, 1_001, 5_000_000] {
        let taken = storage.browser.put(&sign().await, file(size)).await;
        assert!(!taken, "{size} bytes");
    }
    let arrived = storage.blobs.arrived(&sending.upload).await.unwrap();
    assert_eq!(arrived, []);
}

pub(crate) async fn part_with_other_bytes_is_refused(storage: Fixture) {
    let mut sending = storage.begin(&key(1), &file(1_000)).await;
    sending.parts[0][500] ^= 1;

    assert!(!storage.send(&sending, 1).await);
    let arrived = storage.blobs.arrived(&sending.upload).await.unwrap();
    assert_eq!(arrived, []);
}

pub(crate) async fn signature_is_good_for_its_part_alone(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(TWO_PARTS)).await;
    let elsewhere = storage.begin(&key(2), &file(TWO_PARTS)).await;
    let signed = storage
        .blobs
        .sign_part(&sending.upload, part(1), &sending.digests[0], now())
        .await
        .unwrap();

    let id = |number| key(number).id.to_string();
    let last = signed.url.chars().last().unwrap();
    let other_last = if last == '0' { "1" } else { "0" };
    let forged = [
        signed.url.replace("partNumber=1", "partNumber=2"),
        signed.url.replace(&id(1), &id(2)),
        signed
            .url
            .replace(&*sending.upload.token, &elsewhere.upload.token),
        format!("{}{other_last}", &signed.url[..signed.url.len() - 1]),
        // The signature is past the middle, what it covers before.
        format!("{}x{}", &signed.url[..40], &signed.url[41..]),
    ];
    for url in forged.into_iter().filter(|url| *url != signed.url) {
        let mut forged = signed.clone();
        forged.url = url;
        let body = sending.parts[0].clone();
        assert!(!storage.browser.put(&forged, body).await, "{}", forged.url);
    }
    for upload in [&sending.upload, &elsewhere.upload] {
        assert_eq!(storage.blobs.arrived(upload).await.unwrap(), []);
    }
}

pub(crate) async fn expired_signature_writes_nothing(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(1_000)).await;
    let signed = storage
        .blobs
        .sign_part(&sending.upload, part(1), &sending.digests[0], over())
        .await
        .unwrap();

    assert!(!storage.browser.put(&signed, file(1_000)).await);
    let arrived = storage.blobs.arrived(&sending.upload).await.unwrap();
    assert_eq!(arrived, []);
}

pub(crate) async fn plan_has_no_further_parts(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(1_000)).await;
    let signed = storage
        .blobs
        .sign_part(&sending.upload, part(2), &sending.digests[0], now())
        .await;

    assert!(matches!(signed, Err(Error::NoSuchPart(n)) if n == part(2)));
}

pub(crate) async fn upload_is_resumed_with_the_parts_that_are_missing(storage: Fixture) {
    let bytes = file(TWO_PARTS);
    let sending = storage.begin(&key(1), &bytes).await;
    let Sending {
        upload, digests, ..
    } = &sending;
    assert!(storage.send(&sending, 2).await);

    assert_eq!(storage.blobs.arrived(upload).await.unwrap(), [part(2)]);
    let early = storage.blobs.complete(upload, digests).await;
    assert!(
        matches!(&early, Err(Error::MissingParts(parts)) if *parts == [part(1)]),
        "{early:?}"
    );
    assert!(storage.send(&sending, 1).await);
    // As after an answer that was lost.
    assert!(storage.send(&sending, 2).await);
    storage.blobs.complete(upload, digests).await.unwrap();

    assert!(storage.follow(&key(1)).await == Some(bytes));
}

pub(crate) async fn part_that_was_announced_otherwise_is_not_completed(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(1_000)).await;
    assert!(storage.send(&sending, 1).await);

    for digests in [vec![], vec![Sha256::of(b"another")]] {
        let completed = storage.blobs.complete(&sending.upload, &digests).await;
        assert!(matches!(completed, Err(Error::OtherParts)), "{completed:?}");
    }
    assert_eq!(storage.follow(&key(1)).await, None);
}

pub(crate) async fn completing_twice_is_completing_once(storage: Fixture) {
    let bytes = file(1_000);
    let sending = storage.begin(&key(1), &bytes).await;
    assert!(storage.send(&sending, 1).await);

    for _ in 0..2 {
        let completed = storage.blobs.complete(&sending.upload, &sending.digests);
        completed.await.unwrap();
    }
    assert_eq!(storage.follow(&key(1)).await, Some(bytes));
    let listed = storage.blobs.list(key(1).kind, None, 10).await.unwrap();
    assert_eq!(listed.len(), 1);
}

pub(crate) async fn nothing_is_written_after_completion(storage: Fixture) {
    let bytes = file(1_000);
    let sending = storage.begin(&key(1), &bytes).await;
    let other = Sha256::of(&[0; 1_000]);
    let signed = storage
        .blobs
        .sign_part(&sending.upload, part(1), &other, now())
        .await
        .unwrap();
    assert!(storage.send(&sending, 1).await);
    let completed = storage.blobs.complete(&sending.upload, &sending.digests);
    completed.await.unwrap();

    assert!(!storage.browser.put(&signed, vec![0; 1_000]).await);
    assert_eq!(storage.follow(&key(1)).await, Some(bytes));
}

pub(crate) async fn aborted_upload_leaves_nothing(storage: Fixture) {
    let sending = storage.begin(&key(1), &file(1_000)).await;
    assert!(storage.send(&sending, 1).await);

    for _ in 0..2 {
        storage.blobs.abort(&sending.upload).await.unwrap();
    }

    assert!(!storage.send(&sending, 1).await);
    let arrived = storage.blobs.arrived(&sending.upload).await;
    assert!(matches!(arrived, Err(Error::UnknownUpload)), "{arrived:?}");
    let completed = storage.blobs.complete(&sending.upload, &sending.digests);
    let completed = completed.await;
    assert!(
        matches!(completed, Err(Error::UnknownUpload)),
        "{completed:?}"
    );
    assert_eq!(storage.follow(&key(1)).await, None);
}

pub(crate) async fn old_uploads_are_ended_and_young_ones_are_not(storage: Fixture) {
    storage.upload(&key(1), &file(1_000)).await;
    let sending = storage.begin(&key(2), &file(1_000)).await;
    let now = clock().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now_ms = u64::try_from(now.as_millis()).unwrap();
    let hour = 3_600_000;

    let ended = storage.blobs.abort_begun_before(now_ms - hour).await;
    assert_eq!(ended.unwrap(), 0);
    assert!(storage.send(&sending, 1).await);
    let ended = storage.blobs.abort_begun_before(now_ms + hour).await;
    assert_eq!(ended.unwrap(), 1);

    let arrived = storage.blobs.arrived(&sending.upload).await;
    assert!(matches!(arrived, Err(Error::UnknownUpload)), "{arrived:?}");
    assert_eq!(storage.follow(&key(1)).await, Some(file(1_000)));
}
