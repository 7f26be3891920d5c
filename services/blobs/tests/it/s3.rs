//! What the S3 adapter promises beyond the contract: over faults of the network and of the storage.

use std::sync::Arc;
use std::time::Duration;

use gryt_backends::seaweedfs::{ACCESS_KEY, SECRET_KEY, SeaweedFs};
use gryt_backends::toxiproxy::Proxy;
use gryt_blobs::s3::{Addressing, Credentials, S3, SecretKey, Settings};
use gryt_blobs::{Blobs as _, Error};
use tokio::time::Instant;

use crate::browser::OverHttp;
use crate::fixture::{Fixture, file, fresh_server, key, now, pdf};

/// Longer than any call waits with all its attempts.
const LONGEST: Duration = Duration::from_secs(20);

/// One SeaweedFS, and the way to it.
#[derive(Debug)]
pub(crate) struct Storage {
    seaweedfs: SeaweedFs,
    way: Option<Proxy>,
}

impl Storage {
    pub(crate) fn start() -> Self {
        Self {
            seaweedfs: SeaweedFs::start(),
            way: None,
        }
    }

    /// With toxiproxy between it and our own calls; browsers go straight.
    fn start_behind_a_proxy() -> Self {
        let seaweedfs = SeaweedFs::start();
        let way = Some(Proxy::start(seaweedfs.port()));
        Self { seaweedfs, way }
    }

    pub(crate) fn start_slow() -> Self {
        let storage = Self::start_behind_a_proxy();
        storage.way().delay_ms(20);
        storage
    }

    fn way(&self) -> &Proxy {
        self.way.as_ref().unwrap()
    }

    fn settings(&self) -> Settings {
        let at = |port| format!("http://127.0.0.1:{port}").parse().unwrap();
        let straight = self.seaweedfs.port();
        Settings {
            endpoint: at(self.way.as_ref().map_or(straight, Proxy::port)),
            public_endpoint: Some(at(straight)),
            region: "us-east-1".into(),
            bucket: "gryt-uploads".into(),
            prefix: "test/".into(),
            addressing: Addressing::Path,
            credentials: Credentials {
                access_key: ACCESS_KEY.into(),
                secret_key: SecretKey::new(&format!("{SECRET_KEY}\n")),
            },
            authorities: None,
        }
    }

    fn server(&self) -> S3 {
        S3::new(&self.settings(), &fresh_server()).unwrap()
    }

    pub(crate) async fn provision(&self) {
        for _ in 0..2 {
            self.server().provision().await.unwrap();
        }
    }

    pub(crate) fn two_servers(&self) -> Fixture {
        Fixture {
            blobs: Arc::new(self.server()),
            browser: Arc::new(OverHttp::default()),
            other_blobs: Arc::new(self.server()),
            other_browser: Arc::new(OverHttp::default()),
            _alive: Box::new(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn calls_fail_in_bounded_time_while_the_storage_is_gone_and_work_again_after() {
    let mut storage = Storage::start();
    storage.provision().await;
    let server = storage.two_servers();
    server.upload(&key(1), &file(1_000)).await;

    storage.seaweedfs.kill();
    let began = Instant::now();
    let read = server.blobs.read(&key(1), 10).await;
    assert!(matches!(read, Err(Error::Read(_))), "{read:?}");
    let written = server.blobs.write(&key(2), "image/webp", file(9)).await;
    assert!(matches!(written, Err(Error::Write(_))), "{written:?}");
    assert!(began.elapsed() < 2 * LONGEST);
    // Nobody is asked to sign.
    server
        .blobs
        .sign_read(&key(1), &pdf(), now())
        .await
        .unwrap();

    storage.seaweedfs.start_again();
    let kept = server.blobs.read(&key(1), 10).await.unwrap();
    assert_eq!(kept, Some(file(10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn storage_that_swallows_everything_is_given_up_in_time() {
    let storage = Storage::start_behind_a_proxy();
    storage.provision().await;
    let server = storage.two_servers();
    server.upload(&key(1), &file(1_000)).await;

    storage.way().swallow_everything();
    let began = Instant::now();
    let read = server.blobs.read(&key(1), 10).await;
    assert!(matches!(read, Err(Error::Read(_))), "{read:?}");
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());

    storage.way().cut();
    storage.way().mend();
    let kept = server.blobs.read(&key(1), 10).await.unwrap();
    assert_eq!(kept, Some(file(10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn completion_whose_answer_was_lost_can_be_repeated() {
    let storage = Storage::start_behind_a_proxy();
    storage.provision().await;
    let server = storage.two_servers();
    let sending = server.begin(&key(1), &file(1_000)).await;
    assert!(server.send(&sending, 1).await);

    storage.way().swallow_answers();
    let lost = server.blobs.complete(&sending.upload, &sending.digests);
    assert!(lost.await.is_err());
    storage.way().cut();
    storage.way().mend();

    let again = server.blobs.complete(&sending.upload, &sending.digests);
    again.await.unwrap();
    assert_eq!(server.follow(&key(1)).await, Some(file(1_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn wrong_credentials_are_told_and_show_no_secret() {
    let storage = Storage::start();
    storage.provision().await;
    let mut settings = storage.settings();
    settings.credentials.secret_key = SecretKey::new("another");
    let server = S3::new(&settings, &fresh_server()).unwrap();

    let refused = server.read(&key(1), 10).await.unwrap_err();
    let mut text = format!("{settings:?} {server:?}");
    let mut cause: Option<&dyn std::error::Error> = Some(&refused);
    while let Some(error) = cause {
        text.push_str(&format!(" {error}"));
        cause = error.source();
    }

    assert!(text.contains("SignatureDoesNotMatch"), "{text}");
    assert!(!text.contains("another"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn pages_of_any_origin_may_use_what_was_signed() {
    let storage = Storage::start();
    storage.provision().await;
    let server = storage.two_servers();
    let sending = server.begin(&key(1), &file(1_000)).await;
    let signed = server.blobs.sign_part(
        &sending.upload,
        crate::fixture::part(1),
        &sending.digests[0],
        now(),
    );
    let url = signed.await.unwrap().url;

    let preflight = reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, url)
        .header("origin", "https://chat.example")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "x-amz-checksum-sha256")
        .send()
        .await
        .unwrap();

    assert!(preflight.status().is_success(), "{preflight:?}");
    let header = |name| preflight.headers().get(name).unwrap().to_str().unwrap();
    // SeaweedFS says who asked where any may.
    assert!(["*", "https://chat.example"].contains(&header("access-control-allow-origin")));
    assert!(header("access-control-allow-methods").contains("PUT"));
}
