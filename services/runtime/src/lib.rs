//! Every binary's start: tracing, health, metrics, signals, secrets, TLS. Knows no domain.

mod logs;
mod probes;
mod secret;
mod shutdown;
pub mod tls;

pub use logs::{LogFormat, LogsError, init as init_logs};
pub use probes::{Readiness, health_router, metrics_router};
pub use secret::{Secret, SecretError, read_secret};
pub use shutdown::{DEADLINE, on_signal};
