//! Which pages may talk to this server: one list for the socket, REST and the well-known document.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::{Host, Url};

use crate::config::OriginPolicy;

/// A checked list of origins. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Origins {
    policy: Arc<OriginPolicy>,
}

impl Origins {
    pub(crate) fn new(policy: OriginPolicy) -> Self {
        Self {
            policy: Arc::new(policy),
        }
    }

    /// Whether a page of this origin may talk to the server.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        let listed = |allowed: &String| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin);
        self.policy.allowed.iter().any(listed)
            || (self.policy.loopback_allowed && is_loopback(origin))
    }

    /// The same list as CORS headers. No cookies: the token is in a header.
    pub(crate) fn cors(&self) -> CorsLayer {
        let origins = self.clone();
        let allow = move |origin: &HeaderValue, _: &_| {
            origin.to_str().is_ok_and(|origin| origins.allow(origin))
        };
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(allow))
            .allow_methods([
                Method::GET,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
            .expose_headers([HeaderName::from_static("x-request-id")])
            .max_age(Duration::from_mins(10))
    }
}

fn is_loopback(origin: &str) -> bool {
    let Ok(url) = Url::parse(origin) else {
        return false;
    };
    // An origin is scheme, host and port: "http://localhost@evil.example" is none.
    let bare = url.path() == "/" && url.username().is_empty() && url.query().is_none();
    let here = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    bare && here && matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: OriginPolicy, table: &[(&str, bool)]) {
        let origins = Origins::new(policy);
        for (origin, expected) in table {
            assert_eq!(origins.allow(origin), *expected, "{origin}");
        }
    }

    #[test]
    fn only_listed_origins_and_the_own_machine_may_talk() {
        let policy = OriginPolicy {
            allowed: vec!["https://chat.example.org".to_owned()],
            loopback_allowed: true,
        };
        check(
            policy,
            &[
                ("https://chat.example.org", true),
                ("HTTPS://chat.example.org", true),
                ("http://chat.example.org", false),
                ("https://chat.example.org:444", false),
                ("https://chat.example.org.evil.example", false),
                ("http://localhost:8080", true),
                ("https://127.0.0.1", true),
                ("http://[::1]:5173", true),
                ("http://127.0.0.2", false),
                ("http://localhost.evil.example", false),
                ("http://localhost@evil.example", false),
                ("ftp://localhost", false),
                ("null", false),
                ("", false),
            ],
        );
    }

    #[test]
    fn a_public_server_does_not_trust_the_visitors_own_machine() {
        check(
            OriginPolicy::default(),
            &[
                ("http://localhost:8080", false),
                ("http://127.0.0.1", false),
            ],
        );
    }
}
