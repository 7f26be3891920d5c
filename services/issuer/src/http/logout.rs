//! The end of a sign-in (OpenID Connect RP-Initiated Logout 1.0).

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use crate::clock;
use crate::database::DatabaseError;
use crate::issuer::Issuer;
use crate::keys;
use crate::sessions;
use crate::tokens::sid_of_hint;

#[derive(Deserialize)]
pub(super) struct Parameters {
    id_token_hint: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// Ends the sign-in that the ID token names, and goes back to the client. Without a good ID
/// token nothing ends: a link on a foreign page must not sign anybody out.
pub(super) async fn end(
    State(issuer): State<Issuer>,
    asked: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let Ok(Query(parameters)) = asked else {
        return super::dead_end(
            StatusCode::BAD_REQUEST,
            "This link does not work",
            "The link that led here is damaged.",
        );
    };
    if let Some(hint) = parameters.id_token_hint
        && let Err(error) = end_named(&issuer, hint).await
    {
        return super::failed(&error);
    }
    let target = parameters
        .post_logout_redirect_uri
        .and_then(|uri| issuer.shared.config.origins.redirect_target(&uri));
    let Some(mut target) = target else {
        return super::dead_end(
            StatusCode::OK,
            "You are signed out",
            "You can close this page.",
        );
    };
    if let Some(state) = parameters.state {
        target.query_pairs_mut().append_pair("state", &state);
    }
    super::see_other(target.as_str())
}

async fn end_named(issuer: &Issuer, hint: String) -> Result<(), DatabaseError> {
    let now = clock::now();
    issuer
        .shared
        .database
        .write_later(move |transaction| {
            let keys = keys::published(transaction, now)?;
            match sid_of_hint(&hint, &keys) {
                Some(sid) => sessions::end_by_sid(transaction, &sid),
                None => Ok(()),
            }
        })
        .await
}
