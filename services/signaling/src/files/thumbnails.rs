//! Makes thumbnails beside the requests, one after the other.

use std::sync::Arc;

use gryt_blobs::{Blobs, Kind};
use gryt_model::Attachment;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::spawn_blocking;

use super::{key, picture};

/// Pictures that wait. What does not fit is made when somebody asks to see it.
const WAITING: usize = 256;

/// Where pictures wait for their thumbnails.
#[derive(Debug, Clone)]
pub(crate) struct Thumbnails(Sender<Attachment>);

/// What makes them.
#[derive(Debug)]
pub(crate) struct Work(Receiver<Attachment>);

impl Thumbnails {
    pub(crate) fn new() -> (Self, Work) {
        let (sender, receiver) = channel(WAITING);
        (Self(sender), Work(receiver))
    }

    /// Has a thumbnail made some time later, if it is a picture.
    pub(crate) fn want(&self, attachment: &Attachment) {
        if attachment.picture.is_some() && self.0.try_send(attachment.clone()).is_err() {
            tracing::debug!("more pictures wait for thumbnails than are kept");
        }
    }
}

impl Work {
    /// Works for as long as there is somebody to work for.
    pub(super) async fn run(mut self, blobs: Arc<dyn Blobs>) {
        while let Some(attachment) = self.0.recv().await {
            if let Err(error) = make(&*blobs, &attachment).await {
                let error = &*error;
                tracing::warn!(error, file = %attachment.file, "no thumbnail");
            }
        }
    }
}

async fn make(
    blobs: &dyn Blobs,
    attachment: &Attachment,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let place = key(Kind::Thumbnail, &attachment.file);
    if blobs.read(&place, 1).await?.is_some() {
        return Ok(());
    }
    let original = key(Kind::File, &attachment.file);
    let read = blobs.read(&original, picture::FILE_MAX_BYTES).await?;
    let Some(file) = read.filter(|file| file.len() as u64 == attachment.size_bytes) else {
        // Deleted meanwhile, or larger than what gets one.
        return Ok(());
    };
    let content_type = attachment.content_type.clone();
    let small = spawn_blocking(move || picture::thumbnail(&content_type, &file)).await??;
    let kind = picture::thumbnail_type(&attachment.content_type);
    blobs.write(&place, kind, small).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
