//! The doors of a folder of files: who comes with a ticket of ours may write one part or read one
//! file. No token: the ticket was given to somebody who had one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use gryt_blobs::Folder;
use gryt_blobs::folder::{Admitted, NotAdmitted, PartDoor, PartRefused, ReadDoor};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;

use crate::clock;
use crate::files::DOORS;

/// Nothing in a file may do anything, even if a browser shows it as a page.
const POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// The paths under [`DOORS`].
pub(crate) fn router(folder: Folder) -> Router {
    let door: MethodRouter<Arc<Folder>> = get(serve).put(serve);
    Router::new()
        .route(&format!("{DOORS}/{{ticket}}"), door)
        .with_state(Arc::new(folder))
}

async fn serve(
    State(folder): State<Arc<Folder>>,
    Path(ticket): Path<String>,
    request: Request,
) -> Response {
    let writes = request.method() == Method::PUT;
    let mut response = match folder.admit(&ticket, clock::wall()) {
        Ok(Admitted::Part(door)) if writes => receive(door, request).await,
        Ok(Admitted::Read(door)) if !writes => read(door, request).await,
        Ok(Admitted::Part(_) | Admitted::Read(_)) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        Err(NotAdmitted::Forged | NotAdmitted::Expired) => StatusCode::FORBIDDEN.into_response(),
    };
    harden(response.headers_mut());
    response
}

async fn receive(door: PartDoor, request: Request) -> Response {
    // Told before the body is taken: a browser that lies need not send it all.
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes != door.size_bytes()) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let received = door.receive(request.into_body().into_data_stream()).await;
    match received {
        Ok(()) => StatusCode::OK,
        Err(PartRefused::OtherSize | PartRefused::OtherBytes | PartRefused::BrokeOff(_)) => {
            StatusCode::BAD_REQUEST
        }
        Err(PartRefused::UnknownUpload) => StatusCode::NOT_FOUND,
        Err(PartRefused::Write(error)) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "a part of an upload cannot be written");
            StatusCode::INSUFFICIENT_STORAGE
        }
    }
    .into_response()
}

/// Also parts of a file and `If-Modified-Since`: films are read in ranges.
async fn read(door: ReadDoor, request: Request) -> Response {
    let Ok(answer) = ServeFile::new(&door.path).oneshot(request).await;
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, &door.content_type),
        (header::CONTENT_DISPOSITION, &door.disposition),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, max-age=900"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
