//! The API from outside, over a real store, a real bus and a real issuer.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use gryt_blobs::Folder;
use gryt_blobs::folder::DoorKey;
use gryt_bus::{Bus, LocalBus, LogEpoch, Presence, Quotas, Subscription};
use gryt_model::{ChannelId, ChannelKind, ServerId};
use gryt_proto::client::v1 as wire;
use gryt_proto::client::v1::event::Event;
use gryt_store::{FirstOpen, NewChannel, Server, SqliteStore};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::transport::Endpoint;
use tower::ServiceExt as _;

use crate::auth::tests::{AUDIENCE, ISSUER, Published, Signer};
use crate::files::DOORS;
use crate::issuers::Issuers;
use crate::{Files, Limits, OriginPolicy, Ports, Signaling, SignalingConfig, clock};

mod files;

const PAGE: &str = "http://localhost:8080";

/// A server without sockets, whose first member is `ann`.
struct Api {
    router: Router,
    signer: Signer,
    events: Subscription,
    folder: TempDir,
}

struct Reply {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Value,
}

fn channel(number: u8) -> ChannelId {
    ChannelId::from_random([number; 16])
}

fn text_channel() -> ChannelId {
    channel(1)
}

fn voice_channel() -> ChannelId {
    channel(2)
}

fn first_open() -> FirstOpen {
    let new = |number, name: &str, kind| NewChannel {
        id: channel(number),
        name: name.parse().unwrap(),
        kind,
    };
    FirstOpen {
        server: Server {
            id: ServerId::from_random([7; 16]),
            name: "Home".into(),
        },
        channels: vec![
            new(1, "general", ChannelKind::Text),
            new(2, "Lounge", ChannelKind::Voice),
        ],
    }
}

/// Files of at most 20 MB, in a folder.
fn open_files(folder: &TempDir) -> Files {
    let server = ServerId::from_random([7; 16]);
    let key = [9; 32];
    let path = folder.path().join("files");
    let files = Folder::open(&path, &server, &DoorKey::new(&key), DOORS).unwrap();
    Files {
        blobs: Arc::new(files.clone()),
        folder: Some(files),
        key,
        limit_bytes: 20_000_000,
    }
}

impl Api {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name| folder.path().join(name);
        let store = SqliteStore::open(&path("gryt.db"), first_open()).unwrap();
        let epoch = LogEpoch::from_random([1; 16]);
        let bus = Arc::new(LocalBus::open(&path("events.db"), &epoch).unwrap());
        let signer = Signer::new("one");
        let events = bus.subscribe();
        let ports = Ports {
            store: Arc::new(store),
            bus,
            presence: Presence::local(),
            quotas: Quotas::local(),
            sfus: vec![(
                "nowhere".to_owned(),
                Endpoint::from_static("http://127.0.0.1:1").connect_lazy(),
            )],
            verifier: Published::start(&[signer.jwk()]).await.verifier(),
            invites: None,
            files: Some(open_files(&folder)),
            registry: Registry::default(),
        };
        let config = SignalingConfig {
            socket_url: "/ws".to_owned(),
            issuers: Issuers::default().offers("/issuer".to_owned()),
            reached_by_tls: false,
            by_invite: false,
            origins: OriginPolicy {
                allowed: vec![],
                loopback_allowed: true,
            },
            limits: Limits::default(),
        };
        let api = Self {
            router: Signaling::new(config, ports).router(),
            signer,
            events,
            folder,
        };
        api.get("ann", "/members").await;
        api
    }

    fn token(&self, name: &str, ends_in: i64) -> String {
        let now = clock::wall().duration_since(UNIX_EPOCH).unwrap();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": name, "preferred_username": name,
            "exp": i64::try_from(now.as_secs()).unwrap() + ends_in,
        });
        self.signer.sign(&claims)
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 10_000_000).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    async fn ask(&self, name: &str, method: &str, path: &str, body: Option<String>) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("origin", PAGE)
            .header("authorization", format!("Bearer {}", self.token(name, 300)))
            .header("content-type", "application/json");
        let body = body.map_or_else(Body::empty, Body::from);
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, name: &str, path: &str) -> Reply {
        self.ask(name, "GET", path, None).await
    }

    async fn post(&self, name: &str, text: &str, nonce: &str) -> Reply {
        let body = json!({ "text": text, "nonce": nonce }).to_string();
        self.ask(name, "POST", &messages(), Some(body)).await
    }

    async fn next_event(&mut self) -> Event {
        let delivery = tokio::time::timeout(Duration::from_secs(5), self.events.next());
        let delivery = delivery.await.unwrap().unwrap();
        delivery.event.event.clone().unwrap()
    }
}

