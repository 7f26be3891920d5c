//! Who may make an account where registration is by invite.

use std::time::Duration;

use gryt_issuer::{NewInvite, Registration};
use gryt_model::MemberId;
use reqwest::{Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::browser::{Browser, PASSWORD, authorize, code_of, granted, now};

const OWNER: &str = "the-owners-token-of-the-operator";

struct Invited {
    browser: Browser,
    _owner: TempDir,
}

impl Invited {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let owner = dir.path().join("token");
        std::fs::write(&owner, format!("{OWNER}\n")).unwrap();
        Self {
            browser: Browser::start_with(Registration::ByInvite { owner }).await,
            _owner: dir,
        }
    }

    async fn invite(&self, max_uses: u32) -> String {
        let new = NewInvite {
            made_by: MemberId::from_random([1; 16]),
            life: Duration::from_secs(3_600),
            max_uses,
        };
        let made = self.browser.invites.create(new, now()).await.unwrap();
        made.unwrap().token
    }

    async fn create(&self, name: &str, invite: Option<&str>) -> Response {
        let path = authorize(&[("invite", invite), ("prompt", Some("create"))]);
        let form = [("action", "create"), ("name", name), ("password", PASSWORD)];
        self.browser.post(&path, &form).await
    }

    async fn standing(&self, token: &str) -> Response {
        self.browser.post("/invite", &[("token", token)]).await
    }

    async fn word(&self, token: &str) -> String {
        let answer: Value = self.standing(token).await.json().await.unwrap();
        answer["standing"].as_str().unwrap().to_owned()
    }
}

async fn refused(answer: Response, title: &str) {
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let html = answer.text().await.unwrap();
    assert!(html.contains(&format!("<h1>{title}</h1>")), "{html}");
    assert!(
        html.contains("prompt=login"),
        "leads to the sign-in: {html}"
    );
}

#[tokio::test]
async fn owners_link_makes_the_first_account_and_no_other() {
    let server = Invited::start().await;
    assert_eq!(server.word(OWNER).await, "good");

    let short = [("action", "create"), ("name", "Ada"), ("password", "short")];
    let path = authorize(&[("invite", Some(OWNER))]);
    let again = server.browser.post(&path, &short).await;
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let code = code_of(&server.create("Ada", Some(OWNER)).await);
    granted(server.browser.exchange(&code).await).await;

    assert_eq!(server.word(OWNER).await, "used");
    refused(
        server.create("Eve", Some(OWNER)).await,
        "This invite is used up",
    )
    .await;
    // Who has an account just signs in, with the same link too.
    let form = [
        ("action", "sign-in"),
        ("name", "Ada"),
        ("password", PASSWORD),
    ];
    code_of(&server.browser.post(&path, &form).await);
}

#[tokio::test]
async fn race_for_the_owners_link_has_one_winner() {
    let server = Invited::start().await;
    let (a, b, c) = tokio::join!(
        server.create("Ada", Some(OWNER)),
        server.create("Bob", Some(OWNER)),
        server.create("Eve", Some(OWNER)),
    );
    let won = [a, b, c]
        .iter()
        .filter(|answer| answer.status() == StatusCode::SEE_OTHER)
        .count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn nobody_makes_an_account_without_a_good_invite() {
    let server = Invited::start().await;
    refused(server.create("Eve", None).await, "You need an invite").await;
    refused(server.create("Eve", Some("")).await, "You need an invite").await;
    refused(
        server.create("Eve", Some("guess")).await,
        "This invite does not work",
    )
    .await;
    let page = server
        .browser
        .get(&authorize(&[("prompt", Some("create"))]))
        .await;
    refused(page, "You need an invite").await;
    let page = server
        .browser
        .get(&authorize(&[]))
        .await
        .text()
        .await
        .unwrap();
    assert!(!page.contains("prompt=create"), "{page}");
}

#[tokio::test]
async fn members_invite_is_good_for_so_many() {
    let server = Invited::start().await;
    code_of(&server.create("Ada", Some(OWNER)).await);
    let token = server.invite(2).await;
    let page = server
        .browser
        .get(&authorize(&[("invite", Some(&token))]))
        .await;
    assert!(page.text().await.unwrap().contains("prompt=create"));

    code_of(&server.create("Bob", Some(&token)).await);
    // A name that is taken costs no use.
    let taken = server.create("bob", Some(&token)).await;
    assert_eq!(taken.status(), StatusCode::CONFLICT);
    code_of(&server.create("Cleo", Some(&token)).await);

    refused(
        server.create("Dan", Some(&token)).await,
        "This invite is used up",
    )
    .await;
    assert_eq!(server.word(&token).await, "used");
}

#[tokio::test]
async fn revoked_invite_says_so() {
    let server = Invited::start().await;
    let token = server.invite(2).await;
    let invites = &server.browser.invites;
    let id = invites.list(now()).await.unwrap()[0].id.clone();
    assert!(invites.revoke(&id, now()).await.unwrap());
    refused(
        server.create("Bob", Some(&token)).await,
        "This invite was taken back",
    )
    .await;
}

#[tokio::test]
async fn guessing_invites_is_slowed_down() {
    let server = Invited::start().await;
    let good = server.invite(1).await;
    for n in 0..20 {
        assert_eq!(server.word(&good).await, "good");
        assert_eq!(server.word(&format!("guess {n}")).await, "unknown");
    }
    let slowed = server.standing("one more").await;
    assert_eq!(slowed.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(slowed.headers().contains_key("retry-after"));
    let page = server.create("Eve", Some("one more")).await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn open_server_takes_everybody_and_counts_invites_all_the_same() {
    let browser = Browser::start().await;
    browser.sign_up("Ada").await;
    let new = NewInvite {
        made_by: MemberId::from_random([1; 16]),
        life: Duration::from_secs(3_600),
        max_uses: 1,
    };
    let token = browser
        .invites
        .create(new, now())
        .await
        .unwrap()
        .unwrap()
        .token;
    let path = authorize(&[("invite", Some(&token))]);
    for name in ["Bob", "Cleo"] {
        let form = [("action", "create"), ("name", name), ("password", PASSWORD)];
        code_of(&browser.post(&path, &form).await);
    }
    assert!(browser.invites.list(now()).await.unwrap().is_empty());
}
