//! What a running server answers, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::person::Person;
use crate::process::{Gryt, folder, refusal};

#[tokio::test]
async fn every_part_answers_on_the_one_port() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &["--name", "Home"]);
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", gryt.url)).await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await.0, 200);
    assert_eq!(get("/readyz").await.0, 200);
    let (_, metrics) = get("/metrics").await;
    assert!(metrics.contains("gryt_sfu_"), "{metrics}");
    assert!(metrics.contains("gryt_signaling_"), "{metrics}");

    // Whether the client is in the binary depends on what was built before; the browser stage
    // insists on it.
    let (status, page) = get("/").await;
    let expected = match status {
        200 => "<div id=\"root\">",
        _ => "The web client is not built",
    };
    assert!(page.contains(expected), "{status} {page}");

    let known: Value = serde_json::from_str(&get("/.well-known/gryt").await.1).unwrap();
    assert_eq!(known["name"], "Home");
    assert_eq!(known["server_id"].as_str().unwrap().len(), 26);
    let issuer = known["issuer"].as_str().unwrap();
    assert_eq!(issuer, format!("{}/issuer", gryt.url));

    let (status, keys) = get("/issuer/jwks").await;
    assert_eq!(status, 200);
    assert!(keys.contains("P-256"), "{keys}");
    let (_, discovery) = get("/issuer/.well-known/openid-configuration").await;
    let discovery: Value = serde_json::from_str(&discovery).unwrap();
    assert_eq!(discovery["issuer"], issuer);
}

#[tokio::test]
async fn server_is_the_same_after_a_restart() {
    let (_dir, data) = folder();
    let server_id = async |gryt: &Gryt| {
        let url = format!("{}/.well-known/gryt", gryt.url);
        let known: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        known["server_id"].clone()
    };
    let first = Gryt::start(&data, &[]);
    let before = server_id(&first).await;
    let (status, _) = first.end("KILL");
    assert!(!status.success());
    let second = Gryt::start(&data, &["--name", "ignored"]);
    assert_eq!(server_id(&second).await, before);
}

#[test]
fn signals_end_it_cleanly_within_two_seconds_also_with_connections_open() {
    for signal in ["TERM", "INT"] {
        let (_dir, data) = folder();
        let gryt = Gryt::start(&data, &[]);
        let port = gryt.port();
        let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
        // One that says nothing, one that is kept alive, one in the middle of a request.
        let _silent = connect();
        let mut kept = connect();
        kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut status = [0; 12];
        kept.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        let mut slow = connect();
        slow.write_all(b"POST /issuer/token HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
            .unwrap();

        let (status, took) = gryt.end(signal);

        assert!(status.success(), "{signal}: {status}");
        assert!(took < Duration::from_secs(2), "{signal}: {took:?}");
    }
}

#[test]
fn end_is_said_in_one_line() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &[]);
    assert_eq!(gryt.last_word("INT").as_deref(), Some("Stopped."));
}

#[tokio::test]
async fn open_sockets_of_people_do_not_hold_it_up() {
    let (_dir, data) = folder();
    let gryt = Gryt::start(&data, &[]);
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let mut sockets = Vec::new();
    for name in ["ada", "bob", "eve"] {
        let person = Person::new(http.clone(), &gryt.url, name).await;
        let url = format!("{}/ws", gryt.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        let protocols = format!("gryt.v1, bearer.{}", person.access_token);
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().unwrap());
        headers.insert("origin", gryt.url.parse().unwrap());
        sockets.push(connect_async(request).await.unwrap());
    }

    let (status, took) = gryt.end("TERM");

    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn second_process_on_the_same_folder_is_refused() {
    let (_dir, data) = folder();
    let first = Gryt::start(&data, &[]);
    let said = refusal(&data, &["--port", "0", "--media-port", "0"]);
    assert!(said.contains("is in use by another process"), "{said}");
    assert!(said.contains("--data-dir"), "{said}");
    drop(first);
    Gryt::start(&data, &[]);
}

#[test]
fn port_in_use_names_the_flag() {
    let (_dir, data) = folder();
    let (_other_dir, other) = folder();
    let gryt = Gryt::start(&data, &[]);
    let port = gryt.port().to_string();
    let said = refusal(&other, &["--port", &port, "--media-port", "0"]);
    assert!(said.contains(&format!("port {port} is in use")), "{said}");
    assert!(said.contains("--port"), "{said}");

    let media = std::net::UdpSocket::bind("[::]:0").unwrap();
    let port = media.local_addr().unwrap().port().to_string();
    let said = refusal(&other, &["--port", "0", "--media-port", &port]);
    assert!(
        said.contains(&format!("UDP port {port} is in use")),
        "{said}"
    );
    assert!(said.contains("--media-port"), "{said}");
    assert!(!other.exists(), "a start that failed leaves no folder");
}

#[test]
fn data_folder_that_is_a_file_is_called_that() {
    let (_dir, data) = folder();
    std::fs::write(&data, "a file").unwrap();
    for args in [
        &["--port", "0", "--media-port", "0"][..],
        &["key", "rotate"],
    ] {
        let said = refusal(&data, args);
        assert!(said.contains("is a file"), "{said}");
        assert!(said.contains("--data-dir"), "{said}");
    }
}

#[test]
fn data_of_a_newer_gryt_is_refused() {
    for file in ["server.db", "events.db", "issuer.db"] {
        let (_dir, data) = folder();
        drop(Gryt::start(&data, &[]));
        let newer = rusqlite::Connection::open(data.join(file)).unwrap();
        newer.pragma_update(None, "user_version", 1_000).unwrap();
        drop(newer);
        let said = refusal(&data, &["--port", "0", "--media-port", "0"]);
        assert!(said.contains("newer version of Gryt"), "{file}: {said}");
        assert!(said.contains(file), "{file}: {said}");
    }
}
