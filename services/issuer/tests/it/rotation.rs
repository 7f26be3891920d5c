//! What a command line does to the file while the issuer runs.

use gryt_issuer::{ResetError, RotateError, reset_password, rotate_key};
use jsonwebtoken::decode_header;
use serde_json::Value;

use crate::browser::{Browser, PASSWORD, code_of, granted, now, refused};

fn kid(tokens: &Value) -> String {
    let token = tokens["access_token"].as_str().unwrap();
    decode_header(token).unwrap().kid.unwrap()
}

async fn published(browser: &Browser) -> Vec<String> {
    let set: Value = browser.get("/jwks").await.json().await.unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| key.get("d").is_none()), "{set}");
    keys.iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn rotated_key_signs_at_once_and_the_old_one_stays_published() {
    let browser = Browser::start().await;
    let before = browser.signed_in("Ada").await;
    let known_before = published(&browser).await;
    let database = browser.dir.path().join("issuer.db");

    let new = rotate_key(&database, now()).unwrap();

    let refresh = before["refresh_token"].as_str().unwrap();
    let after = granted(browser.refresh(refresh).await).await;
    assert_eq!(kid(&after), new);
    assert_ne!(kid(&before), new);
    assert!(known_before.contains(&new), "published before it signs");
    assert!(published(&browser).await.contains(&kid(&before)));

    let again = rotate_key(&database, now()).unwrap_err();
    assert!(matches!(again, RotateError::TooSoon { .. }), "{again}");
    assert!(again.to_string().contains("try again in "), "{again}");
    let kept = granted(
        browser
            .refresh(after["refresh_token"].as_str().unwrap())
            .await,
    )
    .await;
    assert_eq!(kid(&kept), new);
}

#[tokio::test]
async fn questions_of_strangers_do_not_wait_for_a_writer() {
    let browser = Browser::start().await;
    let writer = rusqlite::Connection::open(browser.dir.path().join("issuer.db")).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(published(&browser).await.len(), 2);
    let unknown = browser.submit("sign-in", "Nobody", PASSWORD).await;
    assert_eq!(unknown.status().as_u16(), 401);
}

#[tokio::test]
async fn reset_password_is_good_and_everything_old_is_not() {
    let browser = Browser::start().await;
    let tokens = browser.signed_in("Ada").await;
    let waiting_code = code_of(&browser.submit("sign-in", "Ada", PASSWORD).await);
    let database = browser.dir.path().join("issuer.db");

    let password = reset_password(&database, "ada").unwrap();

    assert_eq!(password.len(), 20);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(
        refused(browser.refresh(refresh).await).await,
        "invalid_grant"
    );
    assert_eq!(
        refused(browser.exchange(&waiting_code).await).await,
        "invalid_grant"
    );
    let old = browser.submit("sign-in", "Ada", PASSWORD).await;
    assert_eq!(old.status().as_u16(), 401);
    code_of(&browser.submit("sign-in", "Ada", &password).await);

    let unknown = reset_password(&database, "nobody");
    assert!(matches!(unknown, Err(ResetError::UnknownAccount)));
}
