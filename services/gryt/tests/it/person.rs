//! A person's browser: signs up at the issuer and holds the tokens.

use reqwest::{Client, StatusCode};
use serde_json::Value;
use url::Url;

/// Of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Person {
    http: Client,
    /// The origin that they came by.
    base: String,
    refresh_token: String,
    pub(crate) access_token: String,
}

/// Sends the form; the answer may be a refusal.
pub(crate) async fn sign_up(http: &Client, base: &str, name: &str) -> reqwest::Response {
    let url = format!(
        "{base}/issuer/authorize?client_id=gryt-web&response_type=code&scope=openid\
         &code_challenge_method=S256&code_challenge={CHALLENGE}&redirect_uri={base}/signed-in"
    );
    let form = format!("action=create&name={name}&password=correct+horse");
    http.post(url)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap()
}

impl Person {
    /// Signs up. `http` must not follow redirects.
    pub(crate) async fn new(http: Client, base: &str, name: &str) -> Self {
        let answer = sign_up(&http, base, name).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let location: Url = answer.headers()["location"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let (_, code) = location
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap();
        let form = format!(
            "grant_type=authorization_code&client_id=gryt-web&code={code}\
             &code_verifier={VERIFIER}&redirect_uri={base}/signed-in"
        );
        let mut person = Self {
            http,
            base: base.to_owned(),
            refresh_token: String::new(),
            access_token: String::new(),
        };
        person.take_tokens(form).await;
        person
    }

    /// Takes new tokens, as the page does every few minutes.
    pub(crate) async fn renew(&mut self) {
        let form = format!(
            "grant_type=refresh_token&client_id=gryt-web&refresh_token={}",
            self.refresh_token
        );
        self.take_tokens(form).await;
    }

    /// What the server answers to this token.
    pub(crate) async fn members(&self, token: &str) -> StatusCode {
        let url = format!("{}/api/v1/members", self.base);
        let asked = self.http.get(url).bearer_auth(token).send();
        asked.await.unwrap().status()
    }

    async fn take_tokens(&mut self, form: String) {
        let answer = self
            .http
            .post(format!("{}/issuer/token", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await
            .unwrap();
        let tokens: Value = answer.json().await.unwrap();
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        self.access_token = text("access_token");
        self.refresh_token = text("refresh_token");
    }
}
