//! The API's description, printed from the handlers. A copy is checked in as `openapi.json`.

use axum::Json;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

use super::body::Problem;
use super::{files, handlers, reply::Answer};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Gryt",
        version = "1",
        description = "Messages, channels and members of one server. The same rules and limits as on the socket.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        handlers::channels,
        handlers::messages,
        handlers::send_message,
        handlers::edit_message,
        handlers::delete_message,
        handlers::members,
        files::begin,
        files::sign,
        files::arrived,
        files::complete,
        files::abort,
        files::read,
        files::link,
        serve,
    ),
    components(schemas(Problem)),
    modifiers(&Bearer),
    security(("bearer" = [])),
)]
struct Api;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An access token of the issuer that /.well-known/gryt names.",
            ))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// This document.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "about", operation_id = "openapi",
    security(()),
    responses((status = 200, description = "The OpenAPI document.", content_type = "application/json")),
)]
pub(crate) async fn serve() -> Answer<Json<OpenApi>> {
    Ok(Json(Api::openapi()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn printed() -> String {
        Api::openapi().to_pretty_json().unwrap() + "\n"
    }

    fn golden() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json")
    }

    #[test]
    fn checked_in_document_is_the_printed_one() {
        let checked_in = std::fs::read_to_string(golden()).unwrap();
        assert!(
            checked_in == printed(),
            "openapi.json is old; update it by \
             `cargo test -p gryt-signaling print_openapi -- --ignored` and look at the difference"
        );
    }

    #[test]
    #[ignore = "writes openapi.json"]
    fn print_openapi() {
        std::fs::write(golden(), printed()).unwrap();
    }
}
