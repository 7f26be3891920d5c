//! TLS from a folder of PEM files, as a mounted Secret is one: read again when it changes, for new
//! connections only. Crypto is `ring`; the caller sets ALPN.

mod folder;
mod identity;
mod material;
mod verify;

pub use folder::{ClientAuth, TlsFolder};
pub use identity::{Part, identity};
pub use material::TlsError;

#[cfg(test)]
mod tests;
