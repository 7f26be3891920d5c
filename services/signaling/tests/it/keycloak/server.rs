//! A server whose people have their accounts at Keycloak, put together as `gryt-signaling` does it.

use std::net::SocketAddr;
use std::time::Duration;

use gryt_backends::keycloak::{Keycloak, REALM};
use gryt_issuer::Registration;
use gryt_signaling::data_dir::DataDir;
use gryt_signaling::files::FilesConfig;
use gryt_signaling::issuers::{Beside, Issuers, IssuersElsewhere};
use gryt_signaling::local::{Local, LocalConfig, Naming, Started};
use gryt_signaling::{Limits, OriginPolicy};
use prometheus_client::registry::Registry;
use reqwest::header;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::now;
use crate::sfu::Sfu;

/// Stops when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    http: reqwest::Client,
    _stop: DropGuard,
    _sfu: Sfu,
    _folder: TempDir,
}

impl Server {
    pub(crate) async fn start(keycloak: &Keycloak, audience: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (sfu, sfu_channel) = Sfu::start();
        let issuers = json!([{
            "name": "keycloak", "issuer": keycloak.issuer(REALM), "audience": audience,
        }]);
        let elsewhere: IssuersElsewhere = issuers.to_string().parse().unwrap();
        let config = LocalConfig {
            naming: Naming::Folder("Test".to_owned()),
            public: "http://localhost:8080".to_owned(),
            only_public: true,
            origins: OriginPolicy::default(),
            issuers: Issuers::elsewhere(elsewhere, Beside::Nothing),
            registration: Registration::Open,
            files: Some(FilesConfig::default()),
            limits: Limits::default(),
        };
        let data = DataDir::at(folder.path().to_owned());
        let local = Local::open(&data, config, now()).await.unwrap();
        let Started {
            signaling, router, ..
        } = local.start(
            vec![("the SFU".to_owned(), sfu_channel)],
            Registry::default(),
        );
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        tokio::spawn(signaling.run(stop.clone()));
        Self {
            address,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()
                .unwrap(),
            _stop: stop.drop_guard(),
            _sfu: sfu,
            _folder: folder,
        }
    }

    /// What it says about itself.
    pub(crate) async fn document(&self) -> Value {
        let answer = self.get("/.well-known/gryt", "").await;
        answer.json().await.unwrap()
    }

    pub(crate) async fn content_type(&self, path: &str) -> String {
        let answer = self.get(path, "").await;
        let value = answer.headers().get(header::CONTENT_TYPE).unwrap();
        value.to_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> reqwest::Response {
        self.http
            .get(format!("http://{}{path}", self.address))
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
    }
}
