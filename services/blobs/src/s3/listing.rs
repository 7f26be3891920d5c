//! What stands in the bucket.

use super::S3;
use super::fault::cause;
use super::uploads::unix_ms;
use crate::{BlobKey, Error, Kind, Listed};

impl S3 {
    pub(super) async fn list_objects(
        &self,
        kind: Kind,
        after: Option<&BlobKey>,
        limit: u16,
    ) -> Result<Vec<Listed>, Error> {
        let mut listed = Vec::new();
        let mut after = after.map(|key| self.object(key));
        loop {
            let page = self
                .client
                .list_objects_v2()
                .bucket(&*self.bucket)
                .prefix(format!("{}{}/", self.prefix, kind.folder()))
                .set_start_after(after)
                .max_keys(limit.into())
                .send()
                .await
                .map_err(|error| Error::Read(cause(error)))?;
            after = page
                .contents()
                .last()
                .and_then(|last| Some(last.key()?.to_owned()));
            for object in page.contents() {
                // A person may have put something else there: that is not ours to tell of.
                let Some(key) = object.key().and_then(|name| self.key(name)) else {
                    continue;
                };
                listed.push(Listed {
                    key,
                    size_bytes: object
                        .size()
                        .and_then(|s| u64::try_from(s).ok())
                        .unwrap_or(0),
                    written_at_ms: object.last_modified().map_or(0, unix_ms),
                });
            }
            listed.truncate(usize::from(limit));
            let full = listed.len() == usize::from(limit);
            if full || after.is_none() || page.is_truncated() != Some(true) {
                return Ok(listed);
            }
        }
    }
}
