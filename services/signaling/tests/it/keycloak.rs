//! Sign-in at a real Keycloak, from its page to our socket: what its tokens are good for here, and
//! what happens when its keys change or it goes away.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use gryt_backends::keycloak::{Keycloak, OTHER_REALM, REALM};
use gryt_proto::client::v1::Reason;
use gryt_signaling::{Algorithm, AuthError, IssuerConfig, KeySource, Verifier};
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::RwLock;

mod administrator;
mod browser;
mod server;

use administrator::Administrator;
use browser::{Browser, CLIENT, Refusal};
use server::Server;

use crate::client::{Client, ping};

/// One for all tests; whoever ends it has it alone. Ends with the process.
static KEYCLOAK: LazyLock<RwLock<Keycloak>> = LazyLock::new(|| RwLock::new(Keycloak::start()));

/// What the development realm writes into `aud`.
const AUDIENCE: &str = "gryt-development";

fn relying_on(keycloak: &Keycloak) -> IssuerConfig {
    let issuer = keycloak.issuer(REALM);
    let discovery = format!("{issuer}/.well-known/openid-configuration");
    IssuerConfig {
        name: "keycloak".into(),
        keys: KeySource::Discovery(discovery.parse().unwrap()),
        issuer,
        ca_file: None,
        audience: AUDIENCE.to_owned(),
        authorized_parties: vec![CLIENT.to_owned()],
        algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
        leeway: Duration::from_secs(30),
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are about real time")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn person_signs_in_at_the_page_and_talks_on_the_socket() {
    let keycloak = KEYCLOAK.read().await;
    let server = Server::start(&keycloak, AUDIENCE).await;
    let document = server.document().await;
    assert_eq!(document["registration"], "elsewhere");
    let [offer] = &document["issuers"].as_array().unwrap()[..] else {
        panic!("one issuer was configured: {document}");
    };
    let issuer = offer["issuer"].as_str().unwrap();
    let client_id = offer["client_id"].as_str().unwrap();

    let mut browser = Browser::new(issuer, client_id).await;
    let tokens = browser.sign_in("ada", "ada for development").await.unwrap();
    let mut client = Client::at(server.address, &tokens.access).await;
    let welcome = client.hello(None, "").await;
    assert_eq!(welcome.me.unwrap().name, "ada");
    client.done(ping()).await;

    // There are no accounts of the server's own to sign in with, nor their keys: the web client's
    // page answers there as everywhere, or the one that says that it is not built.
    let keys = server.content_type("/issuer/jwks").await;
    assert!(keys.starts_with("text/html"), "{keys}");
    assert!(!welcome.has_invites);
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn code_is_given_and_changed_only_with_the_right_proof() {
    let keycloak = KEYCLOAK.read().await;
    let mut browser = Browser::new(&keycloak.issuer(REALM), CLIENT).await;

    let wrong_password = browser.sign_in("bo", "a guess").await.unwrap_err();
    assert_eq!(wrong_password, Refusal::Page(StatusCode::OK));
    let without_pkce = browser.code_without_pkce().await.unwrap_err();
    assert_eq!(
        without_pkce,
        Refusal::Redirect("invalid_request".to_owned())
    );
    let foreign_page = browser
        .code_for("http://evil.test/signed-in")
        .await
        .unwrap_err();
    assert_eq!(foreign_page, Refusal::Page(StatusCode::BAD_REQUEST));

    let code = browser.code("bo", "bo for development").await.unwrap();
    let wrong_verifier = browser.change(&code, &"x".repeat(43)).await.unwrap_err();
    assert_eq!(wrong_verifier, Refusal::Token("invalid_grant".to_owned()));
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn refresh_token_works_once() {
    let keycloak = KEYCLOAK.read().await;
    let verifier = Verifier::new(vec![relying_on(&keycloak)]);
    let mut browser = Browser::new(&keycloak.issuer(REALM), CLIENT).await;
    let first = browser.sign_in("ada", "ada for development").await.unwrap();

    let second = browser.refresh(&first.refresh).await.unwrap();
    assert_ne!(second.access, first.access);
    assert!(verifier.verify(&second.access, now()).await.is_ok());
    for _ in 0..2 {
        let again = browser.refresh(&first.refresh).await.unwrap_err();
        assert_eq!(again, Refusal::Token("invalid_grant".to_owned()));
    }
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn sign_out_ends_the_session_at_the_issuer() {
    let keycloak = KEYCLOAK.read().await;
    let mut browser = Browser::new(&keycloak.issuer(REALM), CLIENT).await;
    let tokens = browser.sign_in("bo", "bo for development").await.unwrap();

    let back_at = browser.sign_out(&tokens).await.unwrap();
    assert_eq!(back_at, "http://localhost:8080/?state=s");
    let refused = browser.refresh(&tokens.refresh).await.unwrap_err();
    assert_eq!(refused, Refusal::Token("invalid_grant".to_owned()));
    // Without the session the page asks for the password again.
    let needs_password = browser.code_of_session().await.unwrap_err();
    assert_eq!(needs_password, Refusal::Page(StatusCode::OK));
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn tokens_that_are_not_for_this_server_are_refused() {
    let keycloak = KEYCLOAK.read().await;
    let verifier = Verifier::new(vec![relying_on(&keycloak)]);
    let mut browser = Browser::new(&keycloak.issuer(REALM), CLIENT).await;
    let here = browser.sign_in("ada", "ada for development").await.unwrap();
    assert!(verifier.verify(&here.access, now()).await.is_ok());

    let mut elsewhere = Browser::new(&keycloak.issuer(OTHER_REALM), CLIENT).await;
    let other_realm = elsewhere
        .sign_in("ada", "ada for development")
        .await
        .unwrap();
    let administrator = Administrator::sign_in(&keycloak).await;
    administrator.make_client("wiki", AUDIENCE).await;
    administrator
        .make_client("gryt-other-server", "bcdefghijklmnopqrstuvwxyza")
        .await;
    let mut at_wiki = Browser::new(&keycloak.issuer(REALM), "wiki").await;
    let other_client = at_wiki.sign_in("ada", "ada for development").await.unwrap();
    let mut at_other = Browser::new(&keycloak.issuer(REALM), "gryt-other-server").await;
    let other_server = at_other
        .sign_in("ada", "ada for development")
        .await
        .unwrap();

    let cases = [
        (
            "of another realm",
            &other_realm.access,
            AuthError::UnknownIssuer,
        ),
        ("of another client", &other_client.access, AuthError::Party),
        (
            "for another server",
            &other_server.access,
            AuthError::Audience,
        ),
        ("an ID token", &here.id, AuthError::Audience),
        ("a refresh token", &here.refresh, AuthError::Algorithm),
    ];
    for (token, text, expected) in cases {
        assert_eq!(verifier.verify(text, now()).await, Err(expected), "{token}");
    }
    // Another server relies on the same realm, and takes only what was made for itself.
    let other = Verifier::new(vec![IssuerConfig {
        audience: "bcdefghijklmnopqrstuvwxyza".to_owned(),
        authorized_parties: vec!["gryt-other-server".to_owned()],
        ..relying_on(&keycloak)
    }]);
    assert!(other.verify(&other_server.access, now()).await.is_ok());
    assert_eq!(
        other.verify(&here.access, now()).await,
        Err(AuthError::Audience)
    );
    // Where somebody lets a server take its client's ID tokens, their type still gives them away.
    let careless = Verifier::new(vec![IssuerConfig {
        audience: CLIENT.to_owned(),
        ..relying_on(&keycloak)
    }]);
    assert_eq!(careless.verify(&here.id, now()).await, Err(AuthError::Kind));
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn rotated_key_is_fetched_and_a_withdrawn_one_is_refused() {
    // Alone, because it changes the keys of all.
    let keycloak = KEYCLOAK.write().await;
    let verifier = Verifier::new(vec![relying_on(&keycloak)]);
    let mut browser = Browser::new(&keycloak.issuer(REALM), CLIENT).await;
    let old = browser.sign_in("ada", "ada for development").await.unwrap();
    let begun = now();
    assert!(verifier.verify(&old.access, begun).await.is_ok());

    let administrator = Administrator::sign_in(&keycloak).await;
    let replaced = administrator.rotate_key().await;
    let new = browser.refresh(&old.refresh).await.unwrap();
    assert_ne!(browser::kid(&new.access), browser::kid(&old.access));
    // Within the pause between two fetches nobody is told that a good token is bad.
    assert_eq!(
        verifier.verify(&new.access, begun).await,
        Err(AuthError::KeyNotFetched)
    );
    let after_the_pause = begun + Duration::from_secs(31);
    assert!(verifier.verify(&new.access, after_the_pause).await.is_ok());
    assert!(verifier.verify(&old.access, after_the_pause).await.is_ok());

    administrator.withdraw(&replaced).await;
    // All tokens have run out by then, but that is told only of those whose key is known.
    let long_after = begun + Duration::from_secs(900);
    let stranger = browser::with_kid(&new.access, "stranger");
    let cases = [
        ("of a key that never was", &stranger, AuthError::UnknownKey),
        ("of the withdrawn key", &old.access, AuthError::UnknownKey),
        ("of the key that signs", &new.access, AuthError::Expired),
    ];
    for (token, text, expected) in cases {
        let refused = verifier.verify(text, long_after).await;
        assert_eq!(refused, Err(expected), "{token}");
    }
}

#[tokio::test]
#[ignore = "needs a Keycloak: cargo xtask test backends"]
async fn sessions_go_on_while_keycloak_is_dead_and_new_ones_come_after_it() {
    let mut keycloak = KEYCLOAK.write().await;
    let server = Server::start(&keycloak, AUDIENCE).await;
    let mut browser = Browser::new(&keycloak.issuer(REALM), CLIENT).await;
    let tokens = browser.sign_in("ada", "ada for development").await.unwrap();
    let mut client = Client::at(server.address, &tokens.access).await;
    client.hello(None, "").await;

    keycloak.kill();
    client.done(ping()).await;
    // Known keys outlive their issuer, so who has a good token comes in.
    let mut second = Client::at(server.address, &tokens.access).await;
    second.hello(None, "").await;
    // A server that starts meanwhile knows no keys, and says whose fault it is.
    let cold = Server::start(&keycloak, AUDIENCE).await;
    let mut refused = Client::at(cold.address, &tokens.access).await;
    assert_eq!(refused.end().await.0, Reason::IssuerUnavailable);
    let answer = cold.get("/api/v1/members", &tokens.access).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key("retry-after"));
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["code"], json!("ISSUER_UNAVAILABLE"));

    drop((client, second));
    keycloak.start_again();
    let renewed = browser.refresh(&tokens.refresh).await.unwrap();
    let mut third = Client::at(cold.address, &renewed.access).await;
    assert_eq!(third.hello(None, "").await.me.unwrap().name, "ada");
}
