//! What answers over plain HTTP.

use crate::client::{Client, ping};
use crate::world::{World, server_id};

#[tokio::test]
async fn well_known_document_tells_where_to_go() {
    let world = World::start().await;
    let response = reqwest::Client::new()
        .get(world.url("/.well-known/gryt"))
        .header("origin", "https://chat.example.org")
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.headers()["access-control-allow-origin"],
        "https://chat.example.org"
    );
    let document: serde_json::Value = response.json().await.unwrap();
    let address = world.address;
    assert_eq!(
        document,
        serde_json::json!({
            "server_id": server_id().as_str(),
            "name": "Test",
            "socket_url": format!("ws://{address}/ws"),
            "issuer": format!("http://{address}/issuer"),
            "client_id": "gryt-web",
            "issuers": [{
                "name": "local",
                "label": "Account on this server",
                "issuer": format!("http://{address}/issuer"),
                "client_id": "gryt-web",
            }],
            "protocol_version": 1,
            "registration": "open",
        })
    );
}

#[tokio::test]
async fn foreign_pages_may_not_read() {
    let world = World::start().await;
    let response = reqwest::Client::new()
        .get(world.url("/.well-known/gryt"))
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert!(
        !response
            .headers()
            .contains_key("access-control-allow-origin")
    );
}

#[tokio::test]
async fn probes_answer_and_metrics_count_without_naming_anybody() {
    let world = World::start().await;
    let (mut client, welcome) = Client::enter(&world, "ada").await;
    client.done(ping()).await;
    assert_eq!(world.get("/healthz").await.status(), 200);
    assert_eq!(world.get("/readyz").await.status(), 200);
    let metrics = world.get("/metrics").await.text().await.unwrap();
    for line in [
        "gryt_signaling_requests_total{request=\"Ping\"} 1",
        "gryt_signaling_sessions 1",
        "gryt_signaling_request_seconds_count{request=\"Hello\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    assert!(!metrics.contains(&welcome.me.unwrap().member_id));
}

#[tokio::test]
async fn unknown_paths_are_the_clients_unless_they_name_a_file_or_the_api() {
    let world = World::start().await;
    let page = world.get("/channels/somewhere").await;
    // 503 says that the web client is not built.
    assert!([200, 503].contains(&page.status().as_u16()));
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("connect-src *"));
    assert!(page.text().await.unwrap().contains("<title>"));

    for path in ["/nothing.js", "/api/v2/messages", "/api/v1/nothing"] {
        let response = world.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["code"], "NOT_FOUND");
    }
}

#[tokio::test]
async fn socket_address_is_no_page() {
    let world = World::start().await;
    let response = world.get("/ws").await;
    assert_eq!(response.status(), 400);
}
