//! What an invite is worth, for the page that its link leads to.

use std::net::SocketAddr;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Form, Json};
use serde::Deserialize;
use serde_json::json;

use crate::clock;
use crate::invites::{Brought, Standing};
use crate::issuer::Issuer;
use crate::throttle::Wait;

/// The token is in the body: addresses are logged by proxies.
#[derive(Deserialize)]
pub(super) struct Asked {
    token: String,
}

/// Longer than any token of ours or of an owner's file.
const MAX_TOKEN_BYTES: usize = 512;

/// `{"standing": "good" | "expired" | "used" | "revoked" | "unknown"}`, or 429.
pub(super) async fn standing(
    State(issuer): State<Issuer>,
    connection: ConnectInfo<SocketAddr>,
    asked: Result<Form<Asked>, FormRejection>,
) -> Response {
    let Ok(Form(Asked { token })) = asked else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let address = super::peer(connection);
    match look(&issuer, &token, address).await {
        Ok(Ok(standing)) => {
            let no_store = [(header::CACHE_CONTROL, "no-store")];
            (no_store, Json(json!({ "standing": word(standing) }))).into_response()
        }
        Ok(Err(Wait(wait))) => {
            let seconds = HeaderValue::from(wait.as_secs().saturating_add(1));
            let headers = [(header::RETRY_AFTER, seconds)];
            (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
        }
        Err(error) => super::failed(&error),
    }
}

/// What a token is worth. Wrong ones are counted, so that guessing is slow.
pub(super) async fn look(
    issuer: &Issuer,
    token: &str,
    address: std::net::IpAddr,
) -> Result<Result<Standing, Wait>, crate::DatabaseError> {
    let now = clock::now();
    let taken = issuer.with_throttles(|throttles| throttles.invites_by_address.take(&address, now));
    if let Err(wait) = taken {
        return Ok(Err(wait));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Ok(Ok(Standing::Unknown));
    }
    let brought = Brought::new(token, &issuer.shared.config.registration);
    let standing = issuer
        .shared
        .database
        .read_later(move |connection| brought.standing(connection, now))
        .await?;
    if standing != Standing::Unknown {
        issuer.with_throttles(|throttles| throttles.invites_by_address.give_back(&address));
    }
    Ok(Ok(standing))
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Good => "good",
        Standing::Expired => "expired",
        Standing::Used => "used",
        Standing::Revoked => "revoked",
        Standing::Unknown => "unknown",
    }
}
