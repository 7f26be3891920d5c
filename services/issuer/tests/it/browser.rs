//! An issuer on a real port, and a browser with the web client's part of the protocol.

use std::net::SocketAddr;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gryt_issuer::{AllowedOrigins, Invites, Issuer, IssuerConfig, Registration};
use reqwest::{Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use url::Url;

pub(crate) const AUDIENCE: &str = "abcdefghijklmnopqrstuvwxyz";
pub(crate) const RETURN_TO: &str = "http://localhost:5173/signed-in";
pub(crate) const PAGE: &str = "http://localhost:5173";
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const PASSWORD: &str = "correct horse";

/// The issuer's handlers run on the wall clock, so its keys do too.
#[expect(clippy::disallowed_methods, reason = "a shell's clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) struct Browser {
    pub(crate) dir: TempDir,
    pub(crate) base: String,
    pub(crate) invites: Invites,
    http: reqwest::Client,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        Self::start_with(Registration::Open).await
    }

    pub(crate) async fn start_with(registration: Registration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer::open(
            IssuerConfig {
                database: dir.path().join("issuer.db"),
                issuer: format!("{origin}/issuer"),
                audience: AUDIENCE.to_owned(),
                server_name: "Home".to_owned(),
                origins: AllowedOrigins::new([origin.clone(), PAGE.to_owned()]),
                registration,
            },
            now(),
        )
        .unwrap();
        let router = axum::Router::new().nest("/issuer", issuer.router());
        tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<SocketAddr>();
            axum::serve(listener, service).await
        });
        Self {
            dir,
            base: format!("{origin}/issuer"),
            invites: issuer.invites(),
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.get_with(path, &[]).await
    }

    pub(crate) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.http.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        self.post_with(path, form, &[]).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        form: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Response {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = self
            .http
            .post(format!("{}{path}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn options(&self, path: &str, origin: &str) -> Response {
        self.http
            .request(reqwest::Method::OPTIONS, format!("{}{path}", self.base))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type")
            .send()
            .await
            .unwrap()
    }

    /// Fills the form.
    pub(crate) async fn submit(&self, action: &str, name: &str, password: &str) -> Response {
        let form = [("action", action), ("name", name), ("password", password)];
        self.post(&authorize(&[]), &form).await
    }

    /// Creates an account; returns the code.
    pub(crate) async fn sign_up(&self, name: &str) -> String {
        code_of(&self.submit("create", name, PASSWORD).await)
    }

    pub(crate) async fn exchange(&self, code: &str) -> Response {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "gryt-web"),
            ("code", code),
            ("redirect_uri", RETURN_TO),
            ("code_verifier", VERIFIER),
        ];
        self.post("/token", &form).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Response {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "gryt-web"),
            ("refresh_token", token),
        ];
        self.post("/token", &form).await
    }

    /// Creates an account and takes its first tokens.
    pub(crate) async fn signed_in(&self, name: &str) -> Value {
        let code = self.sign_up(name).await;
        granted(self.exchange(&code).await).await
    }
}

/// The authorize page's path with good parameters, some of them changed.
pub(crate) fn authorize(changes: &[(&str, Option<&str>)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut pairs = vec![
        ("client_id", "gryt-web"),
        ("redirect_uri", RETURN_TO),
        ("response_type", "code"),
        ("scope", "openid profile"),
        ("state", "state of the client"),
        ("nonce", "n-0S6_WzA2Mj"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(known, _)| known != name);
        if let Some(value) = value {
            pairs.push((name, value));
        }
    }
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("/authorize?{query}")
}

/// Where a redirect leads.
pub(crate) fn location(response: &Response) -> Url {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()["location"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// One parameter of a redirect.
pub(crate) fn parameter(location: &Url, name: &str) -> Option<String> {
    location
        .query_pairs()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

pub(crate) fn code_of(response: &Response) -> String {
    parameter(&location(response), "code").unwrap()
}

/// The tokens of an answer that has to be good.
pub(crate) async fn granted(response: Response) -> Value {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// The error of an answer that has to be a refusal.
pub(crate) async fn refused(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    body["error"].as_str().unwrap().to_owned()
}
