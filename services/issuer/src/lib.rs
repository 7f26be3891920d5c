//! A small OIDC issuer for local accounts: authorization code with PKCE, signing keys, JWKS.
//! Browsers and the server use it exactly as they would use Keycloak. Knows nothing of channels,
//! members or roles: it only says who somebody is.

mod accounts;
mod clock;
mod codes;
mod config;
mod database;
mod http;
mod invites;
mod issuer;
mod keys;
mod pages;
mod passwords;
mod random;
mod sessions;
mod throttle;
mod tokens;

pub use config::{AllowedOrigins, CLIENT_ID, IssuerConfig};
pub use database::{Database, DatabaseError};
pub use invites::{Invite, Invites, MAX_INVITES, MadeInvite, NewInvite, Registration};
pub use issuer::{Issuer, ResetError, RotateError, reset_password, rotate_key};
pub use tokens::ACCESS_LIFE;
