//! Every binary's start: tracing, health, metrics, signals, secrets, TLS, HTTP. And what operator
//! and SFU say to each other by STUN, since they share nothing else. Knows no domain.

mod crypto;
pub mod http;
mod logs;
pub mod occupancy;
mod parts;
mod probes;
mod secret;
mod shutdown;
pub mod tls;

pub use crypto::install_crypto;
pub use logs::{LogFormat, LogsError, init as init_logs};
pub use parts::{Outcome, Parts};
pub use probes::{Readiness, health_router, metrics_router};
pub use secret::{Secret, SecretError, read_secret};
pub use shutdown::{DEADLINE, on_signal};
