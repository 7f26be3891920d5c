//! What clients and servers read before anything else.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use url::Url;

use crate::clock;
use crate::config::IssuerConfig;
use crate::database::{Database, DatabaseError};
use crate::issuer::Issuer;
use crate::keys;

/// OpenID Connect Discovery section 3. The endpoints are at the address that the request came
/// to, if it is one of ours: a laptop is reached by several. `issuer` is always the same.
pub(super) async fn document(State(issuer): State<Issuer>, headers: HeaderMap) -> Json<Value> {
    let config = &issuer.shared.config;
    let base = base(config, &headers);
    Json(json!({
        "issuer": config.issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "revocation_endpoint": format!("{base}/revoke"),
        "jwks_uri": format!("{base}/jwks"),
        "end_session_endpoint": format!("{base}/logout"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid", "profile", "offline_access"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "sid",
            "name", "preferred_username",
        ],
        "prompt_values_supported": ["none", "login", "create"],
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
}

/// The public keys. Cached shortly: the next key is in it long before it signs.
pub(super) async fn jwks(State(issuer): State<Issuer>) -> Response {
    match published(&issuer.shared.database, clock::now()).await {
        Ok(keys) => {
            let keys: Vec<Value> = keys.iter().map(keys::PublicKey::jwk).collect();
            let cache = [(header::CACHE_CONTROL, "public, max-age=60")];
            (cache, Json(json!({ "keys": keys }))).into_response()
        }
        Err(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "could not read the signing keys"
            );
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Writes only when a key has to be made.
async fn published(
    database: &Database,
    now: SystemTime,
) -> Result<Vec<keys::PublicKey>, DatabaseError> {
    let known = database
        .read_later(move |connection| {
            if keys::is_due(connection, now)? {
                return Ok(None);
            }
            keys::published(connection, now).map(Some)
        })
        .await?;
    match known {
        Some(keys) => Ok(keys),
        None => {
            database
                .write_later(move |transaction| {
                    keys::signing(transaction, now)?;
                    keys::published(transaction, now)
                })
                .await
        }
    }
}

fn base(config: &IssuerConfig, headers: &HeaderMap) -> String {
    asked_base(config, headers).unwrap_or_else(|| config.issuer.clone())
}

fn asked_base(config: &IssuerConfig, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let issuer: Url = config.issuer.parse().ok()?;
    let asked: Url = format!("{}://{host}", issuer.scheme()).parse().ok()?;
    let origin = asked.origin().ascii_serialization();
    let path = issuer.path().trim_end_matches('/');
    config
        .origins
        .allows(&origin)
        .then(|| format!("{origin}{path}"))
}
