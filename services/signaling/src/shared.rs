//! What every door of the server holds.

use std::sync::Arc;

use gryt_bus::Bus;
use tokio::sync::SetOnce;
use tokio_util::sync::CancellationToken;

use crate::auth::Verifier;
use crate::config::Limits;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::origins::Origins;
use crate::voice::Voice;
use crate::ws::Sockets;

/// Handles to the parts, made once at the start.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) origins: Origins,
    pub(crate) verifier: Verifier,
    pub(crate) operations: Operations,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) live: Arc<Live>,
    pub(crate) voice: Voice,
    pub(crate) sockets: Sockets,
    pub(crate) metrics: Metrics,
    /// Set when sessions can be greeted: the calls that the process found go on.
    pub(crate) begun: Arc<SetOnce<()>>,
    /// Cancelled when the process is going away: no socket comes in, and all are told.
    pub(crate) stopping: CancellationToken,
}