fn messages() -> String {
    format!("/channels/{}/messages", text_channel())
}

fn message_path(message: &Value) -> String {
    format!("{}/{}", messages(), message["message_id"].as_str().unwrap())
}

/// A refusal is `{code, message, request_id}`, and its id is in the header, too.
fn check_refused(reply: &Reply, status: StatusCode, code: &str) {
    let told = format!("{} {}", reply.status, reply.body);
    assert_eq!(reply.status, status, "{told}");
    let body = reply.body.as_object().unwrap();
    let fields: Vec<_> = body.keys().collect();
    assert_eq!(fields, ["code", "message", "request_id"], "{told}");
    assert_eq!(body["code"], code, "{told}");
    assert_eq!(
        body["request_id"],
        *reply.headers["x-request-id"].to_str().unwrap()
    );
}

#[tokio::test]
async fn channels_and_members_are_listed() {
    let api = Api::start().await;
    api.get("bob", "/channels").await;

    let channels = api.get("ann", "/channels").await;
    assert_eq!(channels.status, StatusCode::OK);
    let expected = json!({ "channels": [
        { "channel_id": text_channel().as_str(), "name": "general", "kind": "text",
          "position": 0, "audible_limit": null },
        { "channel_id": voice_channel().as_str(), "name": "Lounge", "kind": "voice",
          "position": 1, "audible_limit": 25 },
    ] });
    assert_eq!(channels.body, expected);
    assert_eq!(channels.headers["cache-control"], "no-store");

    let members = api.get("bob", "/members").await;
    let mut roles: Vec<_> = members.body["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| {
            (
                member["name"].as_str().unwrap(),
                member["role"].as_str().unwrap(),
            )
        })
        .collect();
    roles.sort_unstable();
    assert_eq!(roles, [("ann", "owner"), ("bob", "member")]);
}

#[tokio::test]
async fn message_is_sent_read_edited_and_deleted_and_the_socket_hears_of_it() {
    let mut api = Api::start().await;
    let Event::MemberUpdated(ann) = api.next_event().await else {
        panic!("the first sign-in is told first");
    };

    let sent = api.post("ann", "  hello \n", "n1").await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
    let message = sent.body;
    assert_eq!(message["text"], "hello");
    assert_eq!(message["member_id"], *ann.member_id);
    assert_eq!(message["edited_at_ms"], Value::Null);
    let id: u64 = message["message_id"].as_str().unwrap().parse().unwrap();
    assert!(id > 1 << 53, "an id that a JSON number would not hold");
    let Event::MessageCreated(created) = api.next_event().await else {
        panic!("a sent message is told");
    };
    assert_eq!((created.message_id, created.text.as_str()), (id, "hello"));
    let page = api.get("ann", &messages()).await;
    assert_eq!(
        page.body,
        json!({ "messages": [message], "has_more": false })
    );

    let edit = Some(json!({ "text": "better" }).to_string());
    let edited = api.ask("ann", "PATCH", &message_path(&message), edit).await;
    assert_eq!(edited.status, StatusCode::OK);
    assert_eq!(edited.body["text"], "better");
    assert!(edited.body["edited_at_ms"].is_u64());
    assert!(matches!(api.next_event().await, Event::MessageEdited(_)));

    let deleted = api
        .ask("ann", "DELETE", &message_path(&message), None)
        .await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
    let expected = wire::MessageDeleted {
        channel_id: text_channel().to_string(),
        message_id: id,
    };
    assert_eq!(api.next_event().await, Event::MessageDeleted(expected));
    let again = api
        .ask("ann", "DELETE", &message_path(&message), None)
        .await;
    // The first answer, or even its event, may have been lost.
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    assert!(matches!(api.next_event().await, Event::MessageDeleted(_)));
}

#[tokio::test]
async fn same_nonce_is_the_same_message_and_another_text_is_refused() {
    let api = Api::start().await;

    let first = api.post("ann", "hello", "n1").await;
    let again = api.post("ann", "hello", "n1").await;
    let other = api.post("ann", "bye", "n1").await;

    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.body, first.body);
    check_refused(&other, StatusCode::CONFLICT, "NONCE_REUSED");
}

