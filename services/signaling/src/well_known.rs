//! `GET /.well-known/gryt`: what a client has to know of a server before it signs in.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use gryt_proto::client::v1 as wire;
use serde::Serialize;

use crate::config::SignalingConfig;
use crate::issuers::{IssuerOffer, OWN};
use crate::ws::PROTOCOL_VERSION;

#[derive(Debug, Serialize)]
struct Document<'a> {
    server_id: &'a str,
    name: &'a str,
    socket_url: String,
    /// The first of `issuers`.
    issuer: String,
    client_id: &'a str,
    issuers: Vec<Issuer<'a>>,
    protocol_version: u32,
    /// `invite`: nobody makes an account without one; `open`: everybody may; `elsewhere`: the
    /// server has no accounts of its own.
    registration: &'static str,
}

#[derive(Debug, Serialize)]
struct Issuer<'a> {
    /// `local`: the server's own accounts.
    name: &'a str,
    label: &'a str,
    issuer: String,
    client_id: &'a str,
}

/// The document's route.
pub(crate) fn router(config: Arc<SignalingConfig>, server: wire::Server) -> Router {
    let answer = async move |headers: HeaderMap| document(&config, &server, &headers);
    Router::new().route("/.well-known/gryt", get(answer))
}

fn document(config: &SignalingConfig, server: &wire::Server, headers: &HeaderMap) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let (web, socket) = if config.reached_by_tls {
        ("https", "wss")
    } else {
        ("http", "ws")
    };
    let issuer = |offer: &'_ IssuerOffer| absolute(&offer.url, web, host);
    let first = config.issuers.first();
    let document = Document {
        server_id: &server.server_id,
        name: &server.name,
        socket_url: absolute(&config.socket_url, socket, host),
        issuer: first.map(issuer).unwrap_or_default(),
        client_id: first.map_or("", |first| &first.client_id),
        issuers: config
            .issuers
            .iter()
            .map(|offer| Issuer {
                name: &offer.name,
                label: &offer.label,
                issuer: issuer(offer),
                client_id: &offer.client_id,
            })
            .collect(),
        protocol_version: PROTOCOL_VERSION,
        registration: registration(config),
    };
    let fresh = [(header::CACHE_CONTROL, "no-cache")];
    (fresh, Json(document)).into_response()
}

fn registration(config: &SignalingConfig) -> &'static str {
    let has_own = config.issuers.iter().any(|offer| offer.name == OWN);
    match (has_own, config.by_invite) {
        (false, _) => "elsewhere",
        (true, true) => "invite",
        (true, false) => "open",
    }
}

/// A path becomes a URL under the address that the request came to.
fn absolute(url_or_path: &str, scheme: &str, host: &str) -> String {
    if url_or_path.starts_with('/') {
        format!("{scheme}://{host}{url_or_path}")
    } else {
        url_or_path.to_owned()
    }
}
