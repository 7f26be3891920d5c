//! What must not work.

use reqwest::StatusCode;

use crate::browser::{
    Browser, PAGE, PASSWORD, RETURN_TO, VERIFIER, authorize, code_of, granted, location, parameter,
    refused,
};

#[tokio::test]
async fn code_is_useless_with_another_verifier_client_or_address() {
    let browser = Browser::start().await;
    let code = browser.sign_up("Ada").await;
    let other_verifier = VERIFIER.replace('d', "e");
    let good = [
        ("grant_type", "authorization_code"),
        ("client_id", "gryt-web"),
        ("code", code.as_str()),
        ("redirect_uri", RETURN_TO),
        ("code_verifier", VERIFIER),
    ];
    let cases = [
        ("code_verifier", other_verifier.as_str(), "invalid_grant"),
        ("code_verifier", "", "invalid_grant"),
        ("redirect_uri", "http://localhost:5173/", "invalid_grant"),
        ("code", "guess", "invalid_grant"),
        ("client_id", "other", "invalid_client"),
        ("grant_type", "password", "unsupported_grant_type"),
    ];
    for (name, value, error) in cases {
        let form = good.map(|(known, old)| (known, if known == name { value } else { old }));
        assert_eq!(
            refused(browser.post("/token", &form).await).await,
            error,
            "{name}"
        );
    }
    let without_verifier = &good[..4];
    let answer = browser.post("/token", without_verifier).await;
    assert_eq!(refused(answer).await, "invalid_request");
    granted(browser.exchange(&code).await).await;
}

#[tokio::test]
async fn code_that_comes_twice_ends_what_it_began() {
    let browser = Browser::start().await;
    let code = browser.sign_up("Ada").await;
    let tokens = granted(browser.exchange(&code).await).await;
    assert_eq!(
        refused(browser.exchange(&code).await).await,
        "invalid_grant"
    );
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(
        refused(browser.refresh(refresh).await).await,
        "invalid_grant"
    );
}

#[tokio::test]
async fn foreign_pages_are_never_returned_to() {
    let browser = Browser::start().await;
    for evil in [
        "https://evil.test/signed-in",
        "http://localhost:5173.evil.test/",
        "http://localhost:5174/",
        "http://localhost:5173/other",
        "http://localhost:5173/signed-in?x=1",
        "http://localhost:5173@evil.test/",
        "javascript:alert(1)",
        "",
    ] {
        let page = browser
            .get(&authorize(&[("redirect_uri", Some(evil))]))
            .await;
        assert_eq!(page.status(), StatusCode::BAD_REQUEST, "{evil}");
        assert!(page.headers().get("location").is_none(), "{evil}");
        let form = [
            ("action", "create"),
            ("name", "Eve"),
            ("password", PASSWORD),
        ];
        let answer = browser
            .post(&authorize(&[("redirect_uri", Some(evil))]), &form)
            .await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{evil}");
    }
    let client = browser
        .get(&authorize(&[("client_id", Some("evil"))]))
        .await;
    assert_eq!(client.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn weaker_requests_are_told_to_the_client() {
    let browser = Browser::start().await;
    let cases = [
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        (
            "response_type",
            Some("code token"),
            "unsupported_response_type",
        ),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("scope", Some("profile"), "invalid_scope"),
        ("request", Some("e30"), "request_not_supported"),
    ];
    for (name, value, error) in cases {
        let back = location(&browser.get(&authorize(&[(name, value)])).await);
        assert!(back.as_str().starts_with(RETURN_TO));
        assert_eq!(parameter(&back, "error").as_deref(), Some(error), "{name}");
    }
    let twice = format!("{}&client_id=gryt-web", authorize(&[]));
    assert_eq!(browser.get(&twice).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn scripts_of_foreign_pages_cannot_read_tokens() {
    let browser = Browser::start().await;
    for path in ["/token", "/jwks", "/.well-known/openid-configuration"] {
        let allowed = browser.options(path, PAGE).await;
        assert_eq!(
            allowed.headers()["access-control-allow-origin"],
            PAGE,
            "{path}"
        );
        for origin in ["https://evil.test", "null", "http://localhost:5174"] {
            let answer = browser.options(path, origin).await;
            let allowed = answer.headers().get("access-control-allow-origin");
            assert!(allowed.is_none(), "{path} {origin}");
        }
    }
    let answer = browser
        .post_with("/token", &[], &[("origin", "https://evil.test")])
        .await;
    assert!(
        answer
            .headers()
            .get("access-control-allow-origin")
            .is_none()
    );
}

#[tokio::test]
async fn form_of_another_site_signs_nobody_in() {
    let browser = Browser::start().await;
    browser.sign_up("Eve").await;
    let form = [
        ("action", "sign-in"),
        ("name", "Eve"),
        ("password", PASSWORD),
    ];
    let from = |site| [("sec-fetch-site", site)];
    for site in ["cross-site", "same-site"] {
        let answer = browser.post_with(&authorize(&[]), &form, &from(site)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{site}");
    }
    for origin in ["https://evil.test", "null", "http://localhost:5174"] {
        let headers = [("origin", origin)];
        let answer = browser.post_with(&authorize(&[]), &form, &headers).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    let own = [("sec-fetch-site", "same-origin"), ("origin", PAGE)];
    code_of(&browser.post_with(&authorize(&[]), &form, &own).await);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_said_so() {
    let browser = Browser::start().await;
    browser.sign_up("Ada").await;
    browser.sign_up("Bob").await;
    for _ in 0..10 {
        let answer = browser.submit("sign-in", "Ada", "a wrong guess").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    }
    let slowed = browser.submit("sign-in", "Ada", PASSWORD).await;
    assert_eq!(slowed.status(), StatusCode::TOO_MANY_REQUESTS);
    let secs: u64 = slowed.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=31).contains(&secs), "{secs}");
    let html = slowed.text().await.unwrap();
    assert!(html.contains("Too many tries. Wait "), "{html}");

    code_of(&browser.submit("sign-in", "Bob", PASSWORD).await);
}

#[tokio::test]
async fn oversized_and_broken_forms_are_refused() {
    let browser = Browser::start().await;
    let huge = "x".repeat(20_000);
    let form = [
        ("action", "create"),
        ("name", "Ada"),
        ("password", huge.as_str()),
    ];
    let answer = browser.post(&authorize(&[]), &form).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    for form in [
        &[][..],
        &[("action", "destroy"), ("name", "a"), ("password", "b")],
    ] {
        let answer = browser.post(&authorize(&[]), form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        refused(browser.post("/token", &[("code", &huge)]).await).await,
        "invalid_request"
    );
}

#[tokio::test]
async fn race_for_a_name_has_one_winner() {
    let browser = Browser::start().await;
    let (a, b, c) = tokio::join!(
        browser.submit("create", "Ada", PASSWORD),
        browser.submit("create", "ada", PASSWORD),
        browser.submit("create", "ADA", PASSWORD),
    );
    let statuses = [a.status(), b.status(), c.status()];
    let won = statuses
        .iter()
        .filter(|s| **s == StatusCode::SEE_OTHER)
        .count();
    let lost = statuses
        .iter()
        .filter(|s| **s == StatusCode::CONFLICT)
        .count();
    assert_eq!((won, lost), (1, 2), "{statuses:?}");
}
