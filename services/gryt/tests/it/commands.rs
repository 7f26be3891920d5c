//! Commands beside a running server.

use std::path::Path;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::person::{self, Person};
use crate::process::{Gryt, folder, refusal, run};

async fn json(url: String) -> Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().unwrap()
}

async fn sign_up(gryt: &Gryt, name: &str) -> u16 {
    let answer = person::sign_up(&browser(), &gryt.url, name).await;
    answer.status().as_u16()
}

fn output(data: &Path, args: &[&str]) -> String {
    let output = run(data, args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn backup_of_a_running_server_is_a_server() {
    let (_dir, data) = folder();
    let (_other_dir, copy) = folder();
    let gryt = Gryt::start(&data, &["--name", "Home"]);
    assert_eq!(sign_up(&gryt, "ada").await, 303);
    let original = json(format!("{}/.well-known/gryt", gryt.url)).await;
    let target = copy.to_str().unwrap();

    let said = output(&data, &["backup", target]);

    assert!(said.contains(target), "{said}");
    let again = refusal(&data, &["backup", target]);
    assert!(again.contains("exists already"), "{again}");
    let restored = Gryt::start(&copy, &[]);
    let known = json(format!("{}/.well-known/gryt", restored.url)).await;
    assert_eq!(known["server_id"], original["server_id"]);
    assert_eq!(known["name"], "Home");
    assert_eq!(
        sign_up(&restored, "ADA").await,
        409,
        "the account came along"
    );
    assert_eq!(
        json(format!("{}/issuer/jwks", restored.url)).await,
        json(format!("{}/issuer/jwks", gryt.url)).await
    );
}

#[test]
fn backup_goes_nowhere_inside_the_data_folder() {
    let (_dir, data) = folder();
    drop(Gryt::start(&data, &[]));
    let dotted = data.join("..").join(data.file_name().unwrap()).join("copy");
    for inside in [data.join("copy"), data.join("new/copy"), dotted] {
        let said = refusal(&data, &["backup", inside.to_str().unwrap()]);
        assert!(said.contains("is inside the data folder"), "{said}");
    }
    assert!(!data.join("copy").exists() && !data.join("new").exists());
}

#[tokio::test]
async fn key_is_rotated_beside_a_running_server() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &[]);
    let kids = async || {
        let set = json(format!("{}/issuer/jwks", gryt.url)).await;
        let keys = set["keys"].as_array().unwrap().clone();
        keys.iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let before = kids().await;

    let said = output(&data, &["key", "rotate"]);

    let after = kids().await;
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|kid| after.contains(kid)));
    assert!(
        before.iter().any(|kid| said.contains(kid.as_str())),
        "{said}"
    );
}

#[tokio::test]
async fn rotated_keys_throw_nobody_out() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &[]);
    let mut ada = Person::new(browser(), &gryt.url, "ada").await;
    let old = ada.access_token.clone();
    assert_eq!(ada.members(&old).await, StatusCode::OK);

    // Sooner than the server may ask for keys again: it knew the next one before that signed.
    output(&data, &["key", "rotate"]);
    ada.renew().await;

    assert_ne!(ada.access_token, old);
    assert_eq!(ada.members(&ada.access_token).await, StatusCode::OK);
    assert_eq!(ada.members(&old).await, StatusCode::OK);
    assert_eq!(ada.members("forged").await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn password_is_reset_beside_a_running_server() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &[]);
    assert_eq!(sign_up(&gryt, "ada").await, 303);
    let said = output(&data, &["account", "reset", "Ada"]);
    assert!(said.contains("The new password of Ada: "), "{said}");
    assert!(said.contains("within 5 minutes"), "{said}");
    let unknown = refusal(&data, &["account", "reset", "nobody"]);
    assert!(unknown.contains("no account of that name"), "{unknown}");
}

#[test]
fn commands_make_no_server_where_there_is_none() {
    let (_dir, data) = folder();
    for args in [
        &["account", "reset", "ada"][..],
        &["key", "rotate"],
        &["backup", "somewhere"],
    ] {
        let said = refusal(&data, args);
        assert!(said.contains("there is no Gryt server"), "{said}");
    }
    assert!(!data.exists());
}
