//! What whoever starts signaling decides.

use std::time::Duration;

use url::Url;

use crate::issuers::IssuerOffer;

/// How this server is reached and by whom.
#[derive(Debug, Clone)]
pub struct SignalingConfig {
    /// Where clients open their socket: a `ws:`/`wss:` URL, or a path such as `/ws` under the
    /// address that the request came to.
    pub socket_url: String,
    /// Where people sign in. The first is for clients that know only one; none is no use.
    pub issuers: Vec<IssuerOffer>,
    /// Whether browsers reach this server by TLS; decides `wss:` and `https:` for paths.
    pub reached_by_tls: bool,
    /// Whether nobody makes an account of the server's own without an invite.
    pub by_invite: bool,
    /// Which pages may talk to this server.
    pub origins: OriginPolicy,
    /// What one client may use up.
    pub limits: Limits,
}

/// Which pages may talk to this server. The same list serves the socket, REST and the issuer.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    /// Exact origins: `https://chat.example.org`, `http://192.168.1.5:8080`.
    pub allowed: Vec<String>,
    /// Whether `localhost`, `127.0.0.1` and `[::1]` may, on every port, by http and https.
    pub loopback_allowed: bool,
}

/// What one client may use up. The defaults are for production; tests lower them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest frame of a client, in bytes.
    pub frame_bytes: usize,
    /// Requests per second of one session, over time.
    pub requests_per_second: u32,
    /// Requests that one session may send at once.
    pub request_burst: u32,
    /// Frames that wait for a client to take them.
    pub outbox_frames: usize,
    /// Bytes that wait for a client to take them.
    pub outbox_bytes: usize,
    /// How long a single write may wait for a client to take it.
    pub write_timeout: Duration,
    /// Sockets of one person.
    pub sockets_per_user: usize,
    /// Sockets of one address. Many people can share one.
    pub sockets_per_address: usize,
    /// From the handshake to `Hello`.
    pub hello_timeout: Duration,
    /// Between a client's pings. Twice without one ends the session.
    pub ping_interval: Duration,
    /// The longest life of a session.
    pub session_timeout: Duration,
    /// Participants of one room.
    pub room_capacity: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 64 * 1024,
            requests_per_second: 20,
            request_burst: 60,
            outbox_frames: 2048,
            outbox_bytes: 4 * 1024 * 1024,
            write_timeout: Duration::from_secs(10),
            sockets_per_user: 16,
            sockets_per_address: 256,
            hello_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            session_timeout: Duration::from_hours(24),
            room_capacity: 1000,
        }
    }
}

/// Parses an `http` or `https` URL that is nothing but an origin.
///
/// # Errors
/// Says what is expected.
pub fn public_url(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "expected http:// or https:// with a host and nothing behind it";
    let url: Url = text.parse().map_err(|_| EXPECTED.to_owned())?;
    let bare = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if bare {
        Ok(url)
    } else {
        Err(EXPECTED.to_owned())
    }
}
