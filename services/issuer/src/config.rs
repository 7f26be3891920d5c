//! What an issuer has to know before it starts.

use std::collections::BTreeSet;
use std::path::PathBuf;

use url::{Host, Url};

use crate::invites::Registration;

/// The one client: the web client, which is public and has no secret.
pub const CLIENT_ID: &str = "gryt-web";

/// What an issuer has to know.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// The file with accounts, sign-ins and keys; made when missing.
    pub database: PathBuf,
    /// The issuer's address without a slash at its end, byte for byte the `iss` of its tokens.
    /// The router is mounted at its path.
    pub issuer: String,
    /// The `aud` of access tokens: the id of the one server that they are for.
    pub audience: String,
    /// What the sign-in page calls the server.
    pub server_name: String,
    /// Pages that may ask for tokens and be returned to.
    pub origins: AllowedOrigins,
    /// Who may make an account.
    pub registration: Registration,
}

/// The origins whose pages are ours.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    exact: BTreeSet<String>,
    loopback: bool,
}

impl AllowedOrigins {
    /// These origins (`https://chat.example.org`, no path), and no other.
    pub fn new<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        Self {
            exact: origins.into_iter().map(Into::into).collect(),
            loopback: false,
        }
    }

    /// And every page that this machine itself serves, on any port.
    #[must_use]
    pub fn and_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Whether pages of `origin`, as in the `Origin` header, are ours.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.exact.contains(origin) || (self.loopback && is_loopback(origin))
    }

    /// Takes an address to return to: the root or `/signed-in` of an allowed origin.
    #[must_use]
    pub fn redirect_target(&self, text: &str) -> Option<Url> {
        let url: Url = text.parse().ok()?;
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && matches!(url.scheme(), "http" | "https");
        let expected = plain
            && matches!(url.path(), "/" | "/signed-in")
            && self.allows(&url.origin().ascii_serialization());
        expected.then_some(url)
    }
}

fn is_loopback(origin: &str) -> bool {
    let Ok(url) = origin.parse::<Url>() else {
        return false;
    };
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    local
        && matches!(url.scheme(), "http" | "https")
        && url.origin().ascii_serialization() == origin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_pages_are_returned_to() {
        let origins = AllowedOrigins::new(["https://chat.example.org"]).and_loopback();
        for good in [
            "https://chat.example.org/",
            "https://chat.example.org/signed-in",
            "http://localhost:5173/",
            "http://127.0.0.1:8080/signed-in",
            "http://[::1]:8080/",
        ] {
            assert!(origins.redirect_target(good).is_some(), "{good}");
        }
        for evil in [
            "https://evil.test/",
            "https://chat.example.org.evil.test/",
            "https://chat.example.org:444/",
            "http://chat.example.org/",
            "https://chat.example.org@evil.test/",
            "https://me@chat.example.org/",
            "https://chat.example.org/elsewhere",
            "https://chat.example.org/signed-in/x",
            "https://chat.example.org/?next=https://evil.test",
            "https://chat.example.org/#x",
            "https://chat.example.org\\@evil.test/",
            "http://localhost.evil.test/",
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.test/",
            "/",
            "",
        ] {
            assert!(origins.redirect_target(evil).is_none(), "{evil}");
        }
    }

    #[test]
    fn origin_is_compared_whole() {
        let origins = AllowedOrigins::new(["https://chat.example.org"]);
        assert!(origins.allows("https://chat.example.org"));
        for other in [
            "https://chat.example.org/",
            "null",
            "",
            "http://localhost:8080",
        ] {
            assert!(!origins.allows(other), "{other}");
        }
        assert!(!origins.and_loopback().allows("http://localhost:8080/"));
    }
}
