//! Waiting on conditions. Deadlines are generous, because the machine may be busy; what is waited
//! for is exact.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::clock;

/// How long anything may take that should take no time at all.
pub const PATIENCE: Duration = Duration::from_secs(60);

const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks again and again until there is something to see.
///
/// # Errors
/// Names `what` when [`PATIENCE`] is over.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    until_answered(what, || std::future::ready(look())).await
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// Names `what` when [`PATIENCE`] is over.
pub async fn until_answered<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let deadline = clock::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if clock::now() > deadline {
            bail!("waited {PATIENCE:?} in vain: {what}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
