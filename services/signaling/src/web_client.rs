//! The web client, embedded: its files, and its page for every path that is no file.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use gryt_model::SessionId;
use gryt_proto::client::v1::Reason;
use rust_embed::RustEmbed;

use crate::entropy;
use crate::refusal::Refusal;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// Scripts only from here. Connections anywhere, because one client holds several servers; wasm
/// and blob workers for audio.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; \
    worker-src 'self' blob:; connect-src * data: blob: ws: wss:; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; \
    media-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Vite puts a hash of the content into the names under this folder.
const HASHED: &str = "assets/";

const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Gryt</title>\
    <h1>The web client is not built</h1>\
    <p>This server works, but its web client was not there when it was compiled. \
    <code>cargo xtask up</code> builds both.</p>";

/// Answers every path that is no other route's.
pub(crate) async fn serve(method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let reads = method == Method::GET || method == Method::HEAD;
    // The platform's own paths have another port.
    let probe = matches!(path, "healthz" | "readyz" | "metrics");
    if !reads || probe || path.starts_with("api/") {
        return not_found();
    }
    let mut response = find(path);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

fn find(path: &str) -> Response {
    if let Some(file) = Files::get(path) {
        let cache = if path.starts_with(HASHED) {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        return reply(&file, cache);
    }
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains('.') {
        return not_found();
    }
    match Files::get("index.html") {
        Some(page) => reply(&page, "no-cache"),
        None => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
    }
}

fn reply(file: &rust_embed::EmbeddedFile, cache: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, file.metadata.mimetype().to_owned()),
        (header::CACHE_CONTROL, cache.to_owned()),
    ];
    (headers, file.data.to_vec()).into_response()
}

fn not_found() -> Response {
    let request_id = SessionId::from_random(entropy::bits());
    Refusal::new(Reason::NotFound, "There is nothing here.").into_response(request_id.as_str())
}
