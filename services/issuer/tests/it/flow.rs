//! The road that every person takes: page, account, code, tokens, renewal, sign-out.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::StatusCode;
use serde_json::Value;

use crate::browser::{
    AUDIENCE, Browser, PAGE, PASSWORD, RETURN_TO, authorize, code_of, granted, location, parameter,
    refused,
};

async fn claims(browser: &Browser, token: &str, audience: &str) -> Value {
    let set: JwkSet = browser.get("/jwks").await.json().await.unwrap();
    let header = decode_header(token).unwrap();
    assert_eq!(header.alg, Algorithm::ES256);
    let jwk = set.find(&header.kid.unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[&browser.base]);
    validation.set_audience(&[audience]);
    decode(token, &DecodingKey::from_jwk(jwk).unwrap(), &validation)
        .unwrap()
        .claims
}

#[tokio::test]
async fn person_creates_an_account_and_gets_tokens_for_this_server() {
    let browser = Browser::start().await;

    let created = browser.submit("create", "Ada", PASSWORD).await;
    let back = location(&created);
    assert!(back.as_str().starts_with(RETURN_TO));
    assert_eq!(
        parameter(&back, "state").as_deref(),
        Some("state of the client")
    );
    let tokens = granted(browser.exchange(&code_of(&created)).await).await;

    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 300);
    let access = claims(&browser, tokens["access_token"].as_str().unwrap(), AUDIENCE).await;
    assert_eq!(access["preferred_username"], "Ada");
    let subject = access["sub"].as_str().unwrap();
    assert_eq!(subject.len(), 26, "the subject is an id, not the name");
    let lifetime = access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap();
    assert_eq!(lifetime, 300);
    let id = claims(&browser, tokens["id_token"].as_str().unwrap(), "gryt-web").await;
    assert_eq!(id["sub"].as_str(), Some(subject));
    assert_eq!(id["nonce"], "n-0S6_WzA2Mj");
}

#[tokio::test]
async fn account_is_there_at_the_next_sign_in() {
    let browser = Browser::start().await;
    let first = browser.signed_in("Ada").await;
    let again = browser.submit("sign-in", "aDA", PASSWORD).await;
    let second = granted(browser.exchange(&code_of(&again)).await).await;

    let subject = async |tokens: &Value| {
        let token = tokens["access_token"].as_str().unwrap().to_owned();
        claims(&browser, &token, AUDIENCE).await["sub"].clone()
    };
    assert_eq!(subject(&first).await, subject(&second).await);
}

#[tokio::test]
async fn renewed_tokens_are_of_the_same_person() {
    let browser = Browser::start().await;
    let first = browser.signed_in("Ada").await;
    let old = first["refresh_token"].as_str().unwrap();
    let second = granted(browser.refresh(old).await).await;
    assert_ne!(second["refresh_token"].as_str(), Some(old));
    assert_ne!(second["access_token"], first["access_token"]);
    let access = claims(&browser, second["access_token"].as_str().unwrap(), AUDIENCE).await;
    assert_eq!(access["preferred_username"], "Ada");
}

#[tokio::test]
async fn sign_out_ends_the_sign_in_and_leads_back() {
    let browser = Browser::start().await;
    let tokens = browser.signed_in("Ada").await;
    let other = browser.submit("sign-in", "Ada", PASSWORD).await;
    let other = granted(browser.exchange(&code_of(&other)).await).await;
    let hint = tokens["id_token"].as_str().unwrap();
    let path = format!(
        "/logout?id_token_hint={hint}&post_logout_redirect_uri=http%3A%2F%2Flocalhost%3A5173%2F&state=x"
    );

    let back = location(&browser.get(&path).await);

    assert_eq!(back.as_str(), "http://localhost:5173/?state=x");
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(
        refused(browser.refresh(refresh).await).await,
        "invalid_grant"
    );
    granted(
        browser
            .refresh(other["refresh_token"].as_str().unwrap())
            .await,
    )
    .await;
}

#[tokio::test]
async fn sign_out_without_a_good_hint_ends_nothing_and_leads_nowhere_foreign() {
    let browser = Browser::start().await;
    let tokens = browser.signed_in("Ada").await;
    for path in [
        "/logout",
        "/logout?id_token_hint=a.b.c",
        "/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.test%2F",
    ] {
        assert_eq!(browser.get(path).await.status(), StatusCode::OK, "{path}");
    }
    granted(
        browser
            .refresh(tokens["refresh_token"].as_str().unwrap())
            .await,
    )
    .await;
}

