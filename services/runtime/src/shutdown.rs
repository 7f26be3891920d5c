//! The end of a process: a signal cancels one token, and a deadline ends what does not listen.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// From the signal to the end of the process, at the latest. Below the 2 s that are promised.
pub const DEADLINE: Duration = Duration::from_millis(1_700);

/// Returns a token that is cancelled by SIGINT or SIGTERM. From then on the process has
/// [`DEADLINE`] to leave by itself; after that, or at a second signal, it is ended. A listener
/// that hangs, even one that blocks every thread of the runtime, cannot hold it up.
///
/// # Errors
/// The system refuses the signal handlers.
pub fn on_signal() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("interrupted, shutting down"),
            _ = terminate.recv() => tracing::info!("told to terminate, shutting down"),
        }
        let again = end_at_deadline();
        cancelled.cancel();
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // A closed channel means that the deadline's thread is gone, and with it the process.
        let _ = again.send(());
    });
    Ok(token)
}

/// Ends the process at the deadline, or at once on a message.
///
/// A thread, not a task: it has to run when the runtime does not.
fn end_at_deadline() -> mpsc::Sender<()> {
    let (again, waiting) = mpsc::channel();
    // Without it the end of the runtime would look like a message.
    let open = again.clone();
    let spawned = std::thread::Builder::new()
        .name("deadline".to_owned())
        .spawn(move || {
            match waiting.recv_timeout(DEADLINE) {
                Ok(()) => tracing::warn!("ending at once"),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    tracing::warn!("did not shut down in time, ending");
                }
            }
            drop(open);
            end();
        });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for the shutdown deadline");
    }
    again
}

#[expect(
    clippy::exit,
    reason = "the one place that ends a process that does not end"
)]
fn end() {
    std::process::exit(1);
}
