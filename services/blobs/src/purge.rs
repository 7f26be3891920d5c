//! Takes a server's files away for good.

use crate::{Blobs, Error, Kind};

/// How many blobs are asked for at once.
const PAGE: u16 = 1_000;

/// Removes everything of this server. Safe to stop and to run again.
///
/// # Errors
/// [`Error`] if the storage cannot be read or written.
pub async fn purge(blobs: &dyn Blobs) -> Result<(), Error> {
    blobs.abort_begun_before(u64::MAX).await?;
    for kind in Kind::ALL {
        loop {
            let page = blobs.list(kind, None, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for listed in page {
                blobs.delete(&listed.key).await?;
            }
        }
    }
    Ok(())
}