#[tokio::test]
async fn revoked_refresh_token_is_useless() {
    let browser = Browser::start().await;
    let tokens = browser.signed_in("Ada").await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let revoked = browser.post("/revoke", &[("token", refresh)]).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    assert_eq!(
        refused(browser.refresh(refresh).await).await,
        "invalid_grant"
    );
}

#[tokio::test]
async fn page_shows_both_ways_and_keeps_the_request() {
    let browser = Browser::start().await;
    let page = browser.get(&authorize(&[("prompt", Some("login"))])).await;
    assert_eq!(page.status(), StatusCode::OK);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(
        policy.contains(&format!("form-action 'self' {PAGE}")),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let html = page.text().await.unwrap();
    for part in [
        "<label for=\"name\">Name</label>",
        "<label for=\"password\">Password</label>",
        "prompt=create",
        "autocomplete=\"current-password\"",
        "state=state+of+the+client",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }

    let create = browser.get(&authorize(&[("prompt", Some("create"))])).await;
    assert!(
        create
            .text()
            .await
            .unwrap()
            .contains("autocomplete=\"new-password\"")
    );
}

#[tokio::test]
async fn mistakes_come_back_with_the_name_kept_and_a_clear_text() {
    let browser = Browser::start().await;
    browser.sign_up("Ada").await;
    let cases = [
        (
            "create",
            "ADA",
            PASSWORD,
            409,
            "Somebody here is called ADA already",
        ),
        ("create", "Bob", "short", 422, "at least 8 characters"),
        ("create", " ", PASSWORD, 422, "1 to 32 characters"),
        (
            "create",
            &"x".repeat(33),
            PASSWORD,
            422,
            "1 to 32 characters",
        ),
        (
            "sign-in",
            "Ada",
            "wrong password",
            401,
            "do not fit together",
        ),
        ("sign-in", "nobody", PASSWORD, 401, "do not fit together"),
        ("sign-in", "", PASSWORD, 422, "Enter your name"),
        ("sign-in", "Ada", "", 422, "Enter your password"),
    ];
    for (action, name, password, status, text) in cases {
        let answer = browser.submit(action, name, password).await;
        assert_eq!(answer.status().as_u16(), status, "{action} {name}");
        let html = answer.text().await.unwrap();
        assert!(html.contains(text), "{text} is missing in {html}");
        assert!(html.contains(&format!("value=\"{name}\"")), "{html}");
        assert!(html.contains("role=\"alert\""), "{html}");
        assert!(!html.contains(password) || password.is_empty(), "{html}");
    }
}

#[tokio::test]
async fn discovery_names_the_endpoints_at_the_address_that_was_asked() {
    let browser = Browser::start().await;
    let path = "/.well-known/openid-configuration";
    let document: Value = browser.get(path).await.json().await.unwrap();
    assert_eq!(document["issuer"], browser.base);
    assert_eq!(
        document["token_endpoint"],
        format!("{}/token", browser.base)
    );
    assert_eq!(document["code_challenge_methods_supported"][0], "S256");

    let by_name: Value = browser
        .get_with(path, &[("host", "localhost:5173")])
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(by_name["issuer"], browser.base);
    assert_eq!(by_name["token_endpoint"], format!("{PAGE}/issuer/token"));

    let by_stranger: Value = browser
        .get_with(path, &[("host", "evil.test")])
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(
        by_stranger["token_endpoint"],
        format!("{}/token", browser.base)
    );
}

#[tokio::test]
async fn silent_sign_in_is_told_to_ask_the_person() {
    let browser = Browser::start().await;
    let back = location(&browser.get(&authorize(&[("prompt", Some("none"))])).await);
    assert_eq!(parameter(&back, "error").as_deref(), Some("login_required"));
    assert_eq!(
        parameter(&back, "state").as_deref(),
        Some("state of the client")
    );
}

#[tokio::test]
async fn first_person_is_asked_to_create_an_account_and_later_ones_to_sign_in() {
    let browser = Browser::start().await;
    let title = async |prompt| {
        let page = browser.get(&authorize(&[("prompt", prompt)])).await;
        let html = page.text().await.unwrap();
        let (_, rest) = html.split_once("<h1>").unwrap();
        rest.split_once("</h1>").unwrap().0.to_owned()
    };
    assert_eq!(title(None).await, "Create an account");
    assert_eq!(title(Some("login")).await, "Sign in", "who asks for it");

    browser.signed_in("Ada").await;

    assert_eq!(title(None).await, "Sign in");
    assert_eq!(title(Some("create")).await, "Create an account");
}
