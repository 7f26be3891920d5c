//! What carries out signed requests.

use std::fmt::Debug;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use gryt_blobs::folder::Admitted;
use gryt_blobs::{Folder, SignedRequest};

/// A browser, which holds nothing but what was signed for it.
#[async_trait]
pub(crate) trait Browser: Debug + Send + Sync {
    /// Sends a body; whether it was taken.
    async fn put(&self, request: &SignedRequest, body: Vec<u8>) -> bool;

    /// Asks for a file; `None` if it is refused or not there.
    async fn get(&self, url: &str) -> Option<Answer>;
}

/// A file as it arrives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) content_type: String,
    pub(crate) disposition: String,
}

/// Goes through the folder's own doors.
#[derive(Debug)]
pub(crate) struct AtTheDoors(pub(crate) Folder);

impl AtTheDoors {
    pub(crate) const DOORS: &str = "/blobs";

    #[expect(
        clippy::disallowed_methods,
        reason = "signatures are for a time, and this is the shell of the test"
    )]
    fn admit(&self, url: &str) -> Option<Admitted> {
        let ticket = url.strip_prefix(Self::DOORS)?.strip_prefix('/')?;
        self.0.admit(ticket, SystemTime::now()).ok()
    }
}

#[async_trait]
impl Browser for AtTheDoors {
    async fn put(&self, request: &SignedRequest, body: Vec<u8>) -> bool {
        let Some(Admitted::Part(door)) = self.admit(&request.url) else {
            return false;
        };
        // As it comes over a network.
        let chunks: Vec<Result<Bytes, std::io::Error>> = body
            .chunks(100_000)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        door.receive(stream::iter(chunks)).await.is_ok()
    }

    async fn get(&self, url: &str) -> Option<Answer> {
        let Some(Admitted::Read(door)) = self.admit(url) else {
            return None;
        };
        Some(Answer {
            bytes: std::fs::read(&door.path).ok()?,
            content_type: door.content_type.to_string(),
            disposition: door.disposition.to_string(),
        })
    }
}

/// Sends over HTTP.
#[cfg(feature = "s3")]
#[derive(Debug, Default)]
pub(crate) struct OverHttp(reqwest::Client);

#[cfg(feature = "s3")]
#[async_trait]
impl Browser for OverHttp {
    async fn put(&self, request: &SignedRequest, body: Vec<u8>) -> bool {
        let mut sent = self.0.put(&request.url).body(body);
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        sent.send().await.unwrap().status().is_success()
    }

    async fn get(&self, url: &str) -> Option<Answer> {
        let answer = self.0.get(url).send().await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        let header = |name| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        Some(Answer {
            content_type: header("content-type"),
            disposition: header("content-disposition"),
            bytes: answer.bytes().await.unwrap().to_vec(),
        })
    }
}
