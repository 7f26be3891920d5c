//! The contract of what stands in the storage.

use gryt_blobs::{BlobKey, Disposition, Error, Kind, Read, purge};

use crate::fixture::{Fixture, file, key, now, over, pdf};

pub(crate) async fn link_says_how_the_file_is_shown(storage: Fixture) {
    storage.upload(&key(1), &file(10)).await;
    let name = "Grüße \"für\" alle;\r\nX: y.txt";
    for (content_type, disposition) in [
        ("image/png", Disposition::Inline),
        (
            "application/octet-stream",
            Disposition::Attachment { name: name.into() },
        ),
    ] {
        let header = disposition.header();
        let read = Read {
            content_type: content_type.into(),
            disposition,
        };
        let link = storage
            .blobs
            .sign_read(&key(1), &read, now())
            .await
            .unwrap();

        let answer = storage.browser.get(&link.url).await.unwrap();

        assert_eq!(answer.content_type, content_type);
        assert_eq!(answer.disposition, header);
        assert_eq!(answer.bytes, file(10));
    }
}

pub(crate) async fn link_is_good_for_its_file_alone(storage: Fixture) {
    storage.upload(&key(1), &file(10)).await;
    storage.upload(&key(2), &file(20)).await;
    let link = storage.blobs.sign_read(&key(1), &pdf(), now()).await;
    let link = link.unwrap().url;

    let id = |number| key(number).id.to_string();
    let bare = link.split_once('?').map_or(link.as_str(), |(path, _)| path);
    let last = link.chars().last().unwrap();
    let other_last = if last == '0' { "1" } else { "0" };
    let forged = [
        link.replace(&id(1), &id(2)),
        link.replace("application%2Fpdf", "text%2Fhtml"),
        bare.to_owned(),
        format!("{}{other_last}", &link[..link.len() - 1]),
        format!("{}x{}", &link[..40], &link[41..]),
    ];
    for url in forged.into_iter().filter(|url| *url != link) {
        assert_eq!(storage.browser.get(&url).await, None, "{url}");
    }
    assert!(storage.browser.get(&link).await.is_some());
}

pub(crate) async fn expired_link_reads_nothing(storage: Fixture) {
    storage.upload(&key(1), &file(10)).await;
    let link = storage.blobs.sign_read(&key(1), &pdf(), over()).await;

    assert_eq!(storage.browser.get(&link.unwrap().url).await, None);
}

pub(crate) async fn unknown_file_is_none(storage: Fixture) {
    assert_eq!(storage.follow(&key(1)).await, None);
    assert_eq!(storage.blobs.read(&key(1), 10).await.unwrap(), None);
}

pub(crate) async fn beginning_of_a_file_is_read(storage: Fixture) {
    let bytes = file(100_000);
    storage.upload(&key(1), &bytes).await;

    for (at_most, expected) in [
        (0, 0),
        (1, 1),
        (512, 512),
        (100_000, 100_000),
        (1 << 40, 100_000),
    ] {
        let read = storage.blobs.read(&key(1), at_most).await.unwrap();
        assert!(read.unwrap() == bytes[..expected], "{at_most}");
    }
}

pub(crate) async fn written_blob_replaces_an_earlier_one(storage: Fixture) {
    for size in [300, 200] {
        let written = storage.blobs.write(&key(1), "image/webp", file(size)).await;
        written.unwrap();
    }

    assert_eq!(storage.follow(&key(1)).await, Some(file(200)));
}

pub(crate) async fn deleted_blob_is_gone_and_may_be_deleted_again(storage: Fixture) {
    storage.upload(&key(1), &file(10)).await;

    for _ in 0..2 {
        storage.blobs.delete(&key(1)).await.unwrap();
    }

    assert_eq!(storage.follow(&key(1)).await, None);
}

pub(crate) async fn pages_list_every_blob_of_a_kind_once(storage: Fixture) {
    for number in 0..7 {
        let size = u64::from(number) + 1;
        let written = storage
            .blobs
            .write(&key(number), "image/webp", file(size))
            .await;
        written.unwrap();
    }
    let thumbnail = BlobKey {
        kind: Kind::Thumbnail,
        ..key(1)
    };
    let written = storage.blobs.write(&thumbnail, "image/webp", file(9)).await;
    written.unwrap();

    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = storage.blobs.list(Kind::File, after.as_ref(), 3).await;
        let page = page.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        found.extend(page.into_iter().map(|blob| (blob.key, blob.size_bytes)));
    }

    let expected: Vec<_> = (0..7).map(|n| (key(n), u64::from(n) + 1)).collect();
    assert_eq!(found, expected);
    let thumbnails = storage.blobs.list(Kind::Thumbnail, None, 3).await.unwrap();
    assert_eq!(thumbnails.len(), 1);
    assert_eq!(thumbnails[0].key, thumbnail);
}

pub(crate) async fn servers_see_nothing_of_each_other(storage: Fixture) {
    storage.upload(&key(1), &file(10)).await;
    let sending = storage.begin(&key(2), &file(1_000)).await;
    assert!(storage.send(&sending, 1).await);
    let Fixture {
        other_blobs,
        other_browser,
        ..
    } = &storage;

    assert_eq!(other_blobs.read(&key(1), 10).await.unwrap(), None);
    assert_eq!(other_blobs.list(Kind::File, None, 10).await.unwrap(), []);
    let link = other_blobs.sign_read(&key(1), &pdf(), now()).await.unwrap();
    assert_eq!(other_browser.get(&link.url).await, None);
    other_blobs.delete(&key(1)).await.unwrap();

    let arrived = other_blobs.arrived(&sending.upload).await;
    assert!(matches!(arrived, Err(Error::UnknownUpload)), "{arrived:?}");
    let stolen = other_blobs
        .complete(&sending.upload, &sending.digests)
        .await;
    assert!(matches!(stolen, Err(Error::UnknownUpload)), "{stolen:?}");
    other_blobs.abort(&sending.upload).await.unwrap();
    assert_eq!(other_blobs.abort_begun_before(u64::MAX).await.unwrap(), 0);

    assert_eq!(storage.follow(&key(1)).await, Some(file(10)));
    let completed = storage.blobs.complete(&sending.upload, &sending.digests);
    completed.await.unwrap();
}

pub(crate) async fn purge_leaves_nothing_of_one_server_and_all_of_the_other(storage: Fixture) {
    storage.upload(&key(1), &file(10)).await;
    storage.begin(&key(2), &file(10)).await;
    let written = storage
        .other_blobs
        .write(&key(3), "image/webp", file(9))
        .await;
    written.unwrap();

    purge(&*storage.blobs).await.unwrap();

    for kind in Kind::ALL {
        assert_eq!(storage.blobs.list(kind, None, 10).await.unwrap(), []);
    }
    assert_eq!(storage.blobs.abort_begun_before(u64::MAX).await.unwrap(), 0);
    let kept = storage.other_blobs.read(&key(3), 10).await.unwrap();
    assert_eq!(kept, Some(file(9)));
}
