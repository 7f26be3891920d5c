//! The second door: JSON over HTTP under `/api/v1`. The rules are the socket's, because both call
//! `operations`; nothing is decided here.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{get, patch, post};
use axum::{Router, middleware};

mod blob_doors;
mod body;
mod door;
mod files;
mod handlers;
mod openapi;
mod reply;
#[cfg(test)]
mod tests;

pub(crate) use blob_doors::router as blob_doors;

use crate::shared::Shared;

/// The largest body of a request: a message of 4,000 characters, each of them escaped, has room.
const BODY_BYTES: usize = 64 * 1024;

/// Every path under `/api/v1`.
pub(crate) fn router(shared: &Arc<Shared>) -> Router {
    let message = patch(handlers::edit_message).delete(handlers::delete_message);
    let paths = Router::new()
        .route("/channels", get(handlers::channels))
        .route(
            "/channels/{channel_id}/messages",
            get(handlers::messages).merge(post(handlers::send_message)),
        )
        .route("/channels/{channel_id}/messages/{message_id}", message)
        .route("/channels/{channel_id}/uploads", post(files::begin))
        .route("/uploads/parts", post(files::sign))
        .route("/uploads/arrived", post(files::arrived))
        .route("/uploads/complete", post(files::complete))
        .route("/uploads/abort", post(files::abort))
        .route(
            "/channels/{channel_id}/messages/{message_id}/files/{file_id}",
            get(files::read),
        )
        .route(
            "/channels/{channel_id}/messages/{message_id}/files/{file_id}/link",
            get(files::link),
        )
        .route("/members", get(handlers::members))
        .route("/openapi.json", get(openapi::serve))
        .fallback(reply::not_found)
        .method_not_allowed_fallback(reply::not_found)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn(reply::finish))
        .with_state(Arc::clone(shared));
    Router::new().nest("/api/v1", paths)
}
