//! The issuer over HTTP, as a browser, a client and a server see it.
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows them in tests, which a test's own functions are not to clippy"
)]

mod attacks;
mod browser;
mod flow;
mod invites;
mod rotation;
