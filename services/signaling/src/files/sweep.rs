//! Removes what belongs to nobody: uploads that were left, files whose message was never sent or was
//! deleted while the storage was away.

use std::time::Duration;

use gryt_blobs::Kind;
use gryt_store::Store;

use super::{DiscardError, FileShelf};
use crate::{clock, entropy};

/// Between two sweeps. Each asks the store about every old file, so more often would cost more than
/// what it frees.
const EVERY: Duration = Duration::from_hours(6);
/// Uploads may take 24 hours.
const UPLOADS_LAST_MS: u64 = 25 * 3_600_000;
const PAGE: u16 = 500;

/// Sweeps for ever. Processes of one server do it at different times, and twice is harmless.
pub(super) async fn run(shelf: &FileShelf, store: &dyn Store) {
    loop {
        tokio::time::sleep(EVERY.mul_f64(0.5 + entropy::fraction())).await;
        match sweep(shelf, store, clock::unix_ms()).await {
            Ok(removed) => tracing::info!(removed, "swept files"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "files were not swept to the end");
            }
        }
    }
}

/// Tells how many files it looked through and removed.
pub(super) async fn sweep(
    shelf: &FileShelf,
    store: &dyn Store,
    now_ms: u64,
) -> Result<usize, DiscardError> {
    let before = now_ms.saturating_sub(UPLOADS_LAST_MS);
    let ended = shelf.blobs.abort_begun_before(before).await;
    let mut removed = ended.map_err(DiscardError::Remove)?;
    for kind in Kind::ALL {
        let mut after = None;
        loop {
            let page = shelf.blobs.list(kind, after.as_ref(), PAGE).await;
            let page = page.map_err(DiscardError::Remove)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            for listed in &page {
                if gryt_chat::is_orphan(listed.written_at_ms, now_ms) {
                    removed += usize::from(shelf.discard(store, &listed.key.id).await?);
                }
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests;
