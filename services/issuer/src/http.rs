//! The issuer's HTTP surface: one router, and what its handlers share.

use std::net::{IpAddr, SocketAddr};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::AllowedOrigins;
use crate::database::DatabaseError;
use crate::issuer::Issuer;
use crate::pages;
use crate::throttle::network;

mod authorize;
mod discovery;
mod invite;
mod logout;
mod request;
mod token;

/// No form or token request of ours is nearly as large.
const MAX_BODY_BYTES: usize = 16 * 1024;

pub(crate) fn router(issuer: Issuer) -> Router {
    let origins = issuer.shared.config.origins.clone();
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin: &HeaderValue, _| {
            origin.to_str().is_ok_and(|origin| origins.allows(origin))
        }))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION]);
    let for_scripts = Router::new()
        .route(
            "/.well-known/openid-configuration",
            get(discovery::document),
        )
        .route("/jwks", get(discovery::jwks))
        .route("/token", post(token::exchange))
        .route("/revoke", post(token::revoke))
        .route("/invite", post(invite::standing))
        .layer(cors);
    Router::new()
        .route("/authorize", get(authorize::show).post(authorize::submit))
        .route("/logout", get(logout::end))
        .merge(for_scripts)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(issuer)
}

/// Only what checks tokens.
pub(crate) fn keys_router(issuer: Issuer) -> Router {
    Router::new()
        .route("/jwks", get(discovery::jwks))
        .with_state(issuer)
}

/// The part of the peer's address that tries are counted by.
fn peer(ConnectInfo(address): ConnectInfo<SocketAddr>) -> IpAddr {
    network(address.ip())
}

/// An HTML page with the headers that keep it ours: nothing is loaded, nothing runs, nobody
/// frames it, and its form goes only to us and from us to `return_to`.
fn page(status: StatusCode, html: String, return_to: Option<&str>) -> Response {
    let policy = format!(
        "default-src 'none'; style-src '{}'; img-src 'self'; form-action 'self' {}; \
         base-uri 'none'; frame-ancestors 'none'",
        pages::style_hash(),
        return_to.unwrap_or_default(),
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy.trim_end()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A page that says why there is nothing to do here.
fn dead_end(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, pages::notice(title, text), None)
}

/// Logs a failure of ours, and shows a page without its details.
fn failed(error: &DatabaseError) -> Response {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "issuer's database failed"
    );
    dead_end(
        StatusCode::INTERNAL_SERVER_ERROR,
        "That did not work",
        "The server could not read or write its accounts. Its log says why. Try again later.",
    )
}

/// Sends the browser on with a GET, after a form too.
fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return dead_end(
            StatusCode::BAD_REQUEST,
            "This link is broken",
            "The address to return to is not one.",
        );
    };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Whether a browser says that another site's page made this request: by `Sec-Fetch-Site`, or by
/// `Origin`, which older browsers send too, and all of them from a page without https.
fn from_another_site(headers: &HeaderMap, origins: &AllowedOrigins) -> bool {
    let by_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none");
    let by_origin = headers
        .get(header::ORIGIN)
        .is_some_and(|origin| !origin.to_str().is_ok_and(|origin| origins.allows(origin)));
    by_site || by_origin
}
