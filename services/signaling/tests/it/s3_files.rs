//! Files of messages in a real S3-compatible storage, by REST as a browser asks for them.

use std::io::Cursor;
use std::time::Duration;

use gryt_backends::seaweedfs::{ACCESS_KEY, SECRET_KEY, SeaweedFs};
use gryt_blobs::s3::{Addressing, Credentials, SecretKey, Settings};
use gryt_blobs::{Plan, S3, Sha256};
use gryt_signaling::files::{FileStorage, FilesConfig};
use image::{GrayImage, ImageFormat};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{World, server_id};

/// One bucket and a server that keeps its files there.
struct Shelf {
    seaweedfs: SeaweedFs,
    world: World,
    http: reqwest::Client,
}

fn settings(seaweedfs: &SeaweedFs) -> Settings {
    let at = |host: &str| {
        let port = seaweedfs.port();
        format!("http://{host}:{port}").parse().unwrap()
    };
    Settings {
        endpoint: at("127.0.0.1"),
        public_endpoint: Some(at("localhost")),
        region: "us-east-1".into(),
        bucket: "gryt-files".into(),
        prefix: "test/".into(),
        addressing: Addressing::Path,
        credentials: Credentials {
            access_key: ACCESS_KEY.into(),
            secret_key: SecretKey::new(SECRET_KEY),
        },
        authorities: None,
    }
}

impl Shelf {
    async fn start() -> Self {
        let seaweedfs = SeaweedFs::start();
        let settings = settings(&seaweedfs);
        let bucket = S3::new(&settings, &server_id()).unwrap();
        bucket.provision().await.unwrap();
        let files = FilesConfig {
            storage: FileStorage::S3(Box::new(settings)),
            // With it nothing is kept in a folder.
            key: Some("a7".repeat(32).parse().unwrap()),
            ..FilesConfig::default()
        };
        Self {
            seaweedfs,
            world: World::with_files(files).await,
            http: reqwest::Client::new(),
        }
    }

    async fn ask(
        &self,
        name: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let url = self.world.url(&format!("/api/v1{path}"));
        let mut request = self.http.request(method, url);
        request = request.bearer_auth(self.world.token(name));
        if let Some(body) = body {
            let json = "application/json";
            request = request.header("content-type", json).body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask("ann", Method::POST, path, Some(body)).await
    }

    async fn channel(&self) -> String {
        let (_, body) = self.ask("ann", Method::GET, "/channels", None).await;
        let channels = body["channels"].as_array().unwrap();
        let text = channels.iter().find(|channel| channel["kind"] == "text");
        text.unwrap()["channel_id"].as_str().unwrap().to_owned()
    }

    async fn begin(&self, content_type: &str, bytes: &[u8]) -> (StatusCode, Value) {
        let path = format!("/channels/{}/uploads", self.channel().await);
        let body = json!({
            "name": "a file", "content_type": content_type, "size_bytes": bytes.len(),
        });
        self.post(&path, body).await
    }

    /// The path of a file of a message that was just sent.
    async fn send(&self, nonce: &str, content_type: &str, bytes: &[u8]) -> String {
        let (status, begun) = self.begin(content_type, bytes).await;
        assert_eq!(status, StatusCode::CREATED, "{begun}");
        let upload = &begun["upload"];
        let size = usize::try_from(Plan::PART_BYTES).unwrap();
        let mut digests = Vec::new();
        for (part, bytes) in (1..).zip(bytes.chunks(size)) {
            let digest = Sha256::of(bytes).to_string();
            let wanted = json!({ "upload": upload, "parts": [{ "part": part, "sha256": digest }] });
            digests.push(digest);
            let (_, signed) = self.post("/uploads/parts", wanted).await;
            let signed = &signed["parts"][0];
            let url = signed["url"].as_str().unwrap();
            assert!(url.starts_with("http://localhost:"), "{url}");
            let mut put = self.http.put(url).body(bytes.to_vec());
            for header in signed["headers"].as_array().unwrap() {
                put = put.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
            }
            assert!(put.send().await.unwrap().status().is_success());
        }
        let end = json!({ "upload": upload, "sha256": digests });
        let (status, completed) = self.post("/uploads/complete", end).await;
        assert_eq!(status, StatusCode::OK, "{completed}");
        let body = json!({ "text": "", "nonce": nonce, "attachments": [completed["ticket"]] });
        let path = format!("/channels/{}/messages", self.channel().await);
        let (status, message) = self.post(&path, body).await;
        assert_eq!(status, StatusCode::CREATED, "{message}");
        let message_id = message["message_id"].as_str().unwrap();
        let file_id = message["attachments"][0]["file_id"].as_str().unwrap();
        format!("{path}/{message_id}/files/{file_id}/link")
    }

    /// What another member gets by the link; `None` if there is nothing.
    async fn read(&self, path: &str) -> Option<reqwest::Response> {
        let (status, link) = self.ask("bob", Method::GET, path, None).await;
        if status != StatusCode::OK {
            return None;
        }
        let answer = self.http.get(link["url"].as_str().unwrap()).send().await;
        let answer = answer.unwrap();
        answer.status().is_success().then_some(answer)
    }
}

fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = GrayImage::new(20, 10);
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn file_in_a_bucket_goes_from_one_member_to_another() {
    let shelf = Shelf::start().await;
    let bytes: Vec<u8> = (0..Plan::PART_BYTES + 10)
        .map(|n| (n / 3).to_le_bytes()[0])
        .collect();

    let path = shelf.send("n1", "text/html", &bytes).await;

    let answer = shelf.read(&path).await.unwrap();
    let header = |name| answer.headers().get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "application/octet-stream");
    assert!(header("content-disposition").starts_with("attachment; "));
    assert!(answer.bytes().await.unwrap() == bytes);

    let picture = shelf.send("n2", "image/png", &png()).await;
    let thumbnail = format!("{picture}?thumbnail=true");
    let made = async {
        while shelf.read(&thumbnail).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, made).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs SeaweedFS: cargo xtask test backends"]
async fn people_talk_while_the_storage_is_gone_and_send_files_after_it() {
    let mut shelf = Shelf::start().await;
    let path = shelf.send("n1", "text/plain", b"hello").await;

    shelf.seaweedfs.kill();
    let (status, refused) = shelf.begin("text/plain", b"hello").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{refused}");
    let body = json!({ "text": "nobody waits for it", "nonce": "n2" });
    let messages = format!("/channels/{}/messages", shelf.channel().await);
    let (status, sent) = shelf.post(&messages, body).await;
    assert_eq!(status, StatusCode::CREATED, "{sent}");

    shelf.seaweedfs.start_again();
    let again = shelf.read(&path).await.unwrap();
    assert_eq!(&again.bytes().await.unwrap()[..], b"hello");
    shelf.send("n3", "text/plain", b"again").await;
}
