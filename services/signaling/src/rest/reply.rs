//! How every answer leaves: with its request's id, and a refusal as `{code, message, request_id}`.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use gryt_proto::client::v1::Reason;
use tracing::Instrument as _;

use crate::entropy;
use crate::refusal::Refusal;

/// Names the request in the log. Chosen by the server.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A refusal on its way out. [`finish`] writes its body, which names the request.
#[derive(Debug)]
pub(crate) struct Refused(Refusal);

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, Refused>;

impl<T: Into<Refusal>> From<T> for Refused {
    fn from(refusal: T) -> Self {
        Self(refusal.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// Answers what is at no path, or not by this method.
pub(crate) async fn not_found() -> Refused {
    Refusal::new(Reason::NotFound, "There is no such path or method.").into()
}

/// Gives a request its id, and its answer that id and the body of a refusal.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let request_id = format!("{:032x}", u128::from_be_bytes(entropy::bits()));
    let span = tracing::info_span!("rest", request_id);
    let mut response = next.run(request).instrument(span).await;
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        response = refusal.into_response(&request_id);
    }
    let headers = response.headers_mut();
    if let Ok(request_id) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, request_id);
    }
    // What a member may read is nobody else's, and old a moment later.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if response.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