#[tokio::test]
async fn history_is_read_page_by_page() {
    let api = Api::start().await;
    for number in 0..5 {
        api.post("ann", &format!("text {number}"), &format!("n{number}"))
            .await;
    }

    let newest = api.get("ann", &format!("{}?limit=2", messages())).await;
    let texts = |page: &Value| -> Vec<String> {
        let messages = page["messages"].as_array().unwrap().iter();
        messages
            .map(|message| message["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(&newest.body), ["text 3", "text 4"]);
    assert_eq!(newest.body["has_more"], true);

    let before = newest.body["messages"][0]["message_id"].as_str().unwrap();
    let older = format!("{}?limit=3&before={before}", messages());
    let older = api.get("ann", &older).await;
    assert_eq!(texts(&older.body), ["text 0", "text 1", "text 2"]);
    assert_eq!(older.body["has_more"], false);
}

#[tokio::test]
async fn others_messages_are_not_ours_to_change() {
    let api = Api::start().await;
    let by_ann = api.post("ann", "hello", "n1").await.body;
    let by_bob = api.post("bob", "hello", "n1").await.body;

    for (name, path) in [
        ("bob", message_path(&by_ann)),
        ("ann", message_path(&by_bob)),
    ] {
        let edit = Some(json!({ "text": "mine" }).to_string());
        let edited = api.ask(name, "PATCH", &path, edit).await;
        check_refused(&edited, StatusCode::FORBIDDEN, "FORBIDDEN");
    }
    let deleted = api.ask("bob", "DELETE", &message_path(&by_ann), None).await;
    check_refused(&deleted, StatusCode::FORBIDDEN, "FORBIDDEN");
    let by_owner = api.ask("ann", "DELETE", &message_path(&by_bob), None).await;
    assert_eq!(by_owner.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn requests_without_a_good_token_are_refused() {
    let api = Api::start().await;
    let expired = format!("Bearer {}", api.token("ann", -3_600));
    let forged = format!("Bearer {}x", api.token("ann", 300));
    let cases = [
        (None, "UNAUTHENTICATED"),
        (Some("Basic YW5uOmFubg==".to_owned()), "UNAUTHENTICATED"),
        (Some("Bearer".to_owned()), "UNAUTHENTICATED"),
        (Some("Bearer nonsense".to_owned()), "UNAUTHENTICATED"),
        (Some(forged), "UNAUTHENTICATED"),
        (Some(expired), "TOKEN_EXPIRED"),
    ];
    for (authorization, code) in cases {
        let mut request = Request::builder().uri("/api/v1/channels");
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        let reply = api.send(request.body(Body::empty()).unwrap()).await;
        check_refused(&reply, StatusCode::UNAUTHORIZED, code);
        assert_eq!(reply.headers["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn bad_requests_get_one_clear_reason() {
    let api = Api::start().await;
    let send = |body: &str| ("POST", messages(), Some(body.to_owned()));
    let long = json!({ "text": "x".repeat(4_001), "nonce": "n" }).to_string();
    let huge = json!({ "text": "x".repeat(100_000), "nonce": "n" }).to_string();
    let in_voice = format!("/channels/{}/messages", voice_channel());
    let nowhere = format!("/channels/{}/messages", channel(9));
    let cases = [
        (send("{"), 400, "MALFORMED"),
        (send("[]"), 400, "MALFORMED"),
        (send(r#"{"text":"a"}"#), 400, "MALFORMED"),
        (
            send(r#"{"text":"a","nonce":"n","as":"bob"}"#),
            400,
            "MALFORMED",
        ),
        (
            send(r#"{"text":"a","nonce":"two words"}"#),
            400,
            "MALFORMED",
        ),
        (send(r#"{"text":" \n ","nonce":"n"}"#), 400, "EMPTY_TEXT"),
        (send(&long), 400, "TEXT_TOO_LONG"),
        (send(&huge), 413, "TOO_LARGE"),
        (("GET", in_voice, None), 400, "WRONG_CHANNEL_KIND"),
        (("GET", nowhere, None), 404, "UNKNOWN_CHANNEL"),
        (
            ("GET", "/channels/general/messages".to_owned(), None),
            400,
            "MALFORMED",
        ),
        (
            ("GET", format!("{}?limit=0", messages()), None),
            400,
            "MALFORMED",
        ),
        (
            ("GET", format!("{}?limit=101", messages()), None),
            400,
            "MALFORMED",
        ),
        (
            ("GET", format!("{}?limit=-1", messages()), None),
            400,
            "MALFORMED",
        ),
        (
            ("GET", format!("{}?before=yesterday", messages()), None),
            400,
            "MALFORMED",
        ),
        (
            ("GET", format!("{}?after=1", messages()), None),
            400,
            "MALFORMED",
        ),
        (
            ("DELETE", format!("{}/1", messages()), None),
            404,
            "UNKNOWN_MESSAGE",
        ),
        (
            ("DELETE", format!("{}/last", messages()), None),
            400,
            "MALFORMED",
        ),
        (("PUT", messages(), None), 404, "NOT_FOUND"),
        (("GET", "/nothing/here".to_owned(), None), 404, "NOT_FOUND"),
    ];
    for ((method, path, body), status, code) in cases {
        let reply = api.ask("ann", method, &path, body).await;
        check_refused(&reply, StatusCode::from_u16(status).unwrap(), code);
    }
    let page = api.get("ann", &messages()).await;
    assert_eq!(page.body["messages"], json!([]));
}

#[tokio::test]
async fn body_of_another_type_is_refused() {
    let api = Api::start().await;
    let request = Request::builder()
        .method("POST")
        .uri(format!("/api/v1{}", messages()))
        .header("authorization", format!("Bearer {}", api.token("ann", 300)))
        .header("content-type", "text/plain")
        .body(Body::from(r#"{"text":"a","nonce":"n"}"#))
        .unwrap();

    check_refused(
        &api.send(request).await,
        StatusCode::BAD_REQUEST,
        "MALFORMED",
    );
}

#[tokio::test]
async fn flood_is_limited_per_member_and_told_when_to_try_again() {
    let api = Api::start().await;
    let mut refused = None;
    for number in 0..200 {
        let reply = api.post("ann", "hello", &format!("n{number}")).await;
        if reply.status != StatusCode::CREATED {
            refused = Some(reply);
            break;
        }
    }

    let refused = refused.expect("200 messages at once are too many");
    check_refused(&refused, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "1");
    let by_bob = api.post("bob", "hello", "n1").await;
    assert_eq!(by_bob.status, StatusCode::CREATED);
    let reading = api.get("ann", &messages()).await;
    assert_eq!(reading.status, StatusCode::OK);
}

#[tokio::test]
async fn only_listed_pages_may_read_answers() {
    let api = Api::start().await;

    let listed = api.get("ann", "/channels").await;
    assert_eq!(listed.headers["access-control-allow-origin"], PAGE);
    let request = Request::builder()
        .uri("/api/v1/channels")
        .header("origin", "https://evil.example")
        .body(Body::empty())
        .unwrap();
    let foreign = api.send(request).await;
    assert!(!foreign.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn description_is_served_without_a_token_and_names_every_path() {
    let api = Api::start().await;
    let request = Request::builder().uri("/api/v1/openapi.json");

    let reply = api.send(request.body(Body::empty()).unwrap()).await;

    assert_eq!(reply.status, StatusCode::OK);
    let paths: Vec<_> = reply.body["paths"].as_object().unwrap().keys().collect();
    let expected = [
        "/api/v1/channels",
        "/api/v1/channels/{channel_id}/messages",
        "/api/v1/channels/{channel_id}/messages/{message_id}",
        "/api/v1/channels/{channel_id}/messages/{message_id}/files/{file_id}",
        "/api/v1/channels/{channel_id}/messages/{message_id}/files/{file_id}/link",
        "/api/v1/channels/{channel_id}/uploads",
        "/api/v1/members",
        "/api/v1/openapi.json",
        "/api/v1/uploads/abort",
        "/api/v1/uploads/arrived",
        "/api/v1/uploads/complete",
        "/api/v1/uploads/parts",
    ];
    assert_eq!(paths, expected);
    let codes = &reply.body["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let codes = codes.as_array().unwrap();
    for code in ["MALFORMED", "RATE_LIMITED", "NOT_FOUND"] {
        assert!(codes.contains(&json!(code)), "{code} is missing");
    }
}
