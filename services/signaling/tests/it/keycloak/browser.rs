//! A person's browser at Keycloak's pages, scripted: follows no redirect by itself, keeps cookies.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{RequestBuilder, Response, StatusCode, header};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use url::Url;

/// The web client of the development realm.
pub(crate) const CLIENT: &str = "gryt-web";

const BACK: &str = "http://localhost:8080/signed-in";

pub(crate) struct Browser {
    http: reqwest::Client,
    client_id: String,
    authorize: Url,
    token: Url,
    end: Url,
    cookies: BTreeMap<String, String>,
    verifier: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) id: String,
}

/// How Keycloak says no.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// By a page: 200 with the form again, 400 with an error.
    Page(StatusCode),
    /// By the `error` that it sends the browser back with.
    Redirect(String),
    /// By the `error` of the token endpoint.
    Token(String),
}

impl Browser {
    /// Reads where to go from the issuer's discovery document.
    pub(crate) async fn new(issuer: &str, client_id: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        let document = format!("{issuer}/.well-known/openid-configuration");
        let document: Value = http
            .get(document)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let url = |field: &str| document[field].as_str().unwrap().parse().unwrap();
        let mut random = [0; 32];
        SystemRandom::new().fill(&mut random).unwrap();
        Self {
            http,
            client_id: client_id.to_owned(),
            authorize: url("authorization_endpoint"),
            token: url("token_endpoint"),
            end: url("end_session_endpoint"),
            cookies: BTreeMap::new(),
            verifier: URL_SAFE_NO_PAD.encode(random),
        }
    }

    /// Fills in the page and changes the code.
    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Result<Tokens, Refusal> {
        let code = self.code(name, password).await?;
        let verifier = self.verifier.clone();
        self.change(&code, &verifier).await
    }

    /// Fills in the page.
    pub(crate) async fn code(&mut self, name: &str, password: &str) -> Result<String, Refusal> {
        // Somebody new sits down at this browser.
        self.cookies.clear();
        let page = self.open(self.authorization(BACK, true)).await;
        assert_eq!(page.status(), StatusCode::OK, "the sign-in page");
        let page = page.text().await.unwrap();
        let (_, form) = page.split_once("action=\"").unwrap();
        let (action, _) = form.split_once('"').unwrap();
        let action = action.replace("&amp;", "&");
        let filled = [
            ("username", name),
            ("password", password),
            ("credentialId", ""),
        ];
        let answer = self.send(self.http.post(action).form(&filled)).await;
        code_in(&answer)
    }

    /// Asks for a code as one who is signed in already.
    pub(crate) async fn code_of_session(&mut self) -> Result<String, Refusal> {
        let answer = self.open(self.authorization(BACK, true)).await;
        code_in(&answer)
    }

    /// Asks for a code that comes back to this address.
    pub(crate) async fn code_for(&mut self, back: &str) -> Result<String, Refusal> {
        let answer = self.open(self.authorization(back, true)).await;
        code_in(&answer)
    }

    pub(crate) async fn code_without_pkce(&mut self) -> Result<String, Refusal> {
        let answer = self.open(self.authorization(BACK, false)).await;
        code_in(&answer)
    }

    /// Changes a code for tokens.
    pub(crate) async fn change(&self, code: &str, verifier: &str) -> Result<Tokens, Refusal> {
        self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", verifier),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Result<Tokens, Refusal> {
        self.ask(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ])
        .await
    }

    /// Leaves for the issuer's end of session; gives where it sends the browser.
    pub(crate) async fn sign_out(&mut self, tokens: &Tokens) -> Result<String, Refusal> {
        let mut url = self.end.clone();
        url.query_pairs_mut()
            .append_pair("id_token_hint", &tokens.id)
            .append_pair("post_logout_redirect_uri", "http://localhost:8080/")
            .append_pair("state", "s");
        let answer = self.open(url).await;
        match answer.headers().get(header::LOCATION) {
            Some(location) => Ok(location.to_str().unwrap().to_owned()),
            None => Err(Refusal::Page(answer.status())),
        }
    }

    fn authorization(&self, back: &str, pkce: bool) -> Url {
        let mut url = self.authorize.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", back)
            .append_pair("response_type", "code")
            .append_pair("scope", "openid profile")
            .append_pair("state", "s");
        if pkce {
            let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()));
            url.query_pairs_mut()
                .append_pair("code_challenge", &challenge)
                .append_pair("code_challenge_method", "S256");
        }
        url
    }

    async fn ask(&self, fields: &[(&str, &str)]) -> Result<Tokens, Refusal> {
        let mut form = vec![("client_id", self.client_id.as_str())];
        form.extend(fields);
        let request = self.http.post(self.token.clone()).form(&form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        if let Some(error) = answer["error"].as_str() {
            return Err(Refusal::Token(error.to_owned()));
        }
        let text = |field: &str| answer[field].as_str().unwrap().to_owned();
        Ok(Tokens {
            access: text("access_token"),
            refresh: text("refresh_token"),
            id: text("id_token"),
        })
    }

    async fn open(&mut self, url: Url) -> Response {
        self.send(self.http.get(url)).await
    }

    /// Keeps cookies by hand: Keycloak marks them `Secure`, which browsers overlook on localhost and
    /// libraries do not.
    async fn send(&mut self, request: RequestBuilder) -> Response {
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request.header(header::COOKIE, cookies.join("; "));
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// The code in the address that the browser is sent back to.
fn code_in(answer: &Response) -> Result<String, Refusal> {
    let Some(location) = answer.headers().get(header::LOCATION) else {
        return Err(Refusal::Page(answer.status()));
    };
    let location: Url = location.to_str().unwrap().parse().unwrap();
    let value = |name: &str| {
        let mut pairs = location.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    match value("error") {
        Some(error) => Err(Refusal::Redirect(error)),
        None => Ok(value("code").unwrap()),
    }
}

/// The key that a token says it is signed by.
pub(crate) fn kid(token: &str) -> String {
    header_of(token)["kid"].as_str().unwrap().to_owned()
}

/// The token as if another key had signed it.
pub(crate) fn with_kid(token: &str, kid: &str) -> String {
    let mut header = header_of(token);
    header["kid"] = json!(kid);
    let (_, rest) = token.split_once('.').unwrap();
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn header_of(token: &str) -> Value {
    let (header, _) = token.split_once('.').unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}
