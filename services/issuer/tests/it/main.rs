//! The issuer over HTTP, as a browser, a client and a server see it.

mod attacks;
mod browser;
mod flow;
mod rotation;
