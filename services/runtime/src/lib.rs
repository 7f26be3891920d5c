//! Every binary's start: tracing, health, metrics, signals, secrets, TLS, HTTP.
//! Knows no domain.

pub mod http;
mod logs;
mod parts;
mod probes;
mod secret;
mod shutdown;
pub mod tls;

pub use logs::{LogFormat, LogsError, init as init_logs};
pub use parts::{Outcome, Parts};
pub use probes::{Readiness, health_router, metrics_router};
pub use secret::{Secret, SecretError, read_secret};
pub use shutdown::{DEADLINE, on_signal};
