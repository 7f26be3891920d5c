//! The token endpoint: a code or a refresh token becomes an access token.

use axum::Form;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::json;
use std::time::SystemTime;

use crate::accounts;
use crate::clock;
use crate::codes::{self, Exchange};
use crate::config::{CLIENT_ID, IssuerConfig};
use crate::issuer::Issuer;
use crate::keys;
use crate::sessions::{self, Refusal, SessionId};
use crate::tokens::{ACCESS_LIFE, Minted, SCOPE, Subject, mint};

/// The parameters as they come.
#[derive(Default, Deserialize)]
pub(super) struct Parameters {
    grant_type: Option<String>,
    client_id: Option<String>,
    code: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
    refresh_token: Option<String>,
}

/// An error of RFC 6749 section 5.2.
struct Refused(&'static str, &'static str);

/// What one transaction makes of a request.
enum Outcome {
    Granted {
        minted: Minted,
        refresh_token: String,
    },
    Refused(Refused),
    /// A key of ours cannot sign.
    Unsigned(jsonwebtoken::errors::Error),
}

/// Answers with tokens (RFC 6749 section 5.1), or an error of its section 5.2.
pub(super) async fn exchange(
    State(issuer): State<Issuer>,
    asked: Result<Form<Parameters>, FormRejection>,
) -> Response {
    let Ok(Form(parameters)) = asked else {
        return refuse(&Refused("invalid_request", "the form could not be read"));
    };
    if parameters.client_id.as_deref() != Some(CLIENT_ID) {
        return refuse(&Refused("invalid_client", "client_id is not known"));
    }
    let now = clock::now();
    let shared = issuer.shared.clone();
    let outcome = issuer
        .shared
        .database
        .write_later(move |transaction| {
            let config = &shared.config;
            match parameters.grant_type.as_deref() {
                Some("authorization_code") => by_code(transaction, config, &parameters, now),
                Some("refresh_token") => by_refresh_token(transaction, config, &parameters, now),
                Some(_) | None => Ok(Outcome::Refused(Refused(
                    "unsupported_grant_type",
                    "grant_type has to be authorization_code or refresh_token",
                ))),
            }
        })
        .await;
    match outcome {
        Ok(Outcome::Granted {
            minted,
            refresh_token,
        }) => answer(
            StatusCode::OK,
            &json!({
                "access_token": minted.access_token,
                "id_token": minted.id_token,
                "refresh_token": refresh_token,
                "token_type": "Bearer",
                "expires_in": ACCESS_LIFE.as_secs(),
                "scope": SCOPE,
            }),
        ),
        Ok(Outcome::Refused(refused)) => refuse(&refused),
        Ok(Outcome::Unsigned(error)) => failed(&error),
        Err(error) => failed(&error),
    }
}

/// Ends a sign-in by its refresh token (RFC 7009). Unknown tokens are fine.
pub(super) async fn revoke(
    State(issuer): State<Issuer>,
    asked: Result<Form<Revocation>, FormRejection>,
) -> Response {
    let Ok(Form(Revocation { token })) = asked else {
        return refuse(&Refused("invalid_request", "token is missing"));
    };
    let ended = issuer
        .shared
        .database
        .write_later(move |transaction| sessions::end_by_token(transaction, &token))
        .await;
    match ended {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => failed(&error),
    }
}

#[derive(Deserialize)]
pub(super) struct Revocation {
    token: String,
}

fn by_code(
    transaction: &Transaction<'_>,
    config: &IssuerConfig,
    parameters: &Parameters,
    now: SystemTime,
) -> rusqlite::Result<Outcome> {
    let Parameters {
        code: Some(code),
        redirect_uri: Some(redirect_uri),
        code_verifier: Some(verifier),
        ..
    } = parameters
    else {
        return Ok(Outcome::Refused(Refused(
            "invalid_request",
            "code, redirect_uri and code_verifier are needed",
        )));
    };
    let session = SessionId::new();
    let exchange = Exchange {
        code,
        redirect_uri,
        verifier,
    };
    let Some(grant) = codes::redeem(transaction, &exchange, &session, now)? else {
        return Ok(Outcome::Refused(Refused(
            "invalid_grant",
            "the code is not good, or not any more, or not for this verifier and redirect_uri",
        )));
    };
    let refresh_token = sessions::begin(transaction, &session, &grant.account, now)?;
    let signed_in_at = clock::unix_secs(now);
    grant_tokens(
        transaction,
        config,
        Granted {
            account: &grant.account,
            session: &session,
            signed_in_at,
            nonce: grant.nonce.as_deref(),
            refresh_token,
        },
        now,
    )
}

fn by_refresh_token(
    transaction: &Transaction<'_>,
    config: &IssuerConfig,
    parameters: &Parameters,
    now: SystemTime,
) -> rusqlite::Result<Outcome> {
    let Some(token) = &parameters.refresh_token else {
        return Ok(Outcome::Refused(Refused(
            "invalid_request",
            "refresh_token is needed",
        )));
    };
    match sessions::refresh(transaction, token, now)? {
        Ok(refreshed) => grant_tokens(
            transaction,
            config,
            Granted {
                account: &refreshed.account,
                session: &refreshed.session,
                signed_in_at: refreshed.signed_in_at,
                nonce: None,
                refresh_token: refreshed.refresh_token,
            },
            now,
        ),
        Err(Refusal::Unknown) => Ok(Outcome::Refused(Refused(
            "invalid_grant",
            "the refresh token is not good, or not any more",
        ))),
        Err(Refusal::Reused) => {
            tracing::warn!("a replaced refresh token came back, its sign-in was ended");
            Ok(Outcome::Refused(Refused(
                "invalid_grant",
                "the refresh token was used before; the sign-in has ended",
            )))
        }
    }
}

/// Whom tokens are granted to.
struct Granted<'a> {
    account: &'a str,
    session: &'a SessionId,
    signed_in_at: i64,
    nonce: Option<&'a str>,
    refresh_token: String,
}

fn grant_tokens(
    transaction: &Transaction<'_>,
    config: &IssuerConfig,
    granted: Granted<'_>,
    now: SystemTime,
) -> rusqlite::Result<Outcome> {
    let Some(account) = accounts::by_id(transaction, granted.account)? else {
        return Ok(Outcome::Refused(Refused(
            "invalid_grant",
            "the account is gone",
        )));
    };
    let key = keys::signing(transaction, now)?;
    let subject = Subject {
        account: &account,
        sid: granted.session.sid(),
        signed_in_at: granted.signed_in_at,
        nonce: granted.nonce,
    };
    Ok(match mint(config, &key, &subject, now) {
        Ok(minted) => Outcome::Granted {
            minted,
            refresh_token: granted.refresh_token,
        },
        Err(error) => Outcome::Unsigned(error),
    })
}

fn refuse(Refused(error, description): &Refused) -> Response {
    let body = json!({ "error": error, "error_description": description });
    answer(StatusCode::BAD_REQUEST, &body)
}

fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    tracing::error!(error, "could not answer a token request");
    let body = json!({ "error": "server_error" });
    answer(StatusCode::INTERNAL_SERVER_ERROR, &body)
}

fn answer(status: StatusCode, body: &serde_json::Value) -> Response {
    let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, no_store, Json(body)).into_response()
}
