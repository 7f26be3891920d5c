//! `--lan`: https with an own certificate.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::person::Person;
use crate::process::{Gryt, folder};

fn client(data: &std::path::Path) -> reqwest::Client {
    let pem = std::fs::read(data.join("certificate.pem")).unwrap();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .tls_built_in_root_certs(false)
        .add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap())
        .build()
        .unwrap()
}

#[tokio::test]
async fn lan_serves_https_with_a_certificate_for_its_own_names() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &["--lan"]);
    assert!(gryt.url.starts_with("https://"), "{}", gryt.url);
    let client = client(&data);
    for host in ["localhost", "127.0.0.1"] {
        let base = format!("https://{host}:{}", gryt.port());
        let known = client
            .get(format!("{base}/.well-known/gryt"))
            .send()
            .await
            .unwrap();
        let known: Value = known.json().await.unwrap();
        assert_eq!(known["issuer"], format!("{base}/issuer"));
        let socket = known["socket_url"].as_str().unwrap();
        assert!(socket.starts_with("wss://"), "{socket}");
    }
    let by_address = client.get(format!("{}/healthz", gryt.url)).send().await;
    assert!(by_address.unwrap().status().is_success());
}

#[tokio::test]
async fn server_checks_tokens_by_its_own_https() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &["--lan"]);
    let base = format!("https://localhost:{}", gryt.port());
    let ada = Person::new(client(&data), &base, "ada").await;
    assert_eq!(ada.members(&ada.access_token).await.as_u16(), 200);
}

#[test]
fn plain_request_is_sent_to_https() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &["--lan"]);
    let mut plain = TcpStream::connect(("127.0.0.1", gryt.port())).unwrap();
    let host = format!("localhost:{}", gryt.port());
    write!(
        plain,
        "GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
    assert!(
        answer.contains(&format!("location: https://{host}/x")),
        "{answer}"
    );
}

#[test]
fn certificate_is_the_same_after_a_restart() {
    let (_dir, data) = folder();
    let read = || std::fs::read_to_string(data.join("certificate.pem")).unwrap();
    drop(Gryt::start(&data, &["--lan"]));
    let first = read();
    drop(Gryt::start(&data, &["--lan"]));
    assert_eq!(read(), first);
}
